"""The status of workers: a verdict first, then the numbers, on any width."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from tests.toolkit.operations.world import World


def run(*arguments: str, columns: int = 80) -> Result:
    return CliRunner(env={"COLUMNS": str(columns), "TZ": "UTC"}).invoke(app, ["status", *arguments])


def test_all_is_well(world: World) -> None:
    ended = run("dev")

    assert ended.exit_code == 0, ended.output
    assert ended.stdout.startswith("✓ 2 workers, nothing wrong.")
    assert "source SQS Orders" in ended.stdout
    assert "backlog 0 wait, 0 in flight" in ended.stdout
    assert "(bounds 1 to 10)" in ended.stdout


def test_backlog_age_rates_and_plan_are_shown(world: World) -> None:
    orders = world.queues("Orders")
    orders.sqs.send_message(QueueUrl=orders.url, MessageBody="{}")
    now = datetime.now(UTC) - timedelta(seconds=90)
    queue = [{"Name": "QueueName", "Value": "Orders"}]
    for namespace, name, dimensions, value in (
        ("AWS/SQS", "ApproximateAgeOfOldestMessage", queue, 1_000),
        ("AWS/SQS", "NumberOfMessagesSent", queue, 60),
        ("AWS/SQS", "NumberOfMessagesDeleted", queue, 45),
        ("FargateWorkers/Scaling", "DesiredTasks", [{"Name": "Worker", "Value": "dev-W/Orders"}], 7),
        ("FargateWorkers/Scaling", "BacklogSeconds", [{"Name": "Worker", "Value": "dev-W/Orders"}], 200),
    ):
        world.client("cloudwatch").put_metric_data(
            Namespace=namespace,
            MetricData=[{"MetricName": name, "Dimensions": dimensions, "Value": value, "Timestamp": now}],
        )

    ended = run("dev", "Orders")

    assert ended.exit_code == 1
    assert ended.stdout.startswith("✗ Orders: late.")
    assert "backlog 1 wait, 0 in flight" in ended.stdout
    assert "oldest 16 min 40 s of 15 min" in ended.stdout
    assert "a minute 60 arrive, 45 done" in ended.stdout
    assert "plan 7 tasks, 3 min 20 s of work wait" in ended.stdout


def test_alarms_and_dead_letters_are_trouble(world: World) -> None:
    world.queues("Orders").die(1)
    world.client("cloudwatch").set_alarm_state(
        AlarmName="dev-Orders-HandlerFailing", StateValue="ALARM", StateReason="test"
    )

    ended = run("dev", "Orders")

    assert ended.exit_code == 1
    assert ended.stdout.startswith("✗ Orders: HandlerFailing, dead letters.")
    assert "alarm HandlerFailing since" in ended.stdout
    assert "dead letters 1" in ended.stdout


def test_a_muted_alarm_is_shown_and_is_no_trouble(world: World) -> None:
    cloudwatch = world.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName="dev-Orders-HandlerFailing", StateValue="ALARM", StateReason="test")
    cloudwatch.disable_alarm_actions(AlarmNames=["dev-Orders-HandlerFailing"])

    ended = run("dev", "Orders")

    assert ended.exit_code == 0
    assert ", muted" in ended.stdout


@pytest.mark.parametrize("columns", [40, 80])
def test_no_line_is_longer_than_the_screen(world: World, columns: int) -> None:
    world.queues("Orders").die(1)

    assert max(len(line) for line in run("dev", columns=columns).stdout.splitlines()) <= columns


def test_json_has_it_all(world: World) -> None:
    orders, refunds = json.loads(run("dev", "--json").stdout)

    assert (orders["worker"], refunds["worker"]) == ("dev-W/Orders", "dev-W/Refunds")
    assert orders["depth"] == {"waiting": 0, "in_flight": 0, "oldest": None}
    assert (orders["scaling"]["min_tasks"], orders["dead_letters"], orders["troubles"]) == (1, 0, [])


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(world: World) -> None:
    orders = world.queues("Orders")
    orders.sqs.delete_queue(QueueUrl=orders.dead_letter_url)

    ended = run("dev", "Orders")

    assert "unknown dead letters: GetQueueAttributes failed with" in " ".join(ended.stdout.split())
    assert "backlog 0 wait" in ended.stdout


def test_an_environment_without_workers_is_one_sentence(world: World) -> None:
    ended = run("empty")

    assert ended.exit_code == 2
    assert ended.stderr.startswith("No worker of empty is deployed in account 123456789012 in eu-west-1")
