"""The brokers of a Kafka cluster: what MSK is asked for, and what it costs."""

import re
from dataclasses import dataclass
from typing import Literal

from fargate_workers.errors import ConfigurationError

Kind = Literal["express", "standard", "serverless"]

# https://docs.aws.amazon.com/msk/latest/developerguide/supported-kafka-versions.html: the newest of each kind. The
# end in .kraft chooses KRaft, without ZooKeeper; Kafka 4 has nothing else.
VERSIONS: dict[Kind, str] = {"express": "4.2.x.kraft", "standard": "4.1.x.kraft", "serverless": ""}
STORAGE_GIB = 100
# So that one broker may be down while two take part in each write (min.insync.replicas).
REPLICAS = 3

_SIZE = re.compile(r"(m5|m7g)\.(large|\d*xlarge)")


@dataclass(frozen=True, kw_only=True)
class Brokers:
    """The kind, size and number of a cluster's brokers; `express`, `standard` and `serverless` make one.

    Args:
        kind: The kind of brokers.
        size: MSK's size of a broker without its prefix, such as "m7g.large". None for serverless.
        count: The number of brokers. None for serverless.
        storage_gib: GiB of each broker's volume. None where MSK manages it.
        version: MSK's name of the Kafka version. None for serverless.
    """

    kind: Kind
    size: str | None = None
    count: int | None = None
    storage_gib: int | None = None
    version: str | None = None

    @staticmethod
    def express(size: str = "m7g.large", *, count: int = 3, version: str = VERSIONS["express"]) -> "Brokers":
        """Express brokers: storage without a size, no maintenance windows, three zones, replication fixed at three.

            KafkaCluster(self, "Events", cluster=cluster, brokers=Brokers.express("m7g.large", count=3))

        Price, us-east-1: about $0.41 an hour for an m7g.large, hence $890 a month for three, besides $0.01 per GB
        written and storage per GB and month. An estimate of November 2026, to check before a decision:
        https://aws.amazon.com/msk/pricing/

        Args:
            size: MSK's size of a broker without its prefix. Defaults to "m7g.large", the smallest.
            count: The number of brokers, a multiple of three. Defaults to 3.
            version: MSK's name of the Kafka version. Defaults to "4.2.x.kraft".

        Raises:
            ConfigurationError: MSK has no such size or number of brokers, or the version is none of KRaft's.
        """
        if not size.startswith("m7g."):
            raise ConfigurationError(
                f'Brokers.express: size is "{size}"; Express brokers are m7g, such as "m7g.large".'
            )
        return _provisioned("express", size, count, version, storage_gib=None)

    @staticmethod
    def standard(
        size: str = "m7g.large",
        *,
        count: int = 3,
        storage_gib: int = STORAGE_GIB,
        version: str = VERSIONS["standard"],
    ) -> "Brokers":
        """Standard brokers, each with a volume of its own, which only grows.

        Price, us-east-1: about $0.20 an hour for an m7g.large, hence $447 a month for three, besides $0.10 per GiB and
        month of their volumes. An estimate of November 2026, to check before a decision:
        https://aws.amazon.com/msk/pricing/

        Args:
            size: MSK's size of a broker without its prefix. Defaults to "m7g.large"; the smaller t3.small knows no
                KRaft.
            count: The number of brokers, a multiple of the zones and 3 at least. Defaults to 3.
            storage_gib: GiB of each broker's volume, 1 to 16384. Defaults to 100.
            version: MSK's name of the Kafka version. Defaults to "4.1.x.kraft".

        Raises:
            ConfigurationError: MSK has no such size, number or volume, or the version is none of KRaft's.
        """
        if not 1 <= storage_gib <= 16_384:
            raise ConfigurationError(f"Brokers.standard: storage_gib is {storage_gib}; MSK takes 1 to 16384.")
        return _provisioned("standard", size, count, version, storage_gib=storage_gib)

    @staticmethod
    def serverless() -> "Brokers":
        """Serverless: nothing to size, and paid per cluster, partition and GB.

        CloudFormation makes no topics in it; see `KafkaTopic.existing`.

        Price, us-east-1: $0.75 an hour, hence $547 a month before the first message, besides $0.0015 per partition and
        hour, $0.10 per GB in and $0.05 per GB out. An estimate of November 2026, to check before a decision:
        https://aws.amazon.com/msk/pricing/
        """
        return Brokers(kind="serverless")

    def check_zones(self, id: str, zones: int) -> None:
        """Compare the number of brokers with the zones of the network.

        Args:
            id: The id of the cluster, for the error.
            zones: Subnets in which the brokers stand, one for each zone.

        Raises:
            ConfigurationError: MSK wants other zones, or another number of brokers.
        """
        if self.kind == "express" and zones != 3:
            raise ConfigurationError(
                f"{id}: Express brokers stand in three zones and the network has {zones}; name three "
                "availability_zones of the WorkerCluster, or take Brokers.standard(...)."
            )
        if not 2 <= zones <= 3 and self.kind != "express":
            raise ConfigurationError(
                f"{id}: the network has {zones} zones and MSK takes 2 or 3; name so many availability_zones."
            )
        if self.count is not None and self.count % zones:
            raise ConfigurationError(
                f"{id}: {self.count} brokers do not spread evenly over {zones} zones; use a multiple of {zones}."
            )


def _provisioned(kind: Kind, size: str, count: int, version: str, *, storage_gib: int | None) -> Brokers:
    if _SIZE.fullmatch(size) is None:
        raise ConfigurationError(
            f'Brokers.{kind}: size is "{size}"; write it like "m7g.large", without a prefix. (t3.small knows no KRaft.)'
        )
    if count < REPLICAS:
        raise ConfigurationError(
            f"Brokers.{kind}: count is {count}; three replicas of each partition take {REPLICAS} brokers or more."
        )
    if not version.endswith(".kraft"):
        raise ConfigurationError(
            f'Brokers.{kind}: version is "{version}"; use one of KRaft\'s, which end in .kraft, as "{VERSIONS[kind]}".'
        )
    return Brokers(kind=kind, size=size, count=count, storage_gib=storage_gib, version=version)
