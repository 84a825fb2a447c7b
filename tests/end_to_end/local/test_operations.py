"""The operations of someone on call, on the embedded AWS with real workers: the same code as on AWS."""

import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fargate_workers_toolkit import local
from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.console.progress import Progress
from fargate_workers_toolkit.local import Mailbox, lifecycle
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.workspace import Workspace
from fargate_workers_toolkit.operations import (
    Aws,
    Choice,
    DeadLetterStore,
    Filter,
    Groups,
    Place,
    WallClock,
    Worker,
    dead_letters_of,
    find_worker,
    find_workers,
    open_source,
    passing,
    pause,
    read_states,
    redrive,
    replay,
    resume,
    service_of,
    task_settings,
)
from tests.end_to_end.local.conftest import SELECTION
from tests.patience import until

pytestmark = pytest.mark.local

ROOT = Path(__file__).parents[3]
CLOCK = WallClock()


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


def variables_of(aws: Aws, worker: Worker) -> dict[str, str]:
    return dict(task_settings(aws, service_of(aws, worker).task_definition).variables)


def send(aws: Aws, worker: Worker, bodies: list[str]) -> None:
    url = variables_of(aws, worker)["QUEUE_URL"]
    for begin in range(0, len(bodies), 10):
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies[begin : begin + 10])]
        aws.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)


def eventually(holds: Callable[[], bool]) -> None:
    until(holds, every=0.2)


def history(aws: Aws, worker: Worker, role: str) -> list[str]:
    answer = aws.client("cloudwatch").describe_alarm_history(
        AlarmName=worker.alarms[role], HistoryItemType="StateUpdate"
    )
    return [item["HistorySummary"] for item in answer["AlarmHistoryItems"]]


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


def test_sqs_redrives_all_of_it_by_the_deployed_function(
    operated: Aws, orders: Worker, letters: DeadLetterStore
) -> None:
    answer = redrive(operated, orders, "start", messages_per_second=100)

    assert answer["status"] == "RUNNING"
    eventually(lambda: redrive(operated, orders, "status")["status"] == "COMPLETED")


@pytest.fixture
def typed(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Result]:
    """Types a command, as it stands in a mail or on a page."""
    monkeypatch.setattr(local, "running", lambda _workspace: aws, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def run(command: str) -> Result:
        program, *arguments = shlex.split(command)
        assert program == "fargate-workers"
        assert "<" not in command
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, arguments)

    return run


def test_three_commands_lead_from_an_alarms_mail_to_the_letters_that_matter(
    operated: Aws, orders: Worker, typed: Callable[[str], Result]
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

    mail = mailbox.wait_for(
        lambda each: "/ApplyOrders: there are dead letters." in str(each.get("AlarmDescription")), within=60
    )
    assert mail is not None
    stack, _, rest = str(mail["AlarmDescription"]).partition("/")
    environment, worker = stack.partition("-")[0], rest.partition(":")[0]

    listed = typed(f"fargate-workers dead-letters list {environment} {worker}")
    assert "order exists with other content" in listed.stdout, listed.output
    for key in keys:  # the cause
        operated.client("dynamodb").delete_item(TableName=table, Key=key)
    replayed = typed(
        f"fargate-workers dead-letters replay {environment} {worker} --where 'reason == \"order exists*\"'"
    )
    assert replayed.exit_code == 0, replayed.output
    assert "Replayed 3 letters" in replayed.stdout

    eventually(lambda: all(is_applied(operated, table, key) for key in keys))
    assert store.depth().total == 20
    # A worker writes a replayed message's end into the log, which arrives a little later than the effect.
    eventually(lambda: "It is done" in typed(f"fargate-workers tail {environment} {worker} --key matters-0").stdout)
    told = typed(f"fargate-workers tail {environment} {worker} --key matters-0").stdout
    steps = [told.index(step) for step in ("poison", "begins_again", "handled")]
    assert steps == sorted(steps)
    operated.client("sqs").purge_queue(QueueUrl=variables_of(operated, orders)["DEAD_LETTER_QUEUE_URL"])


def test_a_paused_worker_stays_so_through_a_deployment_and_loses_nothing(operated: Aws, orders: Worker) -> None:
    pause(operated, orders, by="test", why="a look at it", until=None, clock=CLOCK)
    try:
        eventually(lambda: service_of(operated, orders).running == 0)
        source = open_source(operated, variables_of(operated, orders), worker="ApplyOrders")
        send(operated, orders, [order(number) for number in range(50)])
        deploy_with_most_tasks(operated, 3)
        # What would wake it has been raised, and changed nothing.
        eventually(lambda: raised(operated, "ApplyOrdersScaleOut"))

        paused = find_worker(operated, "ApplyOrders")
        state = state_of(operated, paused)
        assert (state.service.desired, state.service.running) == (0, 0)
        assert source.depth().total == 50
        assert state.pause is not None
        assert "its bounds are 0 to 3 again: a deployment has set them since" in state.changes
    finally:
        resume(operated, find_worker(operated, "ApplyOrders"))
    eventually(lambda: source.depth().total == 0)
    assert (find_worker(operated, "ApplyOrders").scaling.max_tasks) == 3
    deploy_with_most_tasks(operated, 4)


def order(number: int, *, name: str = "paused") -> str:
    return json.dumps({"order_id": f"{name}-{number}", "customer_id": "ada", "amount_cents": 100, "currency": "EUR"})


def is_applied(aws: Aws, table: str, key: dict[str, Any]) -> bool:
    item = aws.client("dynamodb").get_item(TableName=table, Key=key).get("Item", {})
    return item.get("customer_id") == {"S": "ada"}


def mailbox_of(aws: Aws, worker: Worker) -> Mailbox:
    """What a person's mailbox receives of a worker's alarms."""
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNames=[worker.alarms["DeadLetters"]])["MetricAlarms"]
    (topic,) = alarms[0]["AlarmActions"]
    return Mailbox(sqs=aws.client("sqs"), sns=aws.client("sns"), topic_arn=topic, name="person-on-call")


def raised(aws: Aws, part: str) -> bool:
    pages = aws.client("cloudwatch").get_paginator("describe_alarms").paginate(StateValue="ALARM")
    return any(part in alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"])


def state_of(aws: Aws, worker: Worker) -> Any:
    (state,) = read_states(aws, [worker], clock=CLOCK)
    return state


def deploy_with_most_tasks(aws: Aws, most: int) -> None:
    """Change the workers' stack as a deployment does, in the bounds of ApplyOrders alone."""
    cloudformation = aws.client("cloudformation")
    template = cloudformation.get_template(StackName="local-Workers")["TemplateBody"]
    body: dict[str, Any] = json.loads(template) if isinstance(template, str) else template
    for name, resource in body["Resources"].items():
        if resource["Type"] == "AWS::ApplicationAutoScaling::ScalableTarget" and name.startswith("ApplyOrders"):
            resource["Properties"]["MaxCapacity"] = most
    # Longer than a request takes.
    aws.client("s3").create_bucket(Bucket="deployments")
    aws.client("s3").put_object(Bucket="deployments", Key="workers.json", Body=json.dumps(body).encode())
    cloudformation.update_stack(
        StackName="local-Workers",
        TemplateURL="https://s3.amazonaws.com/deployments/workers.json",
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    eventually(
        lambda: (
            cloudformation.describe_stacks(StackName="local-Workers")["Stacks"][0]["StackStatus"] == "UPDATE_COMPLETE"
        )
    )
