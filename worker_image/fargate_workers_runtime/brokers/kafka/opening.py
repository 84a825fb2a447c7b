"""The Kafka broker of an environment: its settings, its bootstrap servers, its credentials."""

from collections.abc import Callable, Mapping
from typing import Any

from fargate_workers_runtime.brokers.kafka.iam_token import TokenSigner
from fargate_workers_runtime.brokers.kafka.kafka_broker import Counted, KafkaBroker
from fargate_workers_runtime.brokers.kafka.settings import Authentication, KafkaSettings
from fargate_workers_runtime.errors import SettingsError
from fargate_workers_runtime.settings import text

#: Which of a cluster's strings of servers is for which authentication.
#: https://docs.aws.amazon.com/msk/1.0/apireference/clusters-clusterarn-bootstrap-brokers.html
_SERVERS: Mapping[Authentication, str] = {
    "iam": "BootstrapBrokerStringSaslIam",
    "tls": "BootstrapBrokerStringTls",
    "plaintext": "BootstrapBrokerString",
}


def open_kafka(
    environment: Mapping[str, str],
    *,
    msk: Callable[[str], Any],
    count: Callable[[Counted], None],
) -> KafkaBroker:
    """The broker; it joins its group at once.

    Args:
        environment: The variables of the process, by name.
        msk: Makes a client of the MSK API for a region; it is asked only if the servers are not set.
        count: Called for each rebalance and each commit that was refused.

    Raises:
        SettingsError: A variable is missing or wrong, or the cluster has no servers for the authentication.
    """
    settings = KafkaSettings.from_environment(environment)
    region = _region(settings, environment)
    servers = settings.bootstrap_servers or _ask(settings, msk(region))
    signer = TokenSigner(region) if settings.authentication == "iam" else None
    return KafkaBroker(settings, servers, signer=signer, count=count)


def _region(settings: KafkaSettings, environment: Mapping[str, str]) -> str:
    """The region of the cluster, which its ARN names."""
    if settings.cluster_arn:
        parts = settings.cluster_arn.split(":")
        if len(parts) < 6 or parts[2] != "kafka":
            raise SettingsError(
                f"KAFKA_CLUSTER_ARN is {settings.cluster_arn!r}; make it the ARN of an MSK cluster, "
                "arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/ID."
            )
        return parts[3]
    if settings.authentication != "iam":
        return ""
    return environment.get("AWS_REGION") or text(environment, "AWS_DEFAULT_REGION")


def _ask(settings: KafkaSettings, client: Any) -> str:
    """The cluster's servers now: brokers that are added or replaced need no new deployment."""
    answer: Mapping[str, str] = client.get_bootstrap_brokers(ClusterArn=settings.cluster_arn)
    name = _SERVERS[settings.authentication]
    if not (servers := answer.get(name)):
        raise SettingsError(
            f"The cluster {settings.cluster_arn} has no servers for KAFKA_AUTHENTICATION {settings.authentication!r}; "
            "switch it on for the cluster, or choose another one."
        )
    return servers
