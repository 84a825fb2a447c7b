"""What the runtime asks of Redis is what the cache's user may do: a real server, with the construct's access string."""

import threading
from collections.abc import Iterator

import pytest
import redis

from benchmarks.valkey import valkey_server
from fargate_workers.stores.redis_cache import ACCESS
from fargate_workers_runtime import ReadThroughCache, SettingsError, TokenBucket
from fargate_workers_runtime.claims.redis import RedisClaims
from fargate_workers_runtime.redis import check_server


@pytest.fixture
def administrator() -> Iterator[redis.Redis]:
    with valkey_server() as server:
        yield redis.Redis(host="127.0.0.1", port=server.port)


@pytest.fixture
def client(administrator: redis.Redis) -> redis.Redis:
    administrator.execute_command("ACL", "SETUSER", "worker", *ACCESS.split(), "nopass")
    port = administrator.connection_pool.connection_kwargs["port"]
    return redis.Redis(host="127.0.0.1", port=port, username="worker", password="any", decode_responses=True)


def test_claims_may_do_all_that_they_do(client: redis.Redis) -> None:
    claims = RedisClaims(client, scope="Orders")

    claims.check()
    assert claims.claim("1", owner="me", seconds=120).state == "granted"
    assert claims.renew("1", owner="me", seconds=120)
    claims.release("1", owner="me")
    assert claims.claim("1", owner="me", seconds=120).state == "granted"
    assert claims.complete("1", owner="me")


def test_a_token_bucket_may_do_all_that_it_does(client: redis.Redis) -> None:
    bucket = TokenBucket(client, "Orders", rate=1_000)

    assert bucket.take(stopping=threading.Event())
    bucket.close()


def test_a_cache_may_do_all_that_it_does(client: redis.Redis) -> None:
    loads: list[str] = []
    customers = ReadThroughCache(client, name="customers", load=lambda key: loads.append(key) or "ADA", seconds=60)

    assert [customers.get("ada"), customers.get("ada")] == ["ADA", "ADA"]
    assert loads == ["ada"]
    assert customers.invalidate("ada")


def test_a_worker_sees_a_server_that_evicts(client: redis.Redis, administrator: redis.Redis) -> None:
    check_server(client, address="BROKER_REDIS_HOST")
    administrator.config_set("maxmemory-policy", "volatile-lru")
    with pytest.raises(SettingsError, match=r"evicts keys .*\(volatile-lru\)"):
        check_server(client, address="BROKER_REDIS_HOST")


@pytest.mark.parametrize("command", ["CONFIG GET maxmemory-policy", "KEYS *", "CLIENT LIST", "ACL LIST", "SHUTDOWN"])
def test_nobody_may_look_into_the_server_or_change_it(client: redis.Redis, command: str) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command.split())


def test_nobody_may_empty_the_cache(client: redis.Redis) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.flushall()
