"""Redis, that is Valkey on ElastiCache: a stream with consumer groups, and a list."""

import math
from collections.abc import Iterator, Mapping

from fargate_workers_toolkit.choosing import limits
from fargate_workers_toolkit.choosing.gauges import Gauge, Obstacle
from fargate_workers_toolkit.choosing.system import System, too_slow
from fargate_workers_toolkit.choosing.workers import worker_line
from fargate_workers_toolkit.choosing.workload import DAY, Workload
from fargate_workers_toolkit.cost import HOURS, Line, Prices

#: A primary and its replica in another zone.
NODES = 2
#: Seconds for which the workers may be down before the memory is full.
OUTAGE = 3_600
#: RedisStream's own max_length, unless more are needed.
LENGTH = 100_000
#: Bytes that an entry takes beyond its message; an assumption.
ENTRY = 100
# Messages a second up to which the small, burstable node is offered; an assumption.
_SMALL_RATE = 1_000


def stream(workload: Workload, prices: Prices) -> System:
    """A Redis stream.

    Args:
        workload: The workload.
        prices: The prices.
    """
    return System(
        key="redis-stream",
        name="Redis stream",
        hindrances=(
            *_may_lose(workload),
            *_no_order(workload),
            *too_slow(workload, limits.REDIS_LATENCY, name="Redis"),
        ),
        gauges=(
            _memory(workload),
            Gauge(
                what="entries in one stream", whose="RedisStream", used=_length(workload), limit=limits.STREAM_LENGTH
            ),
            Gauge(
                what="days of replay",
                whose="RedisStream",
                used=workload.replay / DAY,
                limit=limits.STREAM_DAYS,
                grows=False,
            ),
            Gauge(
                what="messages a second on one node",
                whose="Redis",
                used=workload.peak_rate * workload.readers,
                limit=limits.STREAM_MESSAGES,
            ),
        ),
        lines=(_nodes(workload, prices), _between_zones("sending between zones", workload.gigabytes, prices)),
        reading=_reading(workload, prices),
        code=(
            f'orders = RedisStream(self, "Orders", cache=cache, max_length={_length(workload)}{_retain(workload)})',
            worker_line(workload),
        ),
        remarks=(_DURABLE,),
    )


def simple_list(workload: Workload, prices: Prices) -> System:
    """A Redis list.

    Args:
        workload: The workload.
        prices: The prices.
    """
    return System(
        key="redis-list",
        name="Redis list",
        hindrances=(
            *_may_lose(workload),
            *_no_order(workload),
            *_no_groups(workload),
            *too_slow(workload, limits.REDIS_LATENCY, name="Redis"),
        ),
        gauges=(
            _memory(workload),
            Gauge(
                what="messages a second on one node",
                whose="Redis",
                used=workload.peak_rate,
                limit=limits.LIST_MESSAGES,
            ),
        ),
        lines=(_nodes(workload, prices), _between_zones("sending between zones", workload.gigabytes, prices)),
        reading=_reading(workload, prices),
        code=(
            'orders = RedisList(self, "Orders", cache=cache)',
            worker_line(workload),
        ),
        remarks=("For senders that already push to a list; a stream costs the same and counts deliveries.", _DURABLE),
    )


_DURABLE = "ElastiCache can write synchronously (Valkey 9, durability), which RedisCache does not switch on."


def _may_lose(workload: Workload) -> Iterator[Obstacle]:
    if workload.losing == "never":
        yield Obstacle(
            text="replication is asynchronous, so a failover may lose the newest messages", source=limits.REDIS_LOSS
        )


def _no_order(workload: Workload) -> Iterator[Obstacle]:
    if workload.ordering != "none":
        yield Obstacle(
            text="consumers take messages side by side, those of one key as well", source=limits.REDIS_GROUPS
        )


def _no_groups(workload: Workload) -> Iterator[Obstacle]:
    if workload.readers > 1:
        yield Obstacle(
            text=f"a message goes to one of the consumers, and {workload.readers} readers want each",
            source=limits.REDIS_POP,
        )
    if workload.replay:
        yield Obstacle(text="a message is removed when it is received", source=limits.REDIS_POP)


def _entries(workload: Workload) -> float:
    """Entries that are held: those of the replay, or of an hour of the busiest minutes if that is more."""
    return max(workload.rate * workload.replay, workload.peak_rate * OUTAGE)


def _held(workload: Workload) -> float:
    """Bytes that the memory must hold."""
    return (workload.size + ENTRY) * _entries(workload)


def _length(workload: Workload) -> int:
    """The stream's own bound, of which 80 % raise an alarm."""
    return max(LENGTH, math.ceil(_entries(workload) / 0.8))


def _retain(workload: Workload) -> str:
    """For several readers, or for a replay, entries stay; otherwise they go when they are done."""
    kept = max(workload.replay, OUTAGE if workload.readers > 1 else 0)
    return f", retain=Duration.hours({math.ceil(kept / 3_600)})" if kept else ""


def _memory(workload: Workload) -> Gauge:
    return Gauge(
        what="GB in the memory of one node",
        whose="ElastiCache",
        used=_held(workload) / 1e9,
        limit=limits.REDIS_MEMORY,
    )


def _nodes(workload: Workload, prices: Prices) -> Line:
    held, rate = _held(workload), workload.peak_rate * workload.readers
    if held <= limits.REDIS_FILL * limits.SMALL_NODE_BYTES and rate <= _SMALL_RATE:
        return Line(what="nodes (cache.t4g.small)", quantity=NODES * HOURS, price=prices["elasticache.small_hour"])
    needed = held / (limits.REDIS_FILL * limits.LARGE_NODE_BYTES)
    unit = next((size for size in limits.NODE_SIZES if size >= needed), math.ceil(needed))
    return Line(
        what=f"nodes (cache.m7g, {unit} x large)",
        quantity=NODES * unit * HOURS,
        price=prices["elasticache.large_hour"],
    )


def _between_zones(what: str, gigabytes: float, prices: Prices) -> Line:
    """Half of the clients are in the other zone; only their side of a transfer is charged."""
    return Line(what=what, quantity=gigabytes / 2, price=prices["ec2.zone_gigabyte"])


def _reading(workload: Workload, prices: Prices) -> Mapping[str, tuple[Line, ...]]:
    line = _between_zones("reading between zones", workload.readers * workload.gigabytes, prices)
    return {"fargate": (line,), "keda": (line,)}
