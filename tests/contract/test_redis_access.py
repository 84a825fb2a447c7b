"""What the runtime asks of Redis is what the cache's user may do: a real server, with the construct's access string."""

import threading
from collections.abc import Iterator

import pytest
import redis

from benchmarks.valkey import valkey_server
from fargate_workers.stores.redis_cache import ACCESS
from fargate_workers_runtime import ReadThroughCache, TokenBucket
from fargate_workers_runtime.claims.redis import RedisClaims


@pytest.fixture(scope="module")
def client() -> Iterator[redis.Redis]:
    with valkey_server() as server:
        administrator = redis.Redis(host="127.0.0.1", port=server.port)
        administrator.execute_command("ACL", "SETUSER", "worker", *ACCESS.split(), "nopass")
        yield redis.Redis(host="127.0.0.1", port=server.port, username="worker", password="any", decode_responses=True)
        administrator.close()


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


def test_nobody_may_empty_the_cache(client: redis.Redis) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.flushall()
