"""Kafka on MSK: Serverless, and brokers of type Express and Standard."""

import math
from collections.abc import Iterator, Mapping

from fargate_workers_toolkit.choosing import limits
from fargate_workers_toolkit.choosing.gauges import Gauge
from fargate_workers_toolkit.choosing.system import System, one_at_a_time, too_slow
from fargate_workers_toolkit.choosing.workers import most_tasks, worker_line
from fargate_workers_toolkit.choosing.workload import DAY, Workload
from fargate_workers_toolkit.cost import HOURS, Line, Prices

#: A day at least is kept, so that what broke in the night can be corrected in the morning.
LEAST_KEPT = DAY
ZONES = 3
# Brokers up to which more of a size are taken instead of larger ones.
_HANDY = 15
_NAMES: Mapping[int, str] = dict(
    zip(
        limits.KAFKA_SIZES,
        (f"m7g.{size}" for size in ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")),
        strict=True,
    )
)


def serverless(workload: Workload, prices: Prices) -> System:
    """MSK Serverless.

    Args:
        workload: The workload.
        prices: The prices.
    """
    needed_in = _megabytes_in(workload)
    needed_out = needed_in * workload.readers
    partitions = _partitions(
        workload,
        math.ceil(needed_in / limits.SERVERLESS_PARTITION_IN.most),
        math.ceil(needed_out / limits.SERVERLESS_PARTITION_OUT.most),
    )
    one = 1 if workload.ordering == "total" else partitions
    return System(
        key="msk-serverless",
        name="MSK Serverless",
        hindrances=tuple(too_slow(workload, limits.KAFKA_LATENCY, name="Kafka")),
        gauges=(
            *one_at_a_time(workload),
            Gauge(
                what="bytes in a message",
                whose="MSK Serverless",
                used=workload.size,
                limit=limits.SERVERLESS_BYTES,
                grows=False,
            ),
            Gauge(what="MB a second in", whose="MSK Serverless", used=needed_in, limit=limits.SERVERLESS_IN),
            Gauge(what="MB a second out", whose="MSK Serverless", used=needed_out, limit=limits.SERVERLESS_OUT),
            Gauge(
                what="MB a second into one partition",
                whose="MSK Serverless",
                used=needed_in / one,
                limit=limits.SERVERLESS_PARTITION_IN,
            ),
            Gauge(what="partitions", whose="MSK Serverless", used=partitions, limit=limits.SERVERLESS_PARTITIONS),
            Gauge(
                what="consumer groups",
                whose="MSK Serverless",
                used=workload.readers,
                limit=limits.SERVERLESS_GROUPS,
                grows=False,
            ),
        ),
        lines=(
            Line(what="the cluster", quantity=HOURS, price=prices["msk.serverless_hour"]),
            Line(what="partitions", quantity=partitions * HOURS, price=prices["msk.serverless_partition_hour"]),
            Line(what="writing", quantity=workload.gigabytes, price=prices["msk.serverless_gigabyte_in"]),
            Line(what="keeping", quantity=_kept(workload), price=prices["msk.serverless_gigabyte_month"]),
        ),
        reading=_reading(
            Line(
                what="reading",
                quantity=workload.readers * workload.gigabytes,
                price=prices["msk.serverless_gigabyte_out"],
            )
        ),
        code=(
            'kafka = KafkaCluster(self, "Events", cluster=cluster, brokers=Brokers.serverless())',
            'orders = KafkaTopic.existing(self, "Orders", kafka=kafka, name="orders", '
            f'partitions={partitions}, dead_letter_topic="orders.dead")',
            worker_line(workload),
        ),
        remarks=("CloudFormation makes no topics in a serverless cluster; a Kafka client makes both.",),
    )


def express(workload: Workload, prices: Prices) -> System:
    """MSK with Express brokers.

    Args:
        workload: The workload.
        prices: The prices.
    """
    needed = _megabytes_in(workload)
    size, count = _brokers(needed / limits.EXPRESS_IN.most, workload.readers * needed / limits.EXPRESS_OUT.most)
    return System(
        key="msk-express",
        name="MSK Express",
        hindrances=tuple(too_slow(workload, limits.KAFKA_LATENCY, name="Kafka")),
        gauges=(*one_at_a_time(workload), *_cluster_gauges(needed, size * count, limits.EXPRESS_IN)),
        lines=(
            Line(what="brokers", quantity=size * count * HOURS, price=prices["msk.express_large_hour"]),
            Line(what="writing", quantity=workload.gigabytes, price=prices["msk.express_gigabyte_in"]),
            Line(what="keeping", quantity=_kept(workload), price=prices["msk.express_gigabyte_month"]),
            _between_zones("sending between zones", workload.gigabytes, prices),
        ),
        reading=_reading(_between_zones("reading between zones", workload.readers * workload.gigabytes, prices)),
        code=_code(workload, f'express("{_NAMES[size]}", count={count})'),
        remarks=tuple(_large_messages(workload)),
    )


def standard(workload: Workload, prices: Prices) -> System:
    """MSK with Standard brokers.

    Args:
        workload: The workload.
        prices: The prices.
    """
    needed = _megabytes_in(workload)
    # As of Express brokers, twice as much may go out as comes in.
    out = workload.readers * needed / (2 * limits.STANDARD_IN.most)
    size, count = _brokers(needed / limits.STANDARD_IN.most, out)
    disk = limits.KAFKA_COPIES * _kept(workload) / limits.KAFKA_DISK_FILL
    return System(
        key="msk-standard",
        name="MSK Standard",
        hindrances=tuple(too_slow(workload, limits.KAFKA_LATENCY, name="Kafka")),
        gauges=(
            *one_at_a_time(workload),
            *_cluster_gauges(needed, size * count, limits.STANDARD_IN),
            Gauge(what="GB on the disk of one broker", whose="MSK", used=disk / count, limit=limits.STANDARD_DISK),
        ),
        lines=(
            Line(what="brokers", quantity=size * count * HOURS, price=prices["msk.standard_large_hour"]),
            Line(what="disks", quantity=disk, price=prices["msk.standard_gigabyte_month"]),
            _between_zones("sending between zones", workload.gigabytes, prices),
        ),
        reading=_reading(_between_zones("reading between zones", workload.readers * workload.gigabytes, prices)),
        code=_code(
            workload, f'standard("{_NAMES[size]}", count={count}, storage_gib={math.ceil(disk * 1e9 / 2**30 / count)})'
        ),
        remarks=tuple(_large_messages(workload)),
    )


def _cluster_gauges(needed: float, units: float, each: limits.Limit) -> Iterator[Gauge]:
    yield Gauge(
        what="MB a second into these brokers",
        whose="MSK",
        used=needed,
        limit=limits.Limit(most=units * each.most, source=each.source),
    )
    yield Gauge(
        what="brokers of m7g.16xlarge",
        whose="MSK",
        used=units / limits.KAFKA_SIZES[-1],
        limit=limits.KAFKA_BROKERS,
    )


def _large_messages(workload: Workload) -> Iterator[str]:
    if workload.size > limits.KAFKA_BYTES.most:
        yield "Above 1 MiB the limits of senders and brokers must be raised as well."


def _megabytes_in(workload: Workload) -> float:
    """Megabytes a second in the busiest minutes."""
    return workload.peak_rate * workload.size / 1e6


def _kept(workload: Workload) -> float:
    """GB-months of one copy."""
    return workload.messages_a_day * workload.size / 1e9 * max(workload.replay, LEAST_KEPT) / DAY


def _brokers(*shares: float) -> tuple[int, int]:
    """Size, in units of m7g.large, and number of brokers: three at a time, fifteen at most of all but the largest."""
    needed = max(shares)
    for size in limits.KAFKA_SIZES:
        count = ZONES * max(1, math.ceil(needed / size / ZONES))
        if count <= _HANDY or size == limits.KAFKA_SIZES[-1]:
            return size, count
    raise AssertionError("the last size takes any number")


def _partitions(workload: Workload, *least: int) -> int:
    """Enough for every task of the worker, without which the synthesis refuses it, and for the rate of each."""
    return 1 if workload.ordering == "total" else max(most_tasks(workload), *least)


def _between_zones(what: str, gigabytes: float, prices: Prices) -> Line:
    """Two of three leaders are in another zone, and both sides of a transfer are charged."""
    return Line(what=what, quantity=gigabytes * (1 - 1 / ZONES) * 2, price=prices["ec2.zone_gigabyte"])


def _reading(line: Line) -> Mapping[str, tuple[Line, ...]]:
    return {"fargate": (line,), "keda": (line,)}


def _code(workload: Workload, brokers: str) -> tuple[str, ...]:
    days = max(1, math.ceil(workload.replay / DAY))
    large = f", max_message_bytes={workload.size:.0f}" if workload.size > limits.KAFKA_BYTES.most else ""
    return (
        f'kafka = KafkaCluster(self, "Events", cluster=cluster, brokers=Brokers.{brokers})',
        f'orders = KafkaTopic(self, "Orders", kafka=kafka, partitions={_partitions(workload, 1)}, '
        f"retention=Duration.days({days}){large})",
        worker_line(workload),
    )
