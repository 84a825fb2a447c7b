"""The variables of a worker that drains a Kafka topic."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from fargate_workers_runtime.errors import SettingsError
from fargate_workers_runtime.settings import choice, number, text

Authentication = Literal["iam", "tls", "plaintext"]
GroupProtocol = Literal["classic", "consumer"]
Start = Literal["earliest", "latest"]


@dataclass(frozen=True, kw_only=True)
class KafkaSettings:
    """The topic, the group, and how to reach them.

    Attributes:
        topic: KAFKA_TOPIC.
        group: KAFKA_GROUP, the consumer group.
        cluster_arn: KAFKA_CLUSTER_ARN, the MSK cluster; its bootstrap servers are asked at the start. Default: none.
        bootstrap_servers: KAFKA_BOOTSTRAP_SERVERS, which are used if they are set. Default: none.
        authentication: KAFKA_AUTHENTICATION, `iam`, `tls` or `plaintext`. Default: iam. Plaintext is for loopback.
        dead_letter_topic: KAFKA_DEAD_LETTER_TOPIC. Default: none; a record that is given up stays, and is tried again.
        retry_topic: KAFKA_RETRY_TOPIC. Default: none; a failed record waits in place, and only its key with it. With
            it, a failed record goes to that topic, and no order is kept.
        group_protocol: KAFKA_GROUP_PROTOCOL, `classic` or `consumer` (KIP-848, Kafka 4.0). Default: classic.
        start: KAFKA_START, where a group without commits begins, `earliest` or `latest`. Default: earliest.
        ordered: KAFKA_ORDERED. Default: true; records without a key keep the order of their partition. False: they keep
            none. Records with a key keep its order.
        session_timeout: KAFKA_SESSION_TIMEOUT_SECONDS, 1 to 300, after which a silent member of a classic group has
            left. Default: 45, the client's own.
    """

    topic: str
    group: str
    cluster_arn: str | None = None
    bootstrap_servers: str | None = None
    authentication: Authentication = "iam"
    dead_letter_topic: str | None = None
    retry_topic: str | None = None
    group_protocol: GroupProtocol = "classic"
    start: Start = "earliest"
    ordered: bool = True
    session_timeout: int = 45

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "KafkaSettings":
        """The settings of a task.

        Args:
            environment: The variables of the process, by name.

        Raises:
            SettingsError: A variable is missing or wrong.
        """
        servers = environment.get("KAFKA_BOOTSTRAP_SERVERS") or None
        settings = cls(
            topic=text(environment, "KAFKA_TOPIC"),
            group=text(environment, "KAFKA_GROUP"),
            cluster_arn=None if servers else text(environment, "KAFKA_CLUSTER_ARN"),
            bootstrap_servers=servers,
            authentication=cast(
                "Authentication",
                choice(environment, "KAFKA_AUTHENTICATION", cls.authentication, get_args(Authentication)),
            ),
            dead_letter_topic=environment.get("KAFKA_DEAD_LETTER_TOPIC") or None,
            retry_topic=environment.get("KAFKA_RETRY_TOPIC") or None,
            group_protocol=cast(
                "GroupProtocol",
                choice(environment, "KAFKA_GROUP_PROTOCOL", cls.group_protocol, get_args(GroupProtocol)),
            ),
            start=cast("Start", choice(environment, "KAFKA_START", cls.start, get_args(Start))),
            ordered=choice(environment, "KAFKA_ORDERED", "true", ("true", "false")) == "true",
            session_timeout=number(environment, "KAFKA_SESSION_TIMEOUT_SECONDS", cls.session_timeout, 1, 300),
        )
        settings.check()
        return settings

    def check(self) -> None:
        """A look at what must fit together.

        Raises:
            SettingsError: It does not.
        """
        if self.authentication == "plaintext" and not _on_loopback(self.bootstrap_servers):
            raise SettingsError(
                "KAFKA_AUTHENTICATION is 'plaintext', which is for KAFKA_BOOTSTRAP_SERVERS on loopback only; make it "
                "'iam' or 'tls'."
            )
        if ":" in self.group:
            raise SettingsError(
                f"KAFKA_GROUP is {self.group!r}; leave out the colon, with which MSK reports no lag of the group."
            )
        if self.topic in (self.dead_letter_topic, self.retry_topic):
            raise SettingsError(
                f"KAFKA_TOPIC is {self.topic!r}, and so is the topic for its failures; give them names of their own."
            )
        if self.retry_topic and self.retry_topic == self.dead_letter_topic:
            raise SettingsError(
                f"KAFKA_RETRY_TOPIC and KAFKA_DEAD_LETTER_TOPIC are both {self.retry_topic!r}; give them names of "
                "their own."
            )


def _on_loopback(servers: str | None) -> bool:
    hosts = [server.rpartition(":")[0] for server in (servers or "").split(",")]
    return all(host in ("localhost", "[::1]") or host.startswith("127.") for host in hosts)
