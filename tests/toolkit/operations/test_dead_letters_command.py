"""`fargate-workers dead-letters`: what is printed, what is asked, and how it ends."""

import json
import shlex
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from tests.toolkit.operations.world import World


def run(*arguments: str, input: str | None = None, columns: int = 80) -> Result:
    return CliRunner(env={"COLUMNS": str(columns), "TZ": "UTC"}).invoke(app, ["dead-letters", *arguments], input=input)


def test_letters_of_all_workers_are_counted_by_reason(world: World) -> None:
    orders = world.queues("Orders")
    for number in range(12):
        orders.die(number)
    orders.die(1, reason="timeout")

    ended = run("list", "dev")

    assert ended.exit_code == 1
    assert "Orders: 13 dead letters." in ended.stdout
    assert "schema: /amount" in ended.stdout
    assert "Refunds: no dead letters." in ended.stdout
    assert orders.hidden(orders.dead_letter_url) == 0


def test_a_phone_gets_a_list_instead_of_a_table(world: World) -> None:
    world.queues("Orders").die(1, reason="a reason that is longer than the screen of a phone is wide")

    narrow = run("list", "dev", "Orders", columns=40)

    # A command is copied, and therefore not broken.
    *lines, command = narrow.stdout.splitlines()
    assert max(map(len, lines)) <= 40
    assert command.startswith("Look at some: fargate-workers dead-letters show dev Orders --where ")


def test_no_letters_are_no_trouble(world: World) -> None:
    assert run("list", "dev").exit_code == 0


def test_json_has_groups_and_moments(world: World) -> None:
    world.queues("Orders").die(1)

    (result,) = json.loads(run("list", "dev", "Orders", "--json").stdout)

    assert (result["worker"], result["letters"], result["seen"]) == ("dev-W/Orders", 1, 1)
    assert result["groups"][0]["reason"] == "schema: /amount"
    assert result["groups"][0]["first"] > 0


def test_a_letter_is_shown_without_its_values_unless_they_are_asked_for(world: World) -> None:
    world.queues("Orders").die(7)

    masked, whole = run("show", "dev", "Orders"), run("show", "dev", "Orders", "--values")

    assert '{"order": "number", "amount": "number"}' in masked.stdout
    assert '{"order": 7, "amount": 2}' not in masked.stdout
    assert '{"order": 7, "amount": 2}' in whole.stdout
    assert "attribute tenant tenant-1" in masked.stdout


def test_a_replay_says_what_it_did(world: World) -> None:
    orders = world.queues("Orders")
    for number in range(4):
        orders.die(number)

    ended = run("replay", "dev", "Orders", "--where", "body.order >= 2", "--rate", "300")

    assert ended.exit_code == 0, ended.stderr
    assert "Replayed 2 letters of Orders-dead to Orders." in ended.stdout
    assert "2 other letters stayed." in ended.stdout
    assert sorted(orders.bodies(orders.url)) == [2, 3]


def test_a_replay_of_everything_is_asked_for_by_name(world: World) -> None:
    ended = run("replay", "dev", "Orders")

    assert ended.exit_code == 2
    assert ended.stderr == "Name the letters with --where or --id, or say --all.\n"


def test_a_dry_run_changes_nothing(world: World) -> None:
    orders = world.queues("Orders")
    for number in range(4):
        orders.die(number)

    ended = run("replay", "dev", "Orders", "--all", "--dry-run")

    assert "4 letters of Orders-dead would return to Orders, in about 4 s." in ended.stdout
    assert orders.bodies(orders.url) == []
    assert len(orders.bodies(orders.dead_letter_url)) == 4


@pytest.mark.parametrize("arguments", [["replay", "--all"], ["purge", "--where", "body.order >= 0"]])
def test_production_is_asked_for_and_without_a_person_refused(world: World, arguments: list[str]) -> None:
    orders = world.queues("prod-Orders")
    orders.die(1)
    command, *choice = arguments

    ended = run(command, "prod", "Orders", *choice)

    assert ended.exit_code == 2
    assert "prod is production, and nobody can be asked here; add --yes." in ended.stderr
    assert "1 letter of prod-Orders-dead would" in ended.stderr
    assert orders.bodies(orders.dead_letter_url) == [1]


def test_production_is_changed_with_yes(world: World) -> None:
    orders = world.queues("prod-Orders")
    orders.die(1)

    ended = run("replay", "prod", "Orders", "--all", "--yes")

    assert ended.exit_code == 0
    assert "prod: replay every letter of prod-Orders-dead to prod-Orders, at most 5 a second." in ended.stderr
    assert orders.bodies(orders.url) == [1]


def test_a_purge_names_its_copies(world: World) -> None:
    orders = world.queues("Orders")
    for number in range(3):
        orders.die(number)

    ended = run("purge", "dev", "Orders", "--where", "body.order == 1", "--json")
    done: dict[str, Any] = json.loads(ended.stdout)

    assert (done["deleted"], done["left"]) == (1, 2)
    assert str(world.folder / "state") in done["journal"]
    assert sorted(orders.bodies(orders.dead_letter_url)) == [0, 2]


def test_a_slip_in_a_filter_is_found_before_aws_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = run("list", "nowhere", "--where", "reason = 1")

    assert ended.exit_code == 2
    assert ended.stderr == "--where, at position 8: “=” is not expected here; write “==”.\n"


def test_a_redrive_by_sqs_takes_no_filter(world: World) -> None:
    ended = run("replay", "dev", "Orders", "--by-sqs", "--where", "age < 2h")

    assert ended.exit_code == 2
    assert "SQS moves all letters or none" in ended.stderr


def test_a_redrive_by_sqs_needs_the_function(world: World) -> None:
    ended = run("replay", "dev", "Orders", "--by-sqs", "--all")

    assert ended.exit_code == 2
    assert "No redrive function of dev knows Orders" in ended.stderr


def test_the_letters_that_are_meant_are_named_in_words(world: World) -> None:
    for options, meant in (
        (("--all",), "every letter"),
        (("--all", "--limit", "1"), "at most 1 letter"),
        (("--where", "age > 1s", "--limit", "20"), "at most 20 letters with age > 1s"),
        (("--where", "age > 1s", "--id", "a", "--id", "b"), "the letters with the id a or b and age > 1s"),
    ):
        ended = run("replay", "dev", "Orders", *options)

        assert f"dev: replay {meant} of Orders-dead to Orders" in ended.stderr


def test_a_fact_that_is_longer_than_the_screen_goes_on_further_in(world: World) -> None:
    world.queues("Orders").die(1, reason="a reason that is longer than the screen of a phone is wide")

    lines = run("show", "dev", "Orders", columns=40).stdout.splitlines()

    reason = next(number for number, line in enumerate(lines) if line.startswith("  reason "))
    assert lines[reason + 1].startswith("    ")
    assert max(map(len, lines[:-1])) <= 40


def test_each_command_prints_the_next_one_as_it_is_typed(world: World) -> None:
    orders = world.queues("Orders")
    orders.die(1, reason='it says "no"')
    for number in (2, 3):
        orders.die(number, reason="timeout")

    listed = run("list", "dev", "Orders", "--where", "age < 1h and reason != 'timeout'").stdout.splitlines()
    by_reason = run("list", "dev", "Orders").stdout.splitlines()[-1]
    shown = run(*shlex.split(listed[-1])[5:]).stdout.splitlines()
    replayed = run(*shlex.split(shown[-1].partition("fargate-workers dead-letters ")[2]))

    assert by_reason.endswith("show dev Orders --where 'reason == \"timeout\"'")
    assert "Replayed 1 letter of Orders-dead to Orders." in replayed.stdout, replayed.output
