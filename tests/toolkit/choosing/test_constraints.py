"""Every hard constraint: a workload at the limit that passes, one beyond it that does not, and the page that states it.

Above each row stands what its source states, shortened; the pages were read in November 2026.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from fargate_workers_toolkit.choosing import Obstacle, Workload, choose

PLAIN = Workload(messages_a_day=1_000_000, losing="rarely")
DAY = 86_400

Changes = dict[str, Any]

#: system, workload within, workload beyond, part of the reason, part of the source.
SYSTEMS: Mapping[str, tuple[str, Changes, Changes, str, str]] = {
    # Standard queues provide best-effort ordering, but messages might occasionally be delivered out of order.
    "a standard queue keeps no order": ("sqs", {}, {"ordering": "key"}, "keeps no order", "standard-queues"),
    # Deletes the specified message from the specified queue.
    "an acknowledged message cannot be read again": ("sqs", {}, {"replay": 60}, "deleted", "API_DeleteMessage"),
    "a queue has one reader": ("sqs", {}, {"readers": 2}, "2 readers want each", "API_DeleteMessage"),
    "a FIFO queue has one reader": ("sqs-fifo", {}, {"readers": 2}, "2 readers want each", "API_DeleteMessage"),
    "a fan-out keeps nothing either": ("sns-sqs", {"readers": 3}, {"replay": 60}, "deleted", "API_DeleteMessage"),
    # The largest message is 1 MiB.
    "a message has 1 MiB at most": (
        "sqs",
        {"size": 2**20},
        {"size": 2**20 + 1},
        "bytes in a message",
        "API_SendMessage",
    ),
    # By default, a message can be at most 256 KiB in size.
    "SNS takes 256 KiB": ("sns-sqs", {"size": 2**18}, {"size": 2**18 + 1}, "bytes in a message", "API_Publish"),
    # there can be a maximum of approximately 120,000 in flight messages
    "120,000 messages are in flight": (
        "sqs",
        {"messages_a_day": 100 * DAY, "peak": 1, "handler_seconds": 1_200},
        {"messages_a_day": 101 * DAY, "peak": 1, "handler_seconds": 1_200},
        "messages in flight",
        "API_ReceiveMessage",
    ),
    # the total time a message can be invisible is 12 hours from when it is received
    "a message is hidden for 12 hours": (
        "sqs",
        {"messages_a_day": 10, "handler_seconds": 43_200},
        {"messages_a_day": 10, "handler_seconds": 43_201},
        "seconds of one handler",
        "API_ChangeMessageVisibility",
    ),
    # US East (N. Virginia) ...: Up to 70,000 transactions per second (TPS) of high throughput, a batch being one
    "a FIFO queue takes 70,000 calls a second": (
        "sqs-fifo",
        {"messages_a_day": 70_000 * DAY, "peak": 1, "sending": "single"},
        {"messages_a_day": 70_001 * DAY, "peak": 1, "sending": "single"},
        "calls a second on one FIFO queue",
        "quotas-messages",
    ),
    # Each partition in a FIFO queue is limited to 300 transactions per second, per API action
    "a message group takes 300 calls a second": (
        "sqs-fifo",
        {"messages_a_day": 300 * DAY, "peak": 1, "sending": "single", "ordering": "total", "handler_seconds": 0.001},
        {"messages_a_day": 301 * DAY, "peak": 1, "sending": "single", "ordering": "total", "handler_seconds": 0.001},
        "calls a second in one message group",
        "quotas-messages",
    ),
    # If you use batching, non-high throughput FIFO queues support up to 3,000 messages per second
    "a message group takes 3,000 messages in batches": (
        "sqs-fifo",
        {"messages_a_day": 3_000 * DAY, "peak": 1, "ordering": "total", "handler_seconds": 0.0003},
        {"messages_a_day": 3_001 * DAY, "peak": 1, "ordering": "total", "handler_seconds": 0.0003},
        "calls a second in one message group",
        "quotas-messages",
    ),
    # for example, if your regional quota is 30,000 messages per second, per account: us-east-1
    "SNS publishes 30,000 a second": (
        "sns-sqs",
        {"messages_a_day": 30_000 * DAY, "peak": 1, "handler_seconds": 0.01},
        {"messages_a_day": 30_001 * DAY, "peak": 1, "handler_seconds": 0.01},
        "messages a second published",
        "gr/sns",
    ),
    # each topic supports up to 100 subscriptions, of FIFO topics
    "a FIFO topic has 100 subscriptions": (
        "sns-sqs",
        {"readers": 100, "ordering": "key"},
        {"readers": 101, "ordering": "key"},
        "subscriptions",
        "sns/features",
    ),
    # Two handlers at once for one key would be no order.
    "order means one handler at a time": (
        "sqs-fifo",
        {"messages_a_day": DAY, "peak": 10, "keys": 1, "ordering": "key", "handler_seconds": 0.1},
        {"messages_a_day": DAY, "peak": 10, "keys": 1, "ordering": "key", "handler_seconds": 0.11},
        "handlers at once for one key",
        "what order means",
    ),
    "order means it on Kafka too": (
        "msk-express",
        {"messages_a_day": DAY, "peak": 10, "ordering": "total", "handler_seconds": 0.1},
        {"messages_a_day": DAY, "peak": 10, "ordering": "total", "handler_seconds": 0.11},
        "handlers at once for one order of all messages",
        "what order means",
    ),
    # Maximum ingress throughput | 200 MBps, of 2,000 bytes
    "MSK Serverless takes 200 MB a second": (
        "msk-serverless",
        {"messages_a_day": 100_000 * DAY, "peak": 1, "handler_seconds": 0.01},
        {"messages_a_day": 100_001 * DAY, "peak": 1, "handler_seconds": 0.01},
        "MB a second in",
        "limits",
    ),
    # Maximum egress throughput | 400 MBps
    "MSK Serverless gives 400 MB a second": (
        "msk-serverless",
        {"messages_a_day": 50_000 * DAY, "peak": 1, "handler_seconds": 0.01, "readers": 4},
        {"messages_a_day": 50_001 * DAY, "peak": 1, "handler_seconds": 0.01, "readers": 4},
        "MB a second out",
        "limits",
    ),
    # Maximum ingress throughput per partition | 5 MBps
    "a partition of MSK Serverless takes 5 MB a second": (
        "msk-serverless",
        {"messages_a_day": 2_500 * DAY, "peak": 1, "ordering": "total", "handler_seconds": 0.0001},
        {"messages_a_day": 2_501 * DAY, "peak": 1, "ordering": "total", "handler_seconds": 0.0001},
        "MB a second into one partition",
        "limits",
    ),
    # Maximum number of partitions (leaders) | 2400 for non-compacted topics; a task has one at least
    "MSK Serverless has 2,400 partitions": (
        "msk-serverless",
        {"messages_a_day": 16_800 * DAY, "peak": 1, "handler_seconds": 1, "size": 100},
        {"messages_a_day": 16_808 * DAY, "peak": 1, "handler_seconds": 1, "size": 100},
        "partitions",
        "limits",
    ),
    # Maximum number of consumer groups | 500
    "MSK Serverless has 500 groups": (
        "msk-serverless",
        {"messages_a_day": 1_000, "readers": 500},
        {"messages_a_day": 1_000, "readers": 501},
        "consumer groups",
        "limits",
    ),
    # Maximum message size | 8 MiB
    "MSK Serverless takes 8 MiB": (
        "msk-serverless",
        {"messages_a_day": 10, "size": 8 * 2**20},
        {"messages_a_day": 10, "size": 8 * 2**20 + 1},
        "bytes in a message",
        "limits",
    ),
    # Maximum storage per broker | 16384 GiB; three copies, 85 % full, on three brokers
    "a Standard broker has 16 TiB": (
        "msk-standard",
        {"messages_a_day": 1_000_000, "size": 400_000, "replay": 37 * DAY},
        {"messages_a_day": 1_000_000, "size": 400_000, "replay": 38 * DAY},
        "GB on the disk of one broker",
        "limits",
    ),
    # 60 for KRaft-based clusters, each a m7g.16xlarge with 153.8 MB a second
    "MSK has 60 brokers": (
        "msk-standard",
        {"messages_a_day": 4_600_000 * DAY, "peak": 1, "handler_seconds": 0.001},
        {"messages_a_day": 4_700_000 * DAY, "peak": 1, "handler_seconds": 0.001},
        "brokers of m7g.16xlarge",
        "limits",
    ),
    # Due to replication latency, some data may be lost if it is the primary read/write node that fails.
    "Redis may lose messages": ("redis-stream", {}, {"losing": "never"}, "failover", "Replication"),
    "a list may lose messages": ("redis-list", {}, {"losing": "never"}, "failover", "Replication"),
    # each consumer in the group ... will receive different entries
    "a stream keeps no order of handlers": ("redis-stream", {}, {"ordering": "key"}, "side by side", "xreadgroup"),
    "a list keeps none either": ("redis-list", {}, {"ordering": "total"}, "side by side", "xreadgroup"),
    # LMOVE returns and removes an element of the list at the same time.
    "a list has one reader": ("redis-list", {}, {"readers": 2}, "2 readers want each", "lmove"),
    "a list keeps nothing": ("redis-list", {}, {"replay": 60}, "removed", "lmove"),
    # cache.m7g.16xlarge, 32 x 6.38 GiB, of which a quarter stays free: 164.4 GB of 2,100 bytes
    "a stream fits into one node": (
        "redis-stream",
        {"messages_a_day": 21_000 * DAY, "peak": 1},
        {"messages_a_day": 22_000 * DAY, "peak": 1},
        "GB in the memory",
        "CacheNodes.SupportedTypes",
    ),
    # RedisStream takes 100 to 100000000 entries, of which 80 % raise an alarm, and keeps them for 30 days at most.
    "a stream has 100 million entries": (
        "redis-stream",
        {"messages_a_day": 22_222 * DAY, "peak": 1, "size": 100},
        {"messages_a_day": 22_223 * DAY, "peak": 1, "size": 100},
        "entries in one stream",
        "this library",
    ),
    "a stream is kept for 30 days": (
        "redis-stream",
        {"messages_a_day": 1_000, "replay": 30 * DAY},
        {"messages_a_day": 1_000, "replay": 31 * DAY},
        "days of replay",
        "this library",
    ),
    "a stream has the rate of one node": (
        "redis-stream",
        {"messages_a_day": 34_600 * DAY, "peak": 1, "size": 100},
        {"messages_a_day": 34_601 * DAY, "peak": 1, "size": 100},
        "messages a second on one node",
        "measured by this project",
    ),
    "a list has the rate of one node": (
        "redis-list",
        {"messages_a_day": 78_800 * DAY, "peak": 1, "size": 100},
        {"messages_a_day": 78_801 * DAY, "peak": 1, "size": 100},
        "messages a second on one node",
        "measured by this project",
    ),
    # The articles: SQS 1-10 ms, Kafka 5-15 ms, Redis below 1 ms; AWS promises nothing.
    "SQS takes 10 ms": ("sqs", {"latency": 0.010}, {"latency": 0.009}, "10 ms through SQS", "AWS promises none"),
    "SNS takes longer": ("sns-sqs", {"latency": 0.040}, {"latency": 0.039}, "40 ms through SNS", "believed"),
    "Kafka takes 15 ms": ("msk-express", {"latency": 0.015}, {"latency": 0.014}, "15 ms", "AWS promises none"),
    "Redis takes 1 ms": ("redis-list", {"latency": 0.001}, {"latency": 0.0009}, "1 ms", "AWS promises none"),
}

#: system, worker, workload within, workload beyond, part of the reason, part of the source.
WORKERS: Mapping[str, tuple[str, str, Changes | None, Changes, str, str]] = {
    # Code can run for up to 15 minutes in a single invocation; ten seconds of it are the runtime's
    "a function runs for 15 minutes": (
        "sqs",
        "lambda",
        {"messages_a_day": 100, "handler_seconds": 890},
        {"messages_a_day": 100, "handler_seconds": 891},
        "seconds of one invocation",
        "gettingstarted-limits",
    ),
    # The maximum number of batches that an event source mapping can process simultaneously is 1,000.
    "a mapping runs 1,000 batches": (
        "sqs",
        "lambda",
        {"messages_a_day": 9_700 * DAY, "peak": 1, "handler_seconds": 1},
        {"messages_a_day": 9_800 * DAY, "peak": 1, "handler_seconds": 1},
        "invocations at once",
        "services-sqs-scaling",
    ),
    # KEDA's trigger knows a user name and a password.
    "KEDA cannot sign in to Redis": ("redis-stream", "keda", None, {}, "by password", "keda.sh"),
    "QueueFunction drains queues": ("msk-express", "lambda", None, {}, "drains queues", "this library"),
}


def obstacles(system: str, changes: Changes) -> tuple[Obstacle, ...]:
    choice = choose(replace(PLAIN, **changes))
    [found] = [each for each in choice.systems if each.key == system]
    return found.obstacles


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_carries_what_is_within_its_limit_and_nothing_beyond(name: str) -> None:
    system, within, beyond, reason, source = SYSTEMS[name]

    assert [each for each in obstacles(system, within) if reason in each.text] == []
    found = [each for each in obstacles(system, beyond) if reason in each.text]
    assert [source in each.source for each in found] == [True]


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_does_what_is_within_its_limit_and_nothing_beyond(name: str) -> None:
    system, worker, within, beyond, reason, source = WORKERS[name]

    def found(changes: Changes) -> list[bool]:
        offers = choose(replace(PLAIN, **changes)).with_workers(system)
        [offer] = [each for each in offers if each.worker.key == worker]
        return [source in each.source for each in offer.worker.obstacles if reason in each.text]

    assert within is None or found(within) == []
    assert found(beyond) == [True]


def test_within_its_limits_everything_is_possible() -> None:
    assert len(choose(PLAIN).possible) == 8


def test_a_fifo_topic_beyond_its_own_scope_is_named() -> None:
    """A topic's scope has 3,000 messages or 20 MB a second, that of a message group the region's quota."""
    [fan_out] = [
        each
        for each in choose(Workload(messages_a_day=3_001 * DAY, peak=1, ordering="key")).systems
        if each.key == "sns-sqs"
    ]

    assert fan_out.obstacles == ()
    assert "fifo_throughput_scope=MESSAGE_GROUP" in fan_out.remarks[0]


def test_beyond_300_calls_a_second_high_throughput_is_named() -> None:
    """WorkerQueue(fifo=True) sets the quota per message group."""

    def remarks(rate: float) -> str:
        workload = Workload(messages_a_day=rate * DAY, peak=1, ordering="key", sending="single")
        [fifo] = [each for each in choose(workload).systems if each.key == "sqs-fifo"]
        return " ".join(fifo.remarks)

    assert "high throughput" not in remarks(300)
    assert "high throughput" in remarks(301)
