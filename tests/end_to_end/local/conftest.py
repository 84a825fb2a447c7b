"""One run of the whole system for all tests in this folder, beside whatever else runs on this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fargate_workers_toolkit.console.progress import Progress
from fargate_workers_toolkit.local import lifecycle
from fargate_workers_toolkit.local.app.synthesis import Selection
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.scenarios.summary import Summary
from fargate_workers_toolkit.local.workspace import Workspace
from scenarios.order_pipeline import play

SELECTION = Selection(stacks=("local/**",), context=("environment=local",))


@pytest.fixture(scope="session")
def workspace() -> Workspace:
    return Workspace(Path(__file__).parents[3], name="test-run")


@pytest.fixture(scope="session")
def progress() -> Progress:
    return Progress(quiet=True)


@pytest.fixture(scope="session")
def aws(workspace: Workspace, progress: Progress) -> Iterator[EmbeddedAws]:
    lifecycle.down(workspace, progress=progress)
    yield lifecycle.up(workspace, progress=progress, selection=SELECTION, owned=True)
    lifecycle.down(workspace, progress=progress)


@pytest.fixture(scope="session")
def summary(workspace: Workspace, aws: EmbeddedAws, progress: Progress) -> Summary:
    return lifecycle.play(workspace, aws, play, progress=progress)
