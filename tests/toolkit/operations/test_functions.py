"""A function answers the verbs on call: its mapping is paused, and its queue is the source."""

import json
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from tests.toolkit.operations.world import World


@pytest.fixture
def mapping(world: World) -> str:
    return world.deploy_function("dev", "Receipts")


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "120", "TZ": "UTC"}).invoke(app, list(arguments))


def tags_of(world: World) -> dict[str, str]:
    (found,) = world.functions.tags.values()
    return found


@pytest.mark.usefixtures("mapping")
def test_status_shows_queue_letters_and_mapping(world: World) -> None:
    receipts = world.queues("Receipts")
    receipts.sqs.send_message(QueueUrl=receipts.url, MessageBody="{}")
    receipts.die(1)

    ended = run("status", "dev", "Receipts")

    assert ended.exit_code == 1, ended.output
    assert ended.stdout.startswith("✗ Receipts: dead letters.")
    for line in (
        "source SQS Receipts",
        "backlog 1 wait, 0 in flight",
        "invocations 20 at once at most",
        "event source mapping enabled",
        "dead letters 1",
    ):
        assert line in ended.stdout
    assert "unknown" not in ended.stdout


@pytest.mark.usefixtures("mapping")
def test_the_environment_has_services_and_functions(world: World) -> None:
    states: list[dict[str, Any]] = json.loads(run("status", "dev", "--json").stdout)

    assert [state["worker"] for state in states] == ["dev-W/Orders", "dev-W/Receipts", "dev-W/Refunds"]
    assert ["function" in state for state in states] == [False, True, False]


def test_a_pause_disables_the_mapping_and_keeps_its_settings(world: World, mapping: str) -> None:
    before = dict(world.functions.mappings[mapping])

    ended = run("pause", "dev", "Receipts", "--why", "it writes nonsense: stop!", "--for", "2h")

    assert ended.exit_code == 0, ended.output
    assert "Receipts is paused, meant to last until" in ended.stdout
    assert world.functions.mappings[mapping] == {**before, "State": "Disabled"}
    noted = tags_of(world)
    assert noted["fargate-workers:paused-why"] == "it writes nonsense: stop "
    assert set(noted) > {"fargate-workers:paused-at", "fargate-workers:paused-by", "fargate-workers:paused-until"}


def test_resuming_enables_it_and_forgets_the_pause(world: World, mapping: str) -> None:
    run("pause", "dev", "Receipts", "--why", "x")

    ended = run("resume", "dev", "Receipts")

    assert ended.exit_code == 0, ended.output
    assert "Receipts is resumed: its event source mapping is enabled." in " ".join(ended.stdout.split())
    assert world.functions.mappings[mapping]["State"] == "Enabled"
    assert not [name for name in tags_of(world) if "paused" in name]


@pytest.mark.usefixtures("mapping")
def test_pausing_again_without_an_end_forgets_the_end(world: World) -> None:
    run("pause", "dev", "Receipts", "--why", "first", "--for", "1h")

    again = run("pause", "dev", "Receipts", "--why", "second", "--json")

    noted: dict[str, Any] = json.loads(again.stdout)
    assert (noted["why"], noted["until"]) == ("second", None)
    assert "fargate-workers:paused-until" not in tags_of(world)


def test_status_names_who_enabled_a_paused_mapping(world: World, mapping: str) -> None:
    run("pause", "dev", "Receipts", "--why", "x")
    world.functions.update(UUID=mapping, Enabled=True)

    ended = run("status", "dev", "Receipts")

    assert ended.exit_code == 1
    assert "changed while paused" in ended.stdout
    assert "changed its event source mapping is enabled again" in ended.stdout


def test_what_somebody_has_disabled_by_hand_is_not_taken_for_a_pause(world: World, mapping: str) -> None:
    world.functions.update(UUID=mapping, Enabled=False)

    paused, resumed = run("pause", "dev", "Receipts", "--why", "x"), run("resume", "dev", "Receipts")

    assert (paused.exit_code, resumed.exit_code) == (2, 2)
    assert "is disabled already" in " ".join(paused.output.split())
    assert "is not paused" in " ".join(resumed.output.split())
    assert world.functions.mappings[mapping]["State"] == "Disabled"


@pytest.mark.usefixtures("mapping")
def test_draining_waits_for_the_queue(world: World) -> None:
    receipts = world.queues("Receipts")
    receipts.sqs.send_message(QueueUrl=receipts.url, MessageBody="{}")

    ended = run("drain", "dev", "Receipts", "--why", "x", "--within", "0s")

    assert ended.exit_code == 1, ended.output
    assert "1 message of Receipts is left" in ended.stdout
    assert not [name for name in tags_of(world) if "paused" in name]


@pytest.mark.usefixtures("mapping")
def test_its_dead_letters_are_its_queues(world: World) -> None:
    receipts = world.queues("Receipts")
    receipts.die(1)

    listed = run("dead-letters", "list", "dev", "Receipts")
    replayed = run("dead-letters", "replay", "dev", "Receipts", "--all")

    assert "Receipts: 1 dead letter." in listed.stdout
    assert replayed.exit_code == 0, replayed.output
    assert receipts.bodies(receipts.url) == [1]


@pytest.mark.usefixtures("mapping")
@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("scale", "dev", "Receipts", "--min", "2", "--for", "1h"), "Receipts is a function; Lambda scales it"),
        (("rollback", "dev", "Receipts"), "Receipts is a function; deploy the image that it had before"),
    ],
)
def test_what_only_a_service_can_do_is_refused_in_a_sentence(
    world: World, command: tuple[str, ...], sentence: str
) -> None:
    del world
    ended = run(*command)

    assert ended.exit_code == 2
    assert sentence in " ".join(ended.output.split())


@pytest.mark.usefixtures("mapping")
def test_doctor_and_tail_know_it(world: World) -> None:
    del world
    examined, lines = run("doctor", "dev", "--all"), run("tail", "dev", "Receipts")

    assert "Receipts: Its event source mapping is Enabled." in examined.stdout
    assert lines.exit_code == 0, lines.output
