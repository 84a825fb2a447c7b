"""A scenario is a function in the app's folder; the one that is missing is named before anything starts."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fargate_workers_toolkit import command
from fargate_workers_toolkit.console.progress import Progress
from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local import scenarios
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.scenarios.running_system import RunningSystem
from fargate_workers_toolkit.local.workspace import Workspace
from fargate_workers_toolkit.templates.assembly import Assembly, Stack

AWS = EmbeddedAws(pid=1, port=1, region="eu-west-1", seconds_per_minute=2)

SCENARIO = """
from fargate_workers_toolkit.local.scenarios import check

def play(system):
    yield check("It runs", expected=1, seen=system)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "example_scenario.py").write_text(SCENARIO)
    yield tmp_path
    for name in ("example_scenario", "broken_scenario"):
        sys.modules.pop(name, None)


def test_a_scenario_is_found_beside_cdk_json(folder: Path) -> None:
    play: Any = scenarios.load("example_scenario:play", folder=folder)
    (check,) = play(1)
    assert check.passed


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("example_scenario", r"is no module:function; write, for example, --scenario scenario:play\.$"),
        ("missing:play", r"there is no module missing in "),
        ("example_scenario.deeper:play", r"there is no module example_scenario.deeper in "),
        ("example_scenario:missing", r"the module example_scenario has no function missing\.$"),
        ("example_scenario:__doc__", r"the module example_scenario has no function __doc__\.$"),
    ],
)
def test_what_is_none_is_named(name: str, sentence: str, folder: Path) -> None:
    with pytest.raises(LocalError, match=sentence):
        scenarios.load(name, folder=folder)


def test_a_fault_of_the_scenario_keeps_its_traceback(folder: Path) -> None:
    (folder / "broken_scenario.py").write_text("import no_such_package\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        scenarios.load("broken_scenario:play", folder=folder)


def test_a_missing_scenario_ends_the_command_before_anything_is_made(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "cdk.json").touch()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["fargate-workers", "local", "run", "--scenario", "missing:play"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("--scenario missing:play: there is no module missing in ")
    assert not (folder / ".local").exists()


# The scenario of a run that names none


class Answers:
    """Of CloudFormation and ECS."""

    def __init__(self, *, status: str, running: int) -> None:
        self._status, self._running = status, running

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        return {"Stacks": [{"StackStatus": self._status}]}

    def get_paginator(self, _: str) -> "Answers":
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        arn = "arn:aws:ecs:eu-west-1:000000000000:service/cluster/orders"
        return [{"StackResourceSummaries": [{"LogicalResourceId": "Service", "PhysicalResourceId": arn}]}]

    def describe_services(self, **_: Any) -> dict[str, Any]:
        return {"services": [{"desiredCount": 1, "runningCount": self._running}]}


def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **answers: Any) -> RunningSystem:
    template = {
        "Resources": {
            "Service": {"Type": "AWS::ECS::Service", "Metadata": {"aws:cdk:path": "App/Orders/Service/Resource"}}
        }
    }
    assembly = Assembly(stacks=(Stack(name="App", environment="", template=template),))
    found = RunningSystem(AWS, assembly, workspace=Workspace(tmp_path), progress=Progress(quiet=True))
    monkeypatch.setattr(found, "client", lambda _: Answers(**answers))
    # A look is enough: nothing here changes by itself.
    monkeypatch.setattr(found, "wait_for", lambda look: look())
    return found


@pytest.mark.parametrize(
    ("status", "running", "passed"),
    [
        ("CREATE_COMPLETE", 1, [True, True]),
        ("CREATE_COMPLETE", 0, [True, False]),
        ("ROLLBACK_COMPLETE", 1, [False, True]),
    ],
)
def test_without_a_scenario_stacks_and_services_are_checked(
    status: str, running: int, passed: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = list(scenarios.every_service_runs(system(tmp_path, monkeypatch, status=status, running=running)))
    assert [check.name for check in checks] == ["App is deployed", "App/Orders/Service has its tasks"]
    assert [check.passed for check in checks] == passed


def test_waiting_ends_with_what_was_seen_last(tmp_path: Path) -> None:
    found = RunningSystem(AWS, Assembly(stacks=()), workspace=Workspace(tmp_path), progress=Progress(quiet=True))
    seen = iter([0, 0, 7])
    assert found.wait_for(lambda: next(seen), every=0) == 7
    assert found.wait_for(lambda: 0, within=0) == 0
