"""Credentials that are none, for all tests of operations; and a deployed environment."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fargate_workers_toolkit.operations import WallClock
from tests.toolkit.operations.letters import MovedClock
from tests.toolkit.operations.world import World, deployed


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever escapes moto finds no account."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that waits moves the clock: for tests where nothing comes later by itself."""
    moved = MovedClock(moment=time.time())  # what moto notes has its times
    monkeypatch.setattr(WallClock, "now", lambda _: moved.now())
    monkeypatch.setattr(WallClock, "sleep", lambda _, seconds: moved.sleep(seconds))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with deployed(tmp_path, monkeypatch) as made:
        yield made
