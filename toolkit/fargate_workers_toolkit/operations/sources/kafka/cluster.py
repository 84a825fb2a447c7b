"""A Kafka cluster, as a command reaches it: reading joins no group, and every record that is sent is confirmed."""

import base64
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.sources.kafka.reader import LogReader
from fargate_workers_toolkit.operations.sources.source import UnreachableError, missing_package

#: Brokers of a network that this machine is not in answer never; a person waits.
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 15.0
#: What librdkafka names what it waits for in vain.
_SILENT = ("_TRANSPORT", "_TIMED_OUT", "_ALL_BROKERS_DOWN", "_RESOLVE", "_AUTHENTICATION", "_SSL")
# https://docs.aws.amazon.com/msk/1.0/apireference/clusters-clusterarn-bootstrap-brokers.html
_SERVERS = {
    "iam": "BootstrapBrokerStringSaslIam",
    "tls": "BootstrapBrokerStringTls",
    "plaintext": "BootstrapBrokerString",
}
#: A client replaces a token when four fifths of its life are over; MSK takes one for 15 minutes.
_TOKEN_SECONDS = 900


class KafkaCluster:
    """A cluster.

    Args:
        aws: The AWS that it belongs to.
        variables: The variables of the worker's container, of which it reads KAFKA_*.
    """

    def __init__(self, aws: Aws, variables: Mapping[str, str]) -> None:
        self._aws = aws
        self._arn = variables.get("KAFKA_CLUSTER_ARN", "")
        self._servers = variables.get("KAFKA_BOOTSTRAP_SERVERS", "")
        # The broker of the embedded AWS speaks neither TLS nor SASL.
        self._authentication = "plaintext" if aws.place.is_local else variables.get("KAFKA_AUTHENTICATION", "iam")
        self._address = ""
        self._producer: Any = None
        self._askers: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """Its name in CloudWatch; empty where only its servers are known."""
        return self._arn.split("/")[1] if "/" in self._arn else ""

    @property
    def client(self) -> Any:
        """The client's package.

        Raises:
            OperationsError: It is not installed.
        """
        try:
            return import_module("confluent_kafka")
        except ModuleNotFoundError:
            raise missing_package("confluent-kafka", extra="kafka") from None

    def partitions(self, topic: str) -> list[int]:
        """The numbers of a topic's partitions.

        Args:
            topic: The topic.

        Raises:
            OperationsError: The cluster cannot be reached, refuses, or has no such topic.
        """
        with self._answering():
            found = self._asking(f"{topic}.look").list_topics(topic, timeout=_CONNECT_SECONDS).topics[topic]
        if found.error is not None:
            raise OperationsError(f"The topic {topic} cannot be read: {found.error.str()}.")
        return sorted(found.partitions)

    def committed(self, group: str, topic: str, partitions: Sequence[int]) -> dict[int, tuple[int, str]]:
        """The last commits of a group, which need not be joined for that: offset and metadata by partition.

        Args:
            group: The group.
            topic: The topic.
            partitions: The partitions; one without a commit is left out.

        Raises:
            OperationsError: The cluster cannot be reached, or refuses.
        """
        places = [self.client.TopicPartition(topic, number) for number in partitions]
        with self._answering():
            answers = self._asking(group).committed(places, timeout=_ANSWER_SECONDS)
        return {each.partition: (each.offset, each.metadata or "") for each in answers if each.offset >= 0}

    def commit(self, group: str, topic: str, partition: int, offset: int, metadata: str) -> None:
        """Commit an offset of a group that has no members.

        Args:
            group: The group.
            topic: The topic.
            partition: The partition.
            offset: The offset.
            metadata: What the commit carries.

        Raises:
            OperationsError: The cluster cannot be reached, or refuses.
        """
        place = self.client.TopicPartition(topic, partition, offset, metadata)
        with self._answering():
            self._asking(group).commit(offsets=[place], asynchronous=False)

    def firsts(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """The offset of the first record that each partition still holds.

        Args:
            topic: The topic.
            partitions: The partitions.

        Raises:
            OperationsError: The cluster cannot be reached, or refuses.
        """
        with self._answering():
            consumer = self._asking(f"{topic}.look")
            return {
                number: consumer.get_watermark_offsets(
                    self.client.TopicPartition(topic, number), timeout=_ANSWER_SECONDS, cached=False
                )[0]
                for number in partitions
            }

    @contextmanager
    def reading(self, group: str, topic: str, starts: Mapping[int, int]) -> Generator[LogReader]:
        """Read partitions from given offsets to their ends. Nothing is committed, and no group is joined.

        Args:
            group: Whose permissions count; it is not joined.
            topic: The topic.
            starts: The first offset by partition.

        Yields:
            The reader.

        Raises:
            OperationsError: The cluster cannot be reached, or refuses.
        """
        with self._answering():
            consumer = self._consumer(group)
            try:
                yield LogReader(consumer, self.client, topic, starts)
            finally:
                consumer.close()

    def send(
        self,
        topic: str,
        *,
        partition: int | None,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> str:
        """Send one record, and wait until all replicas have it.

        Args:
            topic: The topic.
            partition: The partition. None: that of the key.
            key: Its key.
            value: Its value.
            headers: Its headers.

        Returns:
            Where it is: topic, partition and offset, as the runtime writes them.

        Raises:
            OperationsError: It was not confirmed.
        """
        arrived: list[tuple[Any, Any]] = []

        def arrival(error: Any, message: Any) -> None:
            arrived.append((error, message))

        place: dict[str, int] = {} if partition is None else {"partition": partition}
        with self._answering():
            if self._producer is None:
                self._producer = self.client.Producer(
                    {
                        **self._options(),
                        "acks": "all",
                        "enable.idempotence": True,
                        "delivery.timeout.ms": int(_ANSWER_SECONDS * 1_000),
                        "linger.ms": 0,
                        "message.max.bytes": 16 * 1024 * 1024,  # the topic decides
                    }
                )
            self._producer.produce(
                topic,
                key=key,
                value=value,
                headers=list(headers),
                on_delivery=arrival,
                **place,
            )
            until = time.monotonic() + _ANSWER_SECONDS + 5
            while not arrived and time.monotonic() < until:
                self._producer.poll(0.1)
        if not arrived or arrived[0][0] is not None:
            why = arrived[0][0].str() if arrived else "no answer"
            raise OperationsError(
                f"{topic} did not confirm a record ({why}), so that it may be there or not; its letter stays: run the "
                "command again."
            )
        message = arrived[0][1]
        return f"{message.topic()}/{message.partition()}/{message.offset()}"

    def _asking(self, group: str) -> Any:
        """The consumer that asks about a group and reads nothing; one connection is kept for it."""
        if group not in self._askers:
            self._askers[group] = self._consumer(group)
        return self._askers[group]

    def _consumer(self, group: str) -> Any:
        consumer = self.client.Consumer(
            {
                **self._options(),
                "group.id": group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "allow.auto.create.topics": False,
                "fetch.wait.max.ms": 100,
                "queued.max.messages.kbytes": 16 * 1024,
            }
        )
        if self._authentication == "iam":
            consumer.poll(0)  # the client asks for its token only when it is called
        return consumer

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {
            "bootstrap.servers": self._find_servers(),
            "client.id": "fargate-workers-toolkit",
            "socket.timeout.ms": int(_ANSWER_SECONDS * 1_000),
            "socket.connection.setup.timeout.ms": int(_CONNECT_SECONDS * 1_000),
            "log_level": 0,
            "error_cb": _nothing,
        }
        if self._authentication == "tls":
            options["security.protocol"] = "SSL"
        elif self._authentication == "iam":
            options |= {"security.protocol": "SASL_SSL", "sasl.mechanisms": "OAUTHBEARER", "oauth_cb": self._token}
        return options

    def _find_servers(self) -> str:
        if self._address:
            return self._address
        place = self._aws.place
        if place.broker_address is not None:
            host, port = place.broker_address
            self._address = f"{host}:{port}"
        elif self._servers:
            self._address = self._servers
        else:
            with answered(sign_in=place.sign_in):
                found = self._aws.client("kafka").get_bootstrap_brokers(ClusterArn=self._arn)
            self._address = found.get(_SERVERS[self._authentication], "")
            if not self._address:
                raise OperationsError(
                    f"The cluster {self.name} has no servers for the authentication {self._authentication}; switch it "
                    "on for the cluster."
                )
        return self._address

    def _token(self, _config: str) -> tuple[str, float]:
        """A request to connect, signed with the credentials of the person who runs the command.

        https://github.com/aws/aws-msk-iam-sasl-signer-python
        """
        region = self._arn.split(":")[3] if self._arn else self._aws.place.region
        signed = self._aws.presigned(
            "kafka-cluster", f"https://kafka.{region}.amazonaws.com/", {"Action": "kafka-cluster:Connect"}
        )
        text = f"{signed}&User-Agent=fargate-workers-toolkit"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("="), time.time() + _TOKEN_SECONDS

    @contextmanager
    def _answering(self) -> Generator[None]:
        client = self.client
        try:
            yield
        except client.KafkaException as error:
            said = error.args[0]
            if said.name() in _SILENT:
                raise UnreachableError.of(self._address or self.name, said.str()) from error
            raise OperationsError(
                f"{self.name or self._address} refuses: {said.str()}; use a role with the right to it, such as "
                "OperatorAccess."
            ) from error


def _nothing(_error: object) -> None:
    """What a request waits for in vain, it raises itself; librdkafka would print it besides."""
