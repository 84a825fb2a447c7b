"""The log of a worker across its tasks, and what became of one message."""

import hashlib
import json
import time
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.operations.messages import Wanted, follow_lines
from fargate_workers_toolkit.operations.places import Aws, find_place
from tests.toolkit.operations.letters import MovedClock
from tests.toolkit.operations.world import World

GROUP = "dev-Orders-logs"


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "80", "TZ": "UTC"}).invoke(app, ["tail", *arguments])


def write(world: World, task: str, *lines: Any) -> None:
    logs = world.client("logs")
    stream = f"Orders/worker/{task}"
    known = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=stream)["logStreams"]
    if not known:
        logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    now = int(time.time() * 1_000)
    events = [
        {"timestamp": now, "message": line if isinstance(line, str) else json.dumps({"worker": "dev-W/Orders", **line})}
        for line in lines
    ]
    logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def test_lines_of_all_tasks_are_shown_without_metrics(world: World) -> None:
    write(world, "aaaaaaaa-1", {"level": "info", "event": "started", "concurrency": 10}, {"_aws": {}, "Lag": 1})
    write(world, "bbbbbbbb-2", {"level": "warning", "event": "poison", "reason": "not JSON"}, "a line of another kind")

    ended = run("dev", "Orders")

    assert ended.exit_code == 0, ended.output
    assert "started concurrency=10 task=aaaaaaaa" in ended.stdout
    assert "warning poison reason=not JSON task=bbbbbbbb" in ended.stdout
    assert "a line of another kind" in ended.stdout
    assert "_aws" not in ended.stdout


def test_the_stream_of_a_function_is_named_without_its_version(world: World) -> None:
    logs, stream = world.client("logs"), "2026/11/30/[$LATEST]d335f4a7cce146f990bc4b15f3e8df97"
    logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    logs.put_log_events(
        logGroupName=GROUP,
        logStreamName=stream,
        logEvents=[{"timestamp": int(time.time() * 1_000), "message": "REPORT RequestId: 1\tDuration: 77 ms"}],
    )

    assert "REPORT RequestId: 1 Duration: 77 ms task=d335f4a7" in run("dev", "Orders").stdout


def test_levels_below_are_left_out(world: World) -> None:
    write(world, "aaaaaaaa-1", {"level": "info", "event": "started"}, {"level": "error", "event": "handler_failed"})

    ended = run("dev", "Orders", "--level", "warning")

    assert "handler_failed" in ended.stdout
    assert "started" not in ended.stdout


def test_the_story_of_a_message_runs_across_tasks_and_ends_among_the_dead_letters(world: World) -> None:
    write(world, "aaaaaaaa-1", {"level": "error", "event": "handler_failed", "message_id": "before-3", "attempt": 1})
    write(world, "bbbbbbbb-2", {"level": "warning", "event": "poison", "message_id": "before-3", "reason": "schema"})
    write(world, "bbbbbbbb-2", {"level": "warning", "event": "poison", "message_id": "another"})
    world.queues("Orders").die(3)

    ended = run("dev", "Orders", "--message", "before-3")

    assert ended.exit_code == 0, ended.output
    assert "task=aaaaaaaa" in ended.stdout
    assert "task=bbbbbbbb" in ended.stdout
    assert "another" not in ended.stdout
    assert "It is dead: schema: /amount." in ended.stdout
    assert world.queues("Orders").hidden(world.queues("Orders").dead_letter_url) == 0


def test_a_key_is_looked_for_in_bodies_too(world: World) -> None:
    world.queues("Orders").die(3)

    story = json.loads(run("dev", "Orders", "--key", '"order": 3', "--json").stdout)

    assert story["dead_letter"]["reason"] == "schema: /amount"


def test_a_message_that_failed_and_was_handled_later_has_its_whole_story(world: World) -> None:
    of = {"message_id": "m-1", "receive_count": 1}
    failed = {"attempt": 1, "error": "TimeoutError", "sent_at": "2026-01-01T06:25:00.000Z"}
    write(world, "aaaaaaaa-1", {"level": "error", "event": "handler_failed", **of, **failed})
    write(world, "aaaaaaaa-1", {"level": "info", "event": "released", "message_id": "m-1", "seconds": 8})
    write(world, "bbbbbbbb-2", {"level": "info", "event": "begins_again", **of, "receive_count": 2, "attempt": 2})
    write(world, "bbbbbbbb-2", {"level": "info", "event": "handled", **of, "receive_count": 2})

    ended = run("dev", "Orders", "--message", "m-1")

    assert ended.exit_code == 0, ended.output
    steps = ("06:25:00.000Z sent", "handler_failed", "released", "begins_again", "handled", "It is done: delivery 2")
    places = [ended.stdout.index(step) for step in steps]
    assert places == sorted(places)
    assert "error=TimeoutError" in ended.stdout


@pytest.mark.parametrize("asked", ["first", "letter", "again"])
def test_the_story_goes_on_through_a_replay_by_any_of_its_ids(world: World, asked: str) -> None:
    write(world, "aaaaaaaa-1", {"level": "warning", "event": "poison", "message_id": "before-3", "reason": "schema"})
    letter = world.queues("Orders").die(3)
    ids = {"first": "before-3", "letter": letter, "again": "again-3"}
    if asked != "letter":  # replayed, and gone from the dead letters
        world.client("sqs").purge_queue(QueueUrl=world.queues("Orders").dead_letter_url)
        line = {"message_id": "again-3", "replay_of": "before-3", "receive_count": 1}
        write(world, "cccccccc-3", {"level": "info", "event": "handled", **line})

    ended = run("dev", "Orders", "--message", ids[asked])

    assert "poison" in ended.stdout
    assert ("It is dead" if asked == "letter" else "It is done: delivery 1") in ended.stdout


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        ("begins_again", "Its attempt 2 is under way, or its process died in it."),
        ("handler_failed", "It is not done: its attempt 2 failed, and it will be delivered again."),
        ("poison", "It died (schema), and is no longer among the dead letters: it was replayed, or deleted."),
        ("duplicate", "It is done: its key was done before."),
        ("order_exists", "It is not among the dead letters, and no line names its end."),
    ],
)
def test_the_last_line_tells_where_the_message_is(world: World, event: str, sentence: str) -> None:
    write(world, "aaaaaaaa-1", {"event": event, "message_id": "m-1", "attempt": 2, "reason": "schema"})

    ended = run("dev", "Orders", "--message", "m-1")

    assert sentence in ended.stdout.replace(" \n", " ")


def test_a_key_is_found_by_the_digest_that_workers_log(world: World) -> None:
    digest = f"sha256:{hashlib.sha256(b'order-7').hexdigest()[:16]}"
    write(world, "aaaaaaaa-1", {"event": "handler_failed", "message_id": "m-1", "key": digest})
    write(world, "aaaaaaaa-1", {"event": "handler_failed", "message_id": "m-2", "key": "sha256:another"})
    write(world, "bbbbbbbb-2", {"event": "handled", "message_id": "m-3", "key": "order-7"})

    ended = run("dev", "Orders", "--key", "order-7")

    assert "m-1" in ended.stdout
    assert "m-2" not in ended.stdout
    assert "m-3" in ended.stdout


def test_a_message_of_which_nothing_is_known_is_trouble(world: World) -> None:
    ended = run("dev", "Orders", "--message", "nobody")

    assert ended.exit_code == 1
    assert "No log line, no claim and no dead letter has it" in ended.stdout.replace(" \n", " ")
    assert "--since looks further back" in ended.stdout


def test_following_shows_each_line_once(world: World) -> None:
    write(world, "aaaaaaaa-1", {"level": "info", "event": "first"})
    aws = Aws(find_place("dev", folder=world.folder))

    class Writing(MovedClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            write(world, "aaaaaaaa-1", {"level": "info", "event": f"after-{len(self.slept)}"})

    lines = follow_lines(aws, GROUP, Wanted(since=time.time() - 60), clock=Writing())

    assert [next(lines).event for _ in range(4)] == ["first", "after-1", "after-2", "after-3"]


def test_a_level_that_is_none_is_refused(world: World) -> None:
    assert run("dev", "Orders", "--level", "loud").exit_code == 2
