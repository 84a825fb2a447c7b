"""Bills, each calculated by hand in the test's docstring, with the prices of 2026-11-30 in us-east-1.

A month has 730 hours and 365 / 12 days, so that a million messages a day are 30.416667 million a month. A task of
0.25 vCPU and 0.5 GB costs 0.25 x 0.03238 + 0.5 x 0.00356 = 0.009875 an hour, $7.20875 a month.
"""

import pytest

from fargate_workers_toolkit.choosing import Offer, Workload, choose


def offer(system: str, worker: str, workload: Workload) -> Offer:
    [found] = [each for each in choose(workload).with_workers(system) if each.worker.key == worker]
    return found


def lines(found: Offer) -> dict[str, float]:
    return {line.what: line.dollars for line in (*found.broker.lines, *found.work.lines)}


def test_single_sends_to_a_queue() -> None:
    """Ten million a day, sent one by one, 0.1 s each.

    sending         304.166667 M x 0.40                                            = 121.6667
    tasks           115.7407 a second x 0.1 s / 10 at once / 0.7                   = 1.653439
    receiving       70 a second and task gather to full tens: 30.416667 M x 0.40   = 12.1667
    acknowledging   the same                                                       = 12.1667
    polling         1.653439 x 131,400 x 0.40 / M                                  = 0.0869
    vCPUs           1.653439 x 730 x 0.25 x 0.03238                                = 9.7707
    memory          1.653439 x 730 x 0.5 x 0.00356                                 = 2.1485
    """
    found = offer("sqs", "fargate", Workload(messages_a_day=10_000_000, sending="single"))

    assert lines(found) == pytest.approx(
        {
            "sending": 121.6667,
            "receiving": 12.1667,
            "acknowledging": 12.1667,
            "polling": 0.0869,
            "vCPUs": 9.7707,
            "memory": 2.1485,
        },
        abs=0.0001,
    )
    assert found.dollars == pytest.approx(158.0061, abs=0.0002)


def test_a_trickle_into_a_fifo_queue() -> None:
    """A hundred thousand a day, sent in tens, 3.0416667 M a month, 1.157407 a second.

    sending         0.30416667 M x 0.50                                            = 0.1521
    receiving       a second gathers 2.157407 of them: 1.409871 M x 0.50           = 0.7049
    acknowledging   the same                                                       = 0.7049
    polling         one task: 131,400 x 0.50 / M                                   = 0.0657
    """
    found = offer("sqs-fifo", "fargate", Workload(messages_a_day=100_000, ordering="key"))

    assert found.broker.dollars == pytest.approx(0.1521 + 2 * 0.7049 + 0.0657, abs=0.0002)
    assert found.work.dollars == pytest.approx(7.20875)


def test_large_messages_are_billed_by_64_kib() -> None:
    """A million a day of 200,000 bytes, sent in fives, because 1 MiB is the most: 1,000,000 bytes are 16 chunks.

    sending         30.416667 M / 5 x 16 = 97.333333 M x 0.40                      = 38.9333
    receiving       ten at once are 2,000,000 bytes, 31 chunks: 3.0416667 M x 31   = 94.291667 M = 37.7167
    """
    found = offer("sqs", "fargate", Workload(messages_a_day=1_000_000, size=200_000))

    assert lines(found)["sending"] == pytest.approx(38.9333, abs=0.0001)
    assert lines(found)["receiving"] == pytest.approx(37.7167, abs=0.0001)


def test_a_topic_and_three_queues() -> None:
    """Ten million a day in tens to three readers.

    publishing      30.416667 M x 0.50                                             = 15.2083
    receiving       3 x 30.416667 M x 0.40                                         = 36.5
    acknowledging   the same                                                       = 36.5
    polling         3 x 1.653439 x 131,400 x 0.40 / M                              = 0.2607
    tasks           3 x 1.653439 x 7.20875                                         = 35.7577
    """
    found = offer("sns-sqs", "fargate", Workload(messages_a_day=10_000_000, readers=3))

    assert found.broker.dollars == pytest.approx(15.2083 + 36.5 + 36.5 + 0.2607, abs=0.0002)
    assert found.work.dollars == pytest.approx(35.7577, abs=0.0002)


def test_a_fifo_topic_is_billed_by_message_and_by_gigabyte() -> None:
    """A million a day of 2,000 bytes, in tens, to two readers: 60.833333 GB published.

    publishing      3.0416667 M x 0.30                                             = 0.9125
    published data  60.833333 x 0.017                                              = 1.0342
    delivering      60.833333 M x 0.01                                             = 0.6083
    delivered data  121.666667 x 0.001                                             = 0.1217
    """
    found = offer("sns-sqs", "fargate", Workload(messages_a_day=1_000_000, readers=2, ordering="key"))

    assert {name: lines(found)[name] for name in ("publishing", "published data", "delivering", "delivered data")} == (
        pytest.approx(
            {"publishing": 0.9125, "published data": 1.0342, "delivering": 0.6083, "delivered data": 0.1217}, abs=0.0001
        )
    )


def test_msk_serverless_with_a_week_and_three_readers() -> None:
    """Ten million a day of 2,000 bytes: 20 GB a day, 608.333333 a month; ten partitions for max_tasks=10.

    the cluster     730 x 0.75                                                     = 547.5
    partitions      10 x 730 x 0.0015                                              = 10.95
    writing         608.333333 x 0.10                                              = 60.8333
    keeping         7 x 20 x 0.10                                                  = 14
    reading         3 x 608.333333 x 0.05                                          = 91.25
    """
    found = offer("msk-serverless", "fargate", Workload(messages_a_day=10_000_000, readers=3, replay=7 * 86_400))

    assert found.broker.dollars == pytest.approx(547.5 + 10.95 + 60.8333 + 14 + 91.25, abs=0.0001)


def test_msk_express_with_a_week() -> None:
    """A hundred million a day of 2,000 bytes: 200 GB a day, 6,083.333333 a month, 6.94 MB a second at three times.

    brokers         3 x 730 x 0.408                                                = 893.52
    writing         6,083.333333 x 0.01                                            = 60.8333
    keeping         7 x 200 x 0.10                                                 = 140
    between zones   6,083.333333 x 2/3 x 2 x 0.01, in and out                      = 2 x 81.1111
    """
    found = offer("msk-express", "fargate", Workload(messages_a_day=100_000_000, replay=7 * 86_400))

    assert found.broker.dollars == pytest.approx(893.52 + 60.8333 + 140 + 162.2222, abs=0.0001)


def test_msk_standard_with_a_week() -> None:
    """The same on Standard brokers, which take 3 x 4.80625 MB a second.

    brokers         3 x 730 x 0.204                                                = 446.76
    disks           7 x 200 x 3 copies / 0.85 = 4,941.176471 GB x 0.10             = 494.1176
    between zones                                                                  = 162.2222
    """
    found = offer("msk-standard", "fargate", Workload(messages_a_day=100_000_000, replay=7 * 86_400))

    assert found.broker.dollars == pytest.approx(446.76 + 494.1176 + 162.2222, abs=0.0001)


def test_a_redis_stream_on_two_small_nodes() -> None:
    """A million a day of 2,000 bytes; an hour at 34.72 a second holds 262.5 MB of 1.03 GiB.

    nodes           2 x 730 x 0.0256                                               = 37.376
    between zones   60.833333 GB / 2 x 0.01, in and out                            = 2 x 0.3042
    """
    found = offer("redis-stream", "fargate", Workload(messages_a_day=1_000_000, losing="rarely"))

    assert found.broker.dollars == pytest.approx(37.376 + 0.6083, abs=0.0001)


def test_a_redis_list_on_larger_nodes() -> None:
    """Fifty million a day of 2,000 bytes at 1,736 a second: 13.125 GB take four times cache.m7g.large.

    needed          13.125e9 / (0.75 x 6.38 GiB = 5.138e9) = 2.55, the next size is 4
    nodes           2 x 4 x 730 x 0.1264                                           = 738.176
    """
    found = offer("redis-list", "fargate", Workload(messages_a_day=50_000_000, losing="rarely"))

    assert lines(found)["nodes (cache.m7g, 4 x large)"] == pytest.approx(738.176)


def test_a_function() -> None:
    """A million a day, 11.574074 a second to five pollers: 3.314815 messages in a batch.

    invocations     30.416667 M / 3.314815 = 9.175978 M x 0.20                     = 1.8352
    duration        9.175978 M x 0.124 s x 0.5 GB = 568,910.6 x 0.0000133334       = 7.5855
    receiving, acknowledging   9.175978 M x 0.40 each                              = 7.3408
    polling         5 x 131,400 x 0.40 / M                                         = 0.2628
    """
    found = offer("sqs", "lambda", Workload(messages_a_day=1_000_000))

    assert found.work.dollars == pytest.approx(1.8352 + 7.5855, abs=0.0002)
    assert lines(found)["receiving"] + lines(found)["acknowledging"] == pytest.approx(7.3408, abs=0.0002)
    assert lines(found)["polling"] == pytest.approx(0.2628)


def test_pods() -> None:
    """A hundred million a day: 16.534392 pods on average, six on a node.

    the cluster     730 x 0.10                                                     = 73
    nodes           16.534392 / 6 = 2.755732 x 730 x 0.0816                        = 164.1534
    """
    found = offer("sqs", "keda", Workload(messages_a_day=100_000_000))

    assert found.work.dollars == pytest.approx(73 + 164.1534, abs=0.0002)
