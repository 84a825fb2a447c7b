"""What the alarms of a cache watch happens on a real server with its parameters, and what runbooks quote runs there."""

import re
from collections.abc import Iterator

import pytest
import redis

from benchmarks.valkey import valkey_server
from fargate_workers.alarms import runbooks
from fargate_workers.alarms.alarm_definition import AlarmDefinition
from fargate_workers.alarms.catalogue import redis_alarms
from fargate_workers.stores.redis_cache import ACCESS

MEMORY = 3_000_000


@pytest.fixture(params=["allkeys-lru", "noeviction"])
def eviction(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def full(eviction: str) -> Iterator[redis.Redis]:
    """A server with the parameters of a cache with this eviction, filled until it refuses writes or evicts keys."""
    with valkey_server() as server:
        client = redis.Redis(host="127.0.0.1", port=server.port, decode_responses=True)
        client.config_set("maxmemory", MEMORY)
        client.config_set("maxmemory-policy", eviction)
        for number in range(100_000):
            try:
                client.set(f"key-{number}", "x" * 1_000)
            except redis.exceptions.OutOfMemoryError:
                break
            if number % 100 == 0 and client.info("stats")["evicted_keys"]:
                break
        else:
            pytest.fail("The server was never full.")
        yield client
        client.close()


def statistics(client: redis.Redis) -> dict[str, float]:
    """CloudWatch's metrics of a node, from the fields of INFO that they are made of."""
    memory = client.info("memory")
    return {
        "DatabaseMemoryUsagePercentage": 100 * memory["used_memory"] / memory["maxmemory"],
        "Evictions": client.info("stats")["evicted_keys"],
    }


def alarms(eviction: str) -> dict[str, AlarmDefinition]:
    found = redis_alarms(
        cache_cluster_ids=["cache-001"], vcpus=2, connection_budget=100, evicts_by_design=eviction == "allkeys-lru"
    )
    return {alarm.id: alarm for alarm in found}


def raised(alarm: AlarmDefinition, seen: dict[str, float]) -> bool:
    (metric,) = alarm.metrics.values()
    value = seen[metric.name]
    return value > alarm.threshold if alarm.comparison == ">" else value >= alarm.threshold


def test_a_full_cache_raises_the_alarms_of_its_eviction(eviction: str, full: redis.Redis) -> None:
    seen = statistics(full)
    watched = {
        name: alarm for name, alarm in alarms(eviction).items() if next(iter(alarm.metrics.values())).name in seen
    }

    assert (
        set(watched)
        == {
            "allkeys-lru": {"RedisEvictions"},
            "noeviction": {"RedisMemoryHigh", "RedisMemoryFull"},
        }[eviction]
    )
    assert [name for name, alarm in watched.items() if not raised(alarm, seen)] == []


def test_every_redis_command_of_a_runbook_is_one_that_the_user_of_the_cache_may_run() -> None:
    with valkey_server() as server:
        administrator = redis.Redis(host="127.0.0.1", port=server.port, decode_responses=True)
        administrator.execute_command("ACL", "SETUSER", "worker", *ACCESS.split(), "nopass")
        known = {name.upper() for name in administrator.command_list()}
        quoted = {
            words
            for text in runbooks.pages().values()
            for words in re.findall(r"`([A-Z]+(?: [^`]*)?)`", text)
            if words.split()[0] in known
        }
        refused = {
            words
            for words in quoted | {"CONFIG GET *"}
            if administrator.execute_command("ACL", "DRYRUN", "worker", *words.split()) != "OK"
        }
        administrator.close()

    assert refused == {"CONFIG GET *"}  # what no runbook may ask for shows that refusals are seen
