"""A cache that is down, slow, full, crowded or another than before: reads go on, by loading."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from fargate_workers_runtime.redis.cache_breaker import CacheBreaker
from fargate_workers_runtime.redis.read_through_cache import ReadThroughCache
from tests.faults.redis_rig import RedisRig
from tests.patience import PATIENCE


class Clock:
    """What the breaker goes by. A load takes 10 ms of it, and a failure the cache's timeout."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class CountingBreaker(CacheBreaker):
    def __init__(self, clock: Clock) -> None:
        super().__init__("customers", clock=clock)
        self.failures = 0
        self._spent = clock

    def failed(self, error: Exception) -> None:
        self.failures += 1
        self._spent.now += 0.1
        super().failed(error)


class Reader:
    """A cache as a worker has it, and its loads.

    It waits long for an answer, since on a busy machine each may be late; with `timeout=0.1`, as long as a worker's.
    """

    def __init__(self, rig: RedisRig, *, timeout: float = PATIENCE) -> None:
        self.loads = 0
        self.clock = Clock()
        self.client = rig.connect(timeout=timeout, retries=0)
        self.cache = ReadThroughCache(self.client, name="customers", load=self._load, seconds=60)
        self.breaker = self.cache.breaker = CountingBreaker(self.clock)

    def _load(self, key: str) -> str:
        self.loads += 1
        self.clock.now += 0.01
        return f"value of {key}"

    def get(self, key: str = "key") -> None:
        assert self.cache.get(key) == f"value of {key}"

    def loads_to_get(self, key: str = "key") -> int:
        before = self.loads
        self.get(key)
        return self.loads - before

    def breaker_tries_again(self) -> None:
        self.clock.now += 5


@pytest.fixture
def rig() -> Iterator[RedisRig]:
    with RedisRig(repl_diskless_sync_delay=0) as rig:
        yield rig


@pytest.mark.fault(29)
def test_reads_go_on_while_the_cache_is_down_and_find_it_when_it_is_back(rig: RedisRig) -> None:
    rig.kill()
    reader = Reader(rig)
    assert [reader.loads_to_get() for _ in range(5)] == [1] * 5
    assert reader.breaker.failures == 3
    rig.start()
    reader.breaker_tries_again()
    assert [reader.loads_to_get() for _ in range(3)] == [1, 0, 0]
    rig.kill()
    assert [reader.loads_to_get() for _ in range(3)] == [1] * 3
    rig.start()
    reader.breaker_tries_again()
    assert [reader.loads_to_get() for _ in range(3)] == [1, 0, 0]


@pytest.mark.fault(29)
def test_a_cache_that_goes_away_during_a_load_costs_nothing_but_the_copy(rig: RedisRig) -> None:
    def load(key: str) -> Any:
        rig.kill()
        return 5

    assert ReadThroughCache(rig.connect(timeout=0.1, retries=0), name="n", load=load, seconds=60).get("key") == 5


@pytest.mark.fault(30)
@pytest.mark.parametrize("slow", [1.0, 0.5])
def test_a_slow_cache_takes_no_more_than_a_tenth_of_the_throughput(rig: RedisRig, slow: float) -> None:
    reader = Reader(rig, timeout=0.1)
    assert reader.client.connection_pool.connection_kwargs["socket_timeout"] <= 0.1
    chance = random.Random(1)
    reads = 2_000
    for number in range(reads):
        rig.proxy.latency = 0.5 if chance.random() < slow else 0.0
        reader.get(f"key-{number}")
    assert reader.loads == reads
    without_cache = reads * 0.01
    assert without_cache / reader.clock.now >= 0.9


@pytest.mark.fault(30)
def test_a_cache_that_swallows_everything_is_asked_three_times_and_then_every_five_seconds(rig: RedisRig) -> None:
    Reader(rig).get()
    reader = Reader(rig, timeout=0.1)
    rig.proxy.black_hole()
    for _ in range(50):
        reader.get()
    assert reader.breaker.failures == 3
    reader.breaker_tries_again()
    for _ in range(50):
        reader.get()
    assert reader.breaker.failures == 4


@pytest.mark.fault(31)
def test_a_failover_costs_the_cache_a_few_loads(rig: RedisRig) -> None:
    with RedisRig() as other:
        reader = Reader(rig)
        reader.get()
        # The name leads to the new primary, open connections to the old one, which has become a replica.
        rig.direct.replicaof("127.0.0.1", str(other.server.port))
        rig.proxy.upstream = other.server.port
        assert reader.loads_to_get("another") == 1  # READONLY; then a new connection
        assert [reader.loads_to_get("another") for _ in range(3)] == [1, 0, 0]
        assert reader.breaker.failures == 1


@pytest.mark.fault(32)
def test_a_full_cache_serves_the_copies_it_has_and_means_a_load_for_others(rig: RedisRig) -> None:
    reader = Reader(rig)
    reader.get("old")
    rig.limit_memory(1)
    assert reader.loads_to_get("old") == 0
    assert [reader.loads_to_get("new") for _ in range(3)] == [1] * 3
    rig.limit_memory(0)
    reader.breaker_tries_again()
    assert [reader.loads_to_get("new") for _ in range(3)] == [1, 0, 0]


@pytest.mark.fault(32)
def test_a_load_whose_lock_was_evicted_is_not_kept(rig: RedisRig) -> None:
    def load(key: str) -> int:
        (lock,) = rig.direct.keys("*:lock")
        rig.direct.delete(lock)
        return 5

    cache = ReadThroughCache(rig.connect(timeout=PATIENCE, retries=0), name="n", load=load, seconds=60)
    assert cache.get("key") == 5
    assert rig.direct.keys() == []


@pytest.mark.fault(33)
def test_a_cache_with_no_connection_to_spare_means_a_load(rig: RedisRig) -> None:
    crowd = rig.crowd()
    reader = Reader(rig)
    assert [reader.loads_to_get() for _ in range(5)] == [1] * 5
    for client in crowd:
        client.close()
    reader.breaker_tries_again()
    assert [reader.loads_to_get() for _ in range(3)] == [1, 0, 0]


@pytest.mark.fault(34)
def test_copies_that_are_lost_are_loaded_again(rig: RedisRig) -> None:
    reader = Reader(rig)
    reader.get()
    rig.kill()
    rig.start()
    reader.get()  # by a connection that is gone, or by a new one
    assert [reader.loads_to_get() for _ in range(2)][-1] == 0
    assert 2 <= reader.loads <= 3
