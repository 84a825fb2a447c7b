"""One run of the whole system for all tests in this folder, beside whatever else runs on this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fargate_workers_toolkit.local import steps
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.progress import Progress
from fargate_workers_toolkit.local.summary import Summary
from fargate_workers_toolkit.local.workspace import Workspace


@pytest.fixture(scope="session")
def workspace() -> Workspace:
    return Workspace(Path(__file__).parents[2], name="test-run")


@pytest.fixture(scope="session")
def progress() -> Progress:
    return Progress(quiet=True)


@pytest.fixture(scope="session")
def aws(workspace: Workspace, progress: Progress) -> Iterator[EmbeddedAws]:
    steps.down(workspace, progress=progress)
    yield steps.up(workspace, progress=progress, owned=True)
    steps.down(workspace, progress=progress)


@pytest.fixture(scope="session")
def summary(workspace: Workspace, aws: EmbeddedAws, progress: Progress) -> Summary:
    return steps.play(workspace, aws, progress=progress)
