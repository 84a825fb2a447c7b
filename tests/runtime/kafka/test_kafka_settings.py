"""The variables of Kafka, and how they become a broker."""

from typing import Any

import pytest
from confluent_kafka import Consumer

from fargate_workers_runtime import SettingsError
from fargate_workers_runtime.brokers.kafka import KafkaSettings, TokenSigner
from fargate_workers_runtime.brokers.kafka.client_options import connection_options, consumer_options
from fargate_workers_runtime.brokers.kafka.opening import open_kafka
from fargate_workers_runtime.settings import Settings
from tests.patience import until

ARN = "arn:aws:kafka:eu-west-1:111122223333:cluster/events/1f2a-7"
LEAST = {"KAFKA_TOPIC": "orders", "KAFKA_GROUP": "apply", "KAFKA_CLUSTER_ARN": ARN}
LOOPBACK = {
    **LEAST,
    "KAFKA_CLUSTER_ARN": "",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092,localhost:9093",
    "KAFKA_AUTHENTICATION": "plaintext",
}


def test_the_defaults_are_those_documented() -> None:
    assert KafkaSettings.from_environment(LEAST) == KafkaSettings(topic="orders", group="apply", cluster_arn=ARN)
    settings = KafkaSettings(topic="orders", group="apply")
    assert (settings.authentication, settings.group_protocol, settings.start) == ("iam", "classic", "earliest")
    assert settings.ordered
    assert settings.session_timeout == 45
    assert settings.dead_letter_topic is settings.retry_topic is None


def test_every_variable_is_read() -> None:
    environment = {
        **LOOPBACK,
        "KAFKA_DEAD_LETTER_TOPIC": "orders.dead",
        "KAFKA_RETRY_TOPIC": "orders.retry",
        "KAFKA_GROUP_PROTOCOL": "consumer",
        "KAFKA_START": "latest",
        "KAFKA_ORDERED": "false",
        "KAFKA_SESSION_TIMEOUT_SECONDS": "6",
    }
    assert KafkaSettings.from_environment(environment) == KafkaSettings(
        topic="orders",
        group="apply",
        bootstrap_servers="127.0.0.1:9092,localhost:9093",
        authentication="plaintext",
        dead_letter_topic="orders.dead",
        retry_topic="orders.retry",
        group_protocol="consumer",
        start="latest",
        ordered=False,
        session_timeout=6,
    )


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"KAFKA_TOPIC": ""}, "KAFKA_TOPIC is not set"),
        ({"KAFKA_GROUP": ""}, "KAFKA_GROUP is not set"),
        ({"KAFKA_CLUSTER_ARN": ""}, "KAFKA_CLUSTER_ARN is not set"),
        ({"KAFKA_GROUP": "a:b"}, "leave out the colon"),
        ({"KAFKA_AUTHENTICATION": "scram"}, "one of iam, tls, plaintext"),
        ({"KAFKA_AUTHENTICATION": "plaintext"}, "loopback only"),
        ({"KAFKA_AUTHENTICATION": "plaintext", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1,10.0.0.1:1"}, "loopback only"),
        ({"KAFKA_GROUP_PROTOCOL": "static"}, "one of classic, consumer"),
        ({"KAFKA_START": "newest"}, "one of earliest, latest"),
        ({"KAFKA_ORDERED": "no"}, "one of true, false"),
        ({"KAFKA_DEAD_LETTER_TOPIC": "orders"}, "names of their own"),
        ({"KAFKA_DEAD_LETTER_TOPIC": "x", "KAFKA_RETRY_TOPIC": "x"}, "names of their own"),
        ({"KAFKA_SESSION_TIMEOUT_SECONDS": "0"}, "from 1 to 300"),
    ],
)
def test_what_is_wrong_is_one_sentence(changed: dict[str, str], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint) as caught:
        KafkaSettings.from_environment({**LEAST, **changed})
    assert "\n" not in str(caught.value)


def test_the_kind_of_the_broker_needs_no_queue() -> None:
    settings = Settings.from_environment({"WORKER_NAME": "Apply", "BROKER": "kafka"})
    assert (settings.broker, settings.queue_url) == ("kafka", "")


# Bootstrap servers


class Msk:
    def __init__(self, **answer: str) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.regions: list[str] = []

    def __call__(self, region: str) -> "Msk":
        self.regions.append(region)
        return self

    def get_bootstrap_brokers(self, *, ClusterArn: str) -> dict[str, str]:  # noqa: N803
        self.asked.append(ClusterArn)
        return self.answer


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[KafkaSettings, str, dict[str, Any]]]:
    made: list[tuple[KafkaSettings, str, dict[str, Any]]] = []
    monkeypatch.setattr(
        "fargate_workers_runtime.brokers.kafka.opening.KafkaBroker",
        lambda settings, servers, **options: made.append((settings, servers, options)),
    )
    return made


@pytest.mark.parametrize(("authentication", "name"), [("iam", "SaslIam"), ("tls", "Tls")])
def test_the_servers_are_asked_at_the_start_in_the_clusters_region(
    authentication: str, name: str, opened: list[tuple[KafkaSettings, str, dict[str, Any]]]
) -> None:
    msk = Msk(**{f"BootstrapBrokerString{name}": "b-1.events:9098"})
    open_kafka({**LEAST, "KAFKA_AUTHENTICATION": authentication}, msk=msk, count=lambda _name: None)
    assert (msk.regions, msk.asked) == (["eu-west-1"], [ARN])
    ((_, servers, options),) = opened
    assert servers == "b-1.events:9098"
    assert isinstance(options["signer"], TokenSigner) is (authentication == "iam")


def test_servers_that_are_given_are_not_asked_for(opened: list[tuple[KafkaSettings, str, dict[str, Any]]]) -> None:
    msk = Msk()
    open_kafka(LOOPBACK, msk=msk, count=lambda _name: None)
    assert opened[0][1] == "127.0.0.1:9092,localhost:9093"
    assert msk.asked == []


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({}, "has no servers for KAFKA_AUTHENTICATION 'iam'"),
        ({"KAFKA_CLUSTER_ARN": "events"}, "make it the ARN of an MSK cluster"),
    ],
)
def test_a_cluster_that_cannot_be_reached_is_one_sentence(changed: dict[str, str], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        open_kafka({**LEAST, **changed}, msk=Msk(), count=lambda _name: None)


# The client's options


def options_of(protocol: str, **settings: Any) -> dict[str, Any]:
    chosen = KafkaSettings(topic="orders", group="apply", group_protocol=protocol, **settings)  # type: ignore[arg-type]
    nothing: Any = lambda *_: None  # noqa: E731
    connection = connection_options(chosen, "b-1:9098", signer=None)
    return consumer_options(chosen, connection, on_commit=nothing, on_error=nothing)


def test_nothing_is_committed_but_by_hand() -> None:
    """`store_offsets` raises while the client stores by itself, and the next success commits past a failure."""
    for protocol in ("classic", "consumer"):
        options = options_of(protocol)
        assert options["enable.auto.commit"] is options["enable.auto.offset.store"] is False


def test_the_broker_decides_the_session_of_its_own_protocol() -> None:
    options = options_of("consumer")
    assert "session.timeout.ms" not in options
    assert "partition.assignment.strategy" not in options
    options = options_of("classic", session_timeout=6)
    assert (options["session.timeout.ms"], options["heartbeat.interval.ms"]) == (6000, 1000)
    assert options["partition.assignment.strategy"] == "cooperative-sticky"
    assert options["max.poll.interval.ms"] >= options["session.timeout.ms"]


def test_a_group_without_commits_begins_where_it_is_told() -> None:
    assert options_of("classic")["auto.offset.reset"] == "earliest"
    assert options_of("classic", start="latest")["auto.offset.reset"] == "latest"


def test_members_are_not_static() -> None:
    """The id of an ECS task changes with each task, so that a static member would never come back."""
    assert "group.instance.id" not in options_of("classic")


def test_how_a_client_authenticates() -> None:
    iam = KafkaSettings(topic="orders", group="apply")
    signer = TokenSigner("eu-west-1")
    options = connection_options(iam, "b-1:9098", signer=signer)
    assert (options["security.protocol"], options["sasl.mechanisms"]) == ("SASL_SSL", "OAUTHBEARER")
    token, expires_at = options["oauth_cb"]("")
    assert token
    assert expires_at > 0
    tls = KafkaSettings(topic="orders", group="apply", authentication="tls")
    assert connection_options(tls, "b-1:9094", signer=None)["security.protocol"] == "SSL"


def test_the_client_takes_its_token_from_the_signer_when_it_is_polled() -> None:
    """With every option that it has in AWS; nobody listens at the port."""
    taken: list[str] = []

    class Signer(TokenSigner):
        def token(self) -> tuple[str, float]:
            token, expires_at = super().token()
            taken.append(token)
            return token, expires_at

    settings = KafkaSettings(topic="orders", group="apply")
    connection = connection_options(settings, "127.0.0.1:1", signer=Signer("eu-west-1"))
    nothing: Any = lambda *_: None  # noqa: E731
    consumer = Consumer(
        consumer_options(settings, connection, on_commit=nothing, on_error=nothing) | {"log_level": 0},
    )

    def polled() -> list[str]:
        consumer.poll(0.05)
        return taken

    until(polled)
    consumer.close()
