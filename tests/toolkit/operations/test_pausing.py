"""A pause holds until somebody ends it, remembers what was before, and can be interrupted at any moment."""

import json
from importlib import import_module
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.operations import OperationsError
from fargate_workers_toolkit.operations.pauses import pause, resume
from fargate_workers_toolkit.operations.places import Aws, find_place
from fargate_workers_toolkit.operations.workers import find_worker
from tests.toolkit.operations.letters import MovedClock
from tests.toolkit.operations.world import World


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "80", "TZ": "UTC"}).invoke(app, list(arguments))


@pytest.fixture
def aws(world: World) -> Aws:
    return Aws(find_place("dev", folder=world.folder))


def deployed_again(world: World, least: int, most: int) -> None:
    """CloudFormation sets bounds that it has changed; of the rest, it says nothing."""
    world.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId="service/dev-cluster/Orders",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=least,
        MaxCapacity=most,
    )


def test_a_paused_worker_has_no_tasks_no_bounds_and_no_scaling(world: World) -> None:
    ended = run("pause", "dev", "Orders", "--why", "it writes nonsense: stop!", "--for", "2h")

    assert ended.exit_code == 0, ended.stderr
    assert "Orders is paused, meant to last until" in ended.stdout
    assert world.service("Orders")["desiredCount"] == 0
    target = world.target("Orders")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 0)
    assert all(target["SuspendedState"].values())
    tags = {tag["key"]: tag["value"] for tag in world.service("Orders")["tags"]}
    assert tags["fargate-workers:paused-why"] == "it writes nonsense: stop "
    assert tags["fargate-workers:paused-bounds"] == "1 10 2"


def test_resuming_restores_what_was_before(world: World) -> None:
    run("pause", "dev", "Orders", "--why", "x")

    ended = run("resume", "dev", "Orders")

    assert ended.exit_code == 0, ended.stderr
    assert "Orders is resumed: 1 to 10 tasks, 2 now." in " ".join(ended.stdout.split())
    assert world.service("Orders")["desiredCount"] == 2
    target = world.target("Orders")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 10)
    assert not any(target["SuspendedState"].values())
    assert not [tag for tag in world.service("Orders")["tags"] if "paused" in tag["key"]]


def test_pausing_twice_keeps_the_numbers_from_before(world: World) -> None:
    run("pause", "dev", "Orders", "--why", "first", "--for", "1h")
    again = run("pause", "dev", "Orders", "--why", "second", "--json")

    noted: dict[str, Any] = json.loads(again.stdout)
    assert (noted["min_tasks"], noted["max_tasks"], noted["desired"]) == (1, 10, 2)
    assert (noted["why"], noted["until"]) == ("second", None)
    assert "fargate-workers:paused-until" not in {tag["key"] for tag in world.service("Orders")["tags"]}


def test_a_deployment_does_not_resume_and_status_says_what_it_changed(world: World) -> None:
    run("pause", "dev", "Orders", "--why", "x")
    deployed_again(world, 2, 20)

    ended = run("status", "dev", "Orders")

    assert ended.exit_code == 1
    assert "changed while paused" in ended.stdout
    assert "its bounds are 2 to 20 again: a deployment has set them since" in " ".join(ended.stdout.split())
    assert world.service("Orders")["desiredCount"] == 0
    assert all(world.target("Orders")["SuspendedState"].values())


def test_resuming_after_a_deployment_keeps_the_bounds_of_that(world: World) -> None:
    run("pause", "dev", "Orders", "--why", "x")
    deployed_again(world, 3, 20)

    run("resume", "dev", "Orders")

    target = world.target("Orders")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (3, 20)
    assert world.service("Orders")["desiredCount"] == 3


class CutOffError(Exception):
    pass


@pytest.mark.parametrize("calls", range(1, 4))
def test_a_pause_that_is_interrupted_can_be_paused_or_resumed(world: World, aws: Aws, calls: int) -> None:
    left = iter(range(calls - 1))
    client = aws.client

    def cut_off(service: str) -> Any:
        real = client(service)

        class Cut:
            def __getattr__(self, name: str) -> Any:
                if name in ("tag_resource", "register_scalable_target", "update_service") and next(left, None) is None:
                    raise CutOffError
                return getattr(real, name)

        return Cut()

    aws.client = cut_off
    with pytest.raises(CutOffError):
        pause(aws, find_worker(aws, "Orders"), by="ada", why="x", until=None, clock=MovedClock())
    aws.client = client

    pause(aws, find_worker(aws, "Orders"), by="ada", why="x", until=None, clock=MovedClock())
    assert world.service("Orders")["desiredCount"] == 0
    restored = resume(aws, find_worker(aws, "Orders"))

    assert (restored.min_tasks, restored.max_tasks, restored.desired) == (1, 10, 2)


def test_only_a_paused_worker_is_resumed(world: World, aws: Aws) -> None:
    with pytest.raises(OperationsError, match="Orders is not paused"):
        resume(aws, find_worker(aws, "Orders"))


def test_a_drain_waits_for_the_last_message_before_it_pauses(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    command = import_module("fargate_workers_toolkit.commands.on_call.pausing")
    orders = world.queues("Orders")
    orders.sqs.send_message(QueueUrl=orders.url, MessageBody="{}")

    class Handling(MovedClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            assert world.service("Orders")["desiredCount"] == 2
            for message in orders.sqs.receive_message(QueueUrl=orders.url).get("Messages", []):
                orders.sqs.delete_message(QueueUrl=orders.url, ReceiptHandle=message["ReceiptHandle"])

    monkeypatch.setattr(command, "_clock", Handling())
    ended = run("drain", "dev", "Orders", "--why", "moving")

    assert ended.exit_code == 0, ended.stderr
    assert world.service("Orders")["desiredCount"] == 0


def test_a_drain_that_does_not_end_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    command = import_module("fargate_workers_toolkit.commands.on_call.pausing")
    monkeypatch.setattr(command, "_clock", MovedClock())
    orders = world.queues("Orders")
    orders.sqs.send_message(QueueUrl=orders.url, MessageBody="{}")

    ended = run("drain", "dev", "Orders", "--why", "moving", "--within", "10m")

    assert ended.exit_code == 1
    assert "1 message of Orders is left after 10 min; not paused." in ended.stdout
    assert world.service("Orders")["desiredCount"] == 2


def test_a_drain_that_has_no_time_to_be_sure_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    command = import_module("fargate_workers_toolkit.commands.on_call.pausing")
    monkeypatch.setattr(command, "_clock", MovedClock())

    ended = run("drain", "dev", "Orders", "--why", "moving", "--within", "5s")

    assert ended.exit_code == 1
    assert "Orders is empty, and was not for long enough after 5 s; not paused." in ended.stdout


def test_production_is_not_paused_without_a_person(world: World) -> None:
    ended = run("pause", "prod", "--why", "x")

    assert ended.exit_code == 2
    assert "prod: pause Orders: stop its tasks and its scaling; its messages wait." in ended.stderr
    assert world.service("Orders", "prod")["desiredCount"] == 2


def test_a_span_that_is_none_is_refused(world: World) -> None:
    assert run("pause", "dev", "Orders", "--why", "x", "--for", "soon").exit_code == 2


def test_the_command_that_ends_a_pause_stands_whole_on_a_line_of_its_own(world: World) -> None:
    ended = CliRunner(env={"COLUMNS": "40", "TZ": "UTC"}).invoke(app, ["pause", "dev", "Orders", "--why", "x"])

    assert "it had 2 tasks (bounds 1 to 10)." in " ".join(ended.stdout.split())
    assert ended.stdout.splitlines()[-1] == "Resume it with: fargate-workers resume dev Orders"
