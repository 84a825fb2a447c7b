"""The operations of someone on call, on the embedded AWS with real workers: the same commands as on AWS.

They are typed as on a page; what a command or a mail says is to be typed next is typed as it stands.
"""

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fargate_workers_toolkit import local
from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.console.progress import Progress
from fargate_workers_toolkit.local import lifecycle
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.workspace import Workspace
from fargate_workers_toolkit.operations import dead_letters_of
from fargate_workers_toolkit.operations.dead_letters import Choice, Filter, Groups, passing, replay
from fargate_workers_toolkit.operations.places import Aws, Place
from fargate_workers_toolkit.operations.sources import DeadLetterStore, open_source
from fargate_workers_toolkit.operations.state import read_states
from fargate_workers_toolkit.operations.workers import Worker, find_worker, find_workers, service_of
from tests.end_to_end.local.conftest import SELECTION
from tests.end_to_end.local.operated import (
    CLOCK,
    command_in,
    deploy_with_largest_message,
    deploy_with_most_tasks,
    eventually,
    eventually_typed,
    first_command,
    history,
    is_applied,
    is_on_the_page,
    mail_of_dead_letters,
    mailbox_of,
    order,
    raised,
    send,
    state_of,
    variables_of,
)

pytestmark = pytest.mark.local

ROOT = Path(__file__).parents[3]
Typed = Callable[[str], Result]


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return Workspace(ROOT, name="test-operations", assembly_name="test-operations.out")


@pytest.fixture(scope="module")
def aws(workspace: Workspace, progress: Progress) -> Iterator[EmbeddedAws]:
    """A system of these tests' own: the folder's other one is fed, checked and stopped by its scenario."""
    lifecycle.down(workspace, progress=progress)
    yield lifecycle.up(workspace, progress=progress, selection=SELECTION, owned=True)
    lifecycle.down(workspace, progress=progress)
    shutil.rmtree(workspace.assembly, ignore_errors=True)


@pytest.fixture(scope="module")
def operated(aws: EmbeddedAws) -> Aws:
    return Aws(
        Place(
            environment="local",
            account=aws.account,
            region=aws.region,
            production=False,
            named_by="the test",
            endpoint=aws.endpoint,
        )
    )


@pytest.fixture
def orders(operated: Aws) -> Worker:
    return find_worker(operated, "ApplyOrders")


@pytest.fixture
def letters(operated: Aws, orders: Worker) -> Iterator[DeadLetterStore]:
    """Thirty letters: twenty that no schema takes, ten that are no JSON."""
    store = dead_letters_of(operated, orders)
    bodies = ["no JSON" if number % 3 == 0 else json.dumps({"nonsense": number}) for number in range(30)]
    send(operated, orders, bodies)
    eventually(lambda: store.depth().total == 30)
    yield store
    operated.client("sqs").purge_queue(QueueUrl=variables_of(operated, orders)["DEAD_LETTER_QUEUE_URL"])


@pytest.fixture
def typed(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Typed:
    """Types a command, as it stands in a mail or on a page."""
    monkeypatch.setattr(local, "running", lambda _workspace: aws, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def run(command: str) -> Result:
        program, *arguments = shlex.split(command)
        assert program == "fargate-workers"
        assert re.search(r"<\w+>", command) is None, "a placeholder"
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, arguments)

    return run


def test_workers_are_found_by_their_tags(operated: Aws) -> None:
    workers = find_workers(operated)

    assert [worker.name for worker in workers] == ["local-Workers/ApplyOrders", "local-Workers/ImportOrders"]
    assert all({"DeadLetters", "OldestMessageTooOld", "HandlerFailing"} <= set(worker.alarms) for worker in workers)


def test_the_state_of_workers_is_read_whole(operated: Aws) -> None:
    states = read_states(operated, find_workers(operated), clock=CLOCK)

    assert [state.unknown for state in states] == [[], []]
    assert all(state.acceptable_seconds == 900 for state in states)


def test_looking_at_letters_a_hundred_times_raises_no_alarm(
    operated: Aws, orders: Worker, letters: DeadLetterStore
) -> None:
    eventually(lambda: "DeadLetters" in [alarm.role for alarm in state_of(operated, orders).alarms])
    eventually(lambda: "DeadLettersRising" not in [alarm.role for alarm in state_of(operated, orders).alarms])
    before = {role: history(operated, orders, role) for role in ("DeadLetters", "DeadLettersRising")}

    for _ in range(100):
        groups = Groups()
        with passing(letters) as (state, found):
            for letter in found:
                groups.add(letter)
        assert state.complete
        assert [(group.reason, group.count) for group in groups.largest_first] == [
            ("schema: /required", 20),
            ("not JSON", 10),
        ]

    assert letters.depth().in_flight == 0
    assert {role: history(operated, orders, role) for role in before} == before


def test_letters_that_are_replayed_too_early_come_back_and_stop_the_replay(
    letters: DeadLetterStore, tmp_path: Path
) -> None:
    choice = Choice(where=Filter.parse('reason == "not JSON"'))

    done = replay(letters, choice, rate=5, folder=tmp_path, clock=CLOCK)

    assert done.sent <= 10
    eventually(lambda: letters.depth().total == 30)


def test_three_commands_lead_from_an_alarms_mail_to_the_letters_that_matter(
    operated: Aws, orders: Worker, typed: Typed
) -> None:
    eventually(lambda: not raised(operated, "ApplyOrdersDeadLetters"))
    mailbox = mailbox_of(operated, orders)
    # Three orders die because the table has others in their places; twenty messages can never succeed.
    table = variables_of(operated, orders)["ORDERS_TABLE_NAME"]
    keys = [{"order_id": {"S": f"matters-{number}"}} for number in range(3)]
    for key in keys:
        operated.client("dynamodb").put_item(TableName=table, Item={**key, "customer_id": {"S": "nobody"}})
    bodies = [order(number, name="matters") for number in range(3)]
    send(operated, orders, [*bodies, *(json.dumps({"nonsense": number}) for number in range(20))])
    store = dead_letters_of(operated, orders)
    eventually(lambda: store.depth().total == 23)

    mail = mail_of_dead_letters(mailbox)
    listed = typed(first_command(mail))
    assert "order exists with other content" in listed.stdout, listed.output
    for key in keys:  # the cause
        operated.client("dynamodb").delete_item(TableName=table, Key=key)
    replayed = typed("fargate-workers dead-letters replay local ApplyOrders --where 'reason == \"order exists*\"'")
    assert replayed.exit_code == 0, replayed.output
    assert "Replayed 3 letters" in replayed.stdout

    eventually(lambda: all(is_applied(operated, table, key) for key in keys))
    assert store.depth().total == 20
    # A worker writes a replayed message's end into the log, which arrives a little later than the effect.
    eventually_typed(lambda: "It is done" in typed("fargate-workers tail local ApplyOrders --key matters-0").stdout)
    told = typed("fargate-workers tail local ApplyOrders --key matters-0").stdout
    steps = [told.index(step) for step in ("poison", "begins_again", "handled")]
    assert steps == sorted(steps)
    operated.client("sqs").purge_queue(QueueUrl=variables_of(operated, orders)["DEAD_LETTER_QUEUE_URL"])


def test_a_paused_worker_stays_so_through_a_deployment_and_loses_nothing(
    operated: Aws, orders: Worker, typed: Typed
) -> None:
    paused = typed("fargate-workers pause local ApplyOrders --why 'a look at it' --for 2h")
    assert is_on_the_page(paused.output), paused.output
    try:
        eventually(lambda: service_of(operated, orders).running == 0)
        source = open_source(operated, variables_of(operated, orders), worker="ApplyOrders")
        send(operated, orders, [order(number) for number in range(50)])
        deploy_with_most_tasks(operated, 3)
        # What would wake it has been raised, and changed nothing.
        eventually(lambda: raised(operated, "ApplyOrdersScaleOut"))

        state = state_of(operated, find_worker(operated, "ApplyOrders"))
        assert (state.service.desired, state.service.running) == (0, 0)
        assert source.depth().total == 50
        assert state.pause is not None
        assert "its bounds are 0 to 3 again: a deployment has set them since" in state.changes
    finally:
        resumed = typed(command_in(paused.stdout))
    assert "ApplyOrders is resumed: 0 to 3 tasks" in resumed.stdout, resumed.output
    eventually(lambda: source.depth().total == 0)
    assert (find_worker(operated, "ApplyOrders").scaling.max_tasks) == 3
    deploy_with_most_tasks(operated, 4)


def test_what_is_wrong_is_found_and_counted(letters: DeadLetterStore, typed: Typed) -> None:
    examined = typed("fargate-workers doctor local")
    state = json.loads(typed("fargate-workers status local ApplyOrders --json").stdout)
    checks = json.loads(typed("fargate-workers doctor local --all --json").stdout)

    assert typed("fargate-workers status local").exit_code == 1
    assert [(each["worker"], each["dead_letters"]) for each in state] == [("local-Workers/ApplyOrders", 30)]
    assert examined.exit_code == 1
    # What cannot be asked would be as bad as what is wrong.
    assert {each["verdict"] for check in checks for each in check["findings"]} == {"well", "trouble"}
    todo = next(line for line in examined.stdout.splitlines() if "dead-letters list" in line)
    listed = typed(command_in(todo))
    assert listed.exit_code == 1
    assert "ApplyOrders: 30 dead letters." in listed.stdout
    assert is_on_the_page(listed.stdout), listed.stdout


def test_letters_are_looked_at_and_those_that_are_hopeless_deleted(
    operated: Aws, letters: DeadLetterStore, typed: Typed, tmp_path: Path
) -> None:
    (filtered,) = json.loads(
        typed("""fargate-workers dead-letters list local ApplyOrders --where 'reason == "not JSON"' --json""").stdout
    )
    shown = json.loads(
        typed(
            "fargate-workers dead-letters show local ApplyOrders --where 'body.nonsense > 0' --limit 2 --values --json"
        ).stdout
    )
    one, two = shown
    again = typed(f"fargate-workers dead-letters show local ApplyOrders --id {one['id']}")
    counted = typed(f"fargate-workers dead-letters purge local ApplyOrders --id {one['id']} --dry-run")
    deleted = typed(
        f"fargate-workers dead-letters purge local ApplyOrders --id {one['id']} --id {two['original_id']} "
        f"--journal {tmp_path} --json"
    )

    assert (filtered["letters"], filtered["seen"]) == (10, 30)
    assert all(json.loads(each["body"])["nonsense"] > 0 for each in shown)
    assert "body {" in again.stdout
    assert "1 letter of" in counted.stdout
    assert json.loads(deleted.stdout)["deleted"] == 2
    copies = "".join(file.read_text() for file in tmp_path.rglob("*.jsonl"))
    assert all(each["id"] in copies for each in shown)
    assert letters.depth().total == 28

    rest = typed("fargate-workers dead-letters purge local ApplyOrders --where 'reason == \"schema*\"' --limit 17")
    assert "Deleted 17 letters" in rest.stdout
    assert letters.depth().total == 11


def test_letters_return_by_a_replay_of_some_or_by_sqs(
    operated: Aws, letters: DeadLetterStore, typed: Typed, tmp_path: Path
) -> None:
    planned = json.loads(typed("fargate-workers dead-letters replay local ApplyOrders --all --dry-run --json").stdout)
    with passing(letters) as (_, found):
        one = next(iter(found))
    named = typed(f"fargate-workers dead-letters replay local ApplyOrders --id {one.id} --dry-run")
    sent = typed(f"fargate-workers dead-letters replay local ApplyOrders --all --limit 1 --rate 5 --journal {tmp_path}")
    started = typed("fargate-workers dead-letters replay local ApplyOrders --all --by-sqs --rate 100")

    assert planned["would_replay"] == 30
    assert named.stdout.startswith("1 letter of "), named.output
    assert "Replayed 1 letter" in sent.stdout, sent.output
    assert "is RUNNING" in started.stdout, started.output
    moving = "fargate-workers dead-letters replay local ApplyOrders --all --by-sqs --dry-run --json"
    eventually_typed(lambda: json.loads(typed(moving).stdout)["status"] == "COMPLETED")


def test_the_log_is_read_by_level_text_and_message(
    operated: Aws, orders: Worker, letters: DeadLetterStore, typed: Typed
) -> None:
    with passing(letters) as (_, found):
        letter = next(iter(found))
    told = typed(f"fargate-workers tail local ApplyOrders --message {letter.original_id} --since 1h --json")
    eventually_typed(
        lambda: (
            letter.original_id
            in typed(
                f"fargate-workers tail local ApplyOrders --level warning --text {letter.original_id} --since 1h"
            ).stdout
        )
    )

    story = json.loads(told.stdout)
    assert story["dead_letter"]["id"] == letter.id
    assert story["ending"].startswith("It is dead: ")


def test_a_muted_alarm_is_raised_and_calls_nobody(operated: Aws, orders: Worker, typed: Typed) -> None:
    eventually(lambda: not raised(operated, "ApplyOrdersDeadLetters"))
    mailbox = mailbox_of(operated, orders, name="muted")
    muted = typed(
        "fargate-workers mute local ApplyOrders --alarm DeadLetters --alarm DeadLettersRising --for 2h --why x --json"
    )
    assert len(json.loads(muted.stdout)["rules"]) == 1
    cloudwatch = operated.client("cloudwatch")
    eventually(lambda: bool(cloudwatch.list_alarm_mute_rules(Statuses=["ACTIVE"])["AlarmMuteRuleSummaries"]))

    send(operated, orders, ["no JSON"])
    eventually(lambda: raised(operated, "ApplyOrdersDeadLetters"))
    state = typed("fargate-workers status local ApplyOrders")

    assert "alarm DeadLetters since" in state.stdout
    assert ", muted" in state.stdout
    assert state.stdout.startswith("✗ ApplyOrders: dead letters.")
    assert mailbox.wait_for(lambda each: "ApplyOrdersDeadLetters" in str(each.get("AlarmName")), within=0) is None
    # The command that `mute` names at its end.
    again = typed("fargate-workers mute local ApplyOrders --alarm DeadLetters --for 1h --why y")
    assert command_in(again.stdout) == "fargate-workers unmute local ApplyOrders"
    ended = json.loads(typed("fargate-workers unmute local ApplyOrders --json").stdout)
    assert {each["why"] for each in ended["ended"]} == {"x", "y"}
    assert all(each["by"] and each["end"] for each in ended["ended"])
    assert ended["still_muted"] == []
    assert not cloudwatch.list_alarm_mute_rules(Statuses=["ACTIVE", "SCHEDULED"])["AlarmMuteRuleSummaries"]
    nothing = typed("fargate-workers unmute local ApplyOrders")
    assert (nothing.exit_code, nothing.stdout) == (1, "No mute of ApplyOrders was made by a command.\n")
    operated.client("sqs").purge_queue(QueueUrl=variables_of(operated, orders)["DEAD_LETTER_QUEUE_URL"])


def test_alerts_are_tried(operated: Aws, orders: Worker, typed: Typed) -> None:
    eventually(lambda: not raised(operated, "ApplyOrdersOutcomesGivenUp"))
    mailbox = mailbox_of(operated, orders)

    tried = typed("fargate-workers alerts test local ApplyOrders --alarm OutcomesGivenUp")
    canary = json.loads(typed("fargate-workers alerts test local --canary --json").stdout)

    assert tried.stdout.startswith("Tried 1 alarm.")
    # Locally nobody is to be called.
    assert "✗ Nobody hears these alarms." in tried.stdout
    assert (len(canary["sent"]), canary["heard_by"]) == (1, [])
    assert mailbox.wait_for(lambda each: "ApplyOrdersOutcomesGivenUp" in str(each.get("AlarmName")), within=60)
    assert mailbox.wait_for(lambda each: "test" in str(each).lower() and "AlarmName" not in each, within=60)


def test_an_empty_queue_is_drained_and_its_worker_resumed_with_more_tasks(operated: Aws, typed: Typed) -> None:
    drained = typed("fargate-workers drain local ImportOrders --why 'no files today' --within 2m --for 1h --json")
    assert json.loads(drained.stdout)["paused"] is True, drained.output
    assert "no files today" in typed("fargate-workers status local ImportOrders").stdout

    resumed = json.loads(typed("fargate-workers resume local ImportOrders --json").stdout)
    assert (resumed["paused"], resumed["why"]) == (False, "no files today")

    scaled = json.loads(typed("fargate-workers scale local ImportOrders --min 1 --for 1h --json").stdout)
    assert (scaled["worker"], scaled["min_tasks"]) == ("local-Workers/ImportOrders", 1)
    assert find_worker(operated, "ImportOrders").scaling.min_tasks == 1


def test_tasks_run_now(operated: Aws, typed: Typed) -> None:
    s3 = operated.client("s3")
    (bucket,) = [each["Name"] for each in s3.list_buckets()["Buckets"] if "orderfiles" in each["Name"]]
    s3.put_object(Bucket=bucket, Key="bulk/today.csv", Body=b"order_id,customer_id,amount_cents,currency\n")

    report = json.loads(typed("fargate-workers run local HourlyReport --json").stdout)
    started = typed(f"fargate-workers run local ImportBulk --object s3://{bucket}/bulk/today.csv")

    assert "ImportBulk starts for s3://" in started.stdout, started.output
    cluster = report["task"].split("/")[1]

    def ended_well() -> bool:
        (task,) = operated.client("ecs").describe_tasks(cluster=cluster, tasks=[report["task"]])["tasks"]
        return [each.get("exitCode") for each in task["containers"]] == [0]

    eventually(ended_well)


def test_the_account_lacks_nothing(typed: Typed) -> None:
    assert json.loads(typed("fargate-workers account local --json").stdout)["ready"] is True


def test_a_newcomer_undoes_a_poisoned_deployment_and_replays_what_it_killed(
    operated: Aws, orders: Worker, typed: Typed
) -> None:
    eventually(lambda: not raised(operated, "ApplyOrdersDeadLetters"))
    mailbox = mailbox_of(operated, orders, name="newcomer")
    table, dead = (variables_of(operated, orders)[name] for name in ("ORDERS_TABLE_NAME", "DEAD_LETTER_QUEUE_URL"))
    deploy_with_largest_message(operated, 12)
    send(operated, orders, [order(number, name="poisoned") for number in range(3)])
    store = dead_letters_of(operated, orders)
    eventually(lambda: store.depth().total == 3)
    mail = mail_of_dead_letters(mailbox)

    listed = typed(first_command(mail))
    assert "too large" in listed.stdout, listed.output
    back = typed("fargate-workers rollback local ApplyOrders")
    assert is_on_the_page(back.output), back.output
    watched = command_in(back.stdout).removesuffix("--watch") + "--json"
    eventually_typed(lambda: json.loads(typed(watched).stdout)[0]["service"]["deployment"] == "COMPLETED")
    shown = typed(command_in(listed.stdout))
    replayed = typed(command_in(shown.stdout))

    assert "Replayed 3 letters" in replayed.stdout, replayed.output
    eventually(
        lambda: all(is_applied(operated, table, {"order_id": {"S": f"poisoned-{number}"}}) for number in range(3))
    )
    revisions = json.loads(typed("fargate-workers rollback local ApplyOrders --list --json").stdout)
    (current,) = [each["number"] for each in revisions if each["current"]]
    again = typed(f"fargate-workers rollback local ApplyOrders --to {current}")
    assert again.stderr.endswith(f"ApplyOrders runs revision {current} already.\n")
    operated.client("sqs").purge_queue(QueueUrl=dead)
    deploy_with_largest_message(operated, 262_144)
