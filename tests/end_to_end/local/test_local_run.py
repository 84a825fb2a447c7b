"""The whole system, deployed by the real CDK CLI into the embedded AWS, with real processes and a real Valkey."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fargate_workers_toolkit.console.progress import Progress
from fargate_workers_toolkit.local import deployment, lifecycle, processes, tools, virtual_environment
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.scenarios.summary import Summary
from fargate_workers_toolkit.local.workspace import Workspace
from fargate_workers_toolkit.templates.assembly import Assembly
from tests.end_to_end.local.conftest import SELECTION
from tests.patience import until

pytestmark = pytest.mark.local

CHECKS = [
    "Every valid order is in the table",
    "Every order in the table is as it was sent",
    "The read model counts every order once",
    "Every bad row is a dead letter",
    "Every dead letter says why",
    "No message is left in a queue",
    "The planner ran every minute",
    "The planner's plans scaled the service out",
    "The planner's plans scaled it in again",
    "The dead-letter alarm was raised",
    "The dead-letter alarm sent a mail",
    "A busy worker was killed",
    "Its end was reported on the alerts topic",
    "The bulk file was imported by its own task",
    "The scheduled task ended well",
    "The report counts every file",
    "The redrive function replays dead letters",
]


def test_the_summary_has_these_checks_and_no_others(summary: Summary) -> None:
    assert [check.name for check in summary.checks] == CHECKS


@pytest.mark.parametrize("name", CHECKS)
def test_the_summary_says(name: str, summary: Summary) -> None:
    check = next(check for check in summary.checks if check.name == name)
    assert check.passed, f"expected {check.expected}, saw {check.seen}"


def test_a_second_up_finds_it_running_and_changes_nothing(
    workspace: Workspace, aws: EmbeddedAws, summary: Summary, progress: Progress
) -> None:
    before = stack_events(workspace, aws)
    again = lifecycle.up(workspace, progress=progress, selection=SELECTION)
    assert (again.pid, again.port) == (aws.pid, aws.port)
    assert stack_events(workspace, aws) == before


def test_destroy_removes_every_stack(
    workspace: Workspace, aws: EmbeddedAws, summary: Summary, progress: Progress
) -> None:
    deployment.destroy(workspace, aws, cdk=tools.find_cdk(workspace.root))
    cloudformation = lifecycle.system(workspace, aws, progress=progress).client("cloudformation")
    stacks = cloudformation.list_stacks()["StackSummaries"]
    assert {stack["StackStatus"] for stack in stacks} == {"DELETE_COMPLETE"}


def test_down_leaves_no_process_and_no_file(
    workspace: Workspace, aws: EmbeddedAws, summary: Summary, progress: Progress
) -> None:
    pids = [aws.pid, *(int(file.read_text()) for file in workspace.run.glob("**/pid"))]
    assert lifecycle.down(workspace, progress=progress)
    assert [pid for pid in pids if processes.look_up(pid) is not None] == []
    assert not workspace.run.exists()
    assert not lifecycle.down(workspace, progress=progress)


def test_a_killed_command_takes_its_launcher_along(workspace: Workspace) -> None:
    other = Workspace(workspace.root, name="test-owned")
    interpreter = virtual_environment.prepare(other.venv)
    script = f"""
import sys, time
from pathlib import Path
from fargate_workers_toolkit.local import embedded_aws
from fargate_workers_toolkit.local.workspace import Workspace
workspace = Workspace(Path({str(other.root)!r}), name={other.name!r})
aws = embedded_aws.start(
    workspace,
    interpreter=Path({str(interpreter)!r}),
    region="us-east-1",
    seconds_per_minute=2,
    port=embedded_aws.find_port(None),
    owned=True,
)
print(aws.pid, flush=True)
time.sleep(3600)
"""
    toolkit = str(Path(lifecycle.__file__).parents[2])
    owner = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": toolkit}
    )
    try:
        pid = int(owner.stdout.readline() if owner.stdout else 0)
        assert processes.look_up(pid) is not None
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        until(lambda: processes.look_up(pid) is None)
    finally:
        owner.kill()
        owner.wait()
        lifecycle.down(other, progress=Progress(quiet=True))


def stack_events(workspace: Workspace, aws: EmbeddedAws) -> dict[str, int]:
    """How much has ever happened to each stack."""
    cloudformation = lifecycle.system(workspace, aws, progress=Progress(quiet=True)).client("cloudformation")
    return {
        stack.name: len(cloudformation.describe_stack_events(StackName=stack.name)["StackEvents"])
        for stack in Assembly.load(workspace.assembly).stacks
    }
