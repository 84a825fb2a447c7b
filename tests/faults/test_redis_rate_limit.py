"""The shared rate limit, when its server fails or a large backlog drains through it."""

import threading
from collections.abc import Iterator

import pytest
import redis

from fargate_workers_runtime.redis.token_bucket import TokenBucket
from tests.faults.redis_rig import RedisRig
from tests.faults.token_takers import take_in_processes

RUNNING = threading.Event()  # never set: nobody stops


@pytest.fixture
def rig() -> Iterator[RedisRig]:
    with RedisRig(repl_diskless_sync_delay=0) as rig:
        yield rig


@pytest.mark.fault(48)
def test_a_drained_backlog_holds_the_limit_of_what_is_behind_it(rig: RedisRig) -> None:
    """Consumers return to a backlog that does not end; the bucket had time to fill, with its default burst."""
    rate = 500
    let_go, began = take_in_processes(rig.server.port, "downstream", rate=rate, burst=rate / 20, processes=4, seconds=2)
    assert began
    # In each second, five hundredths more than the rate at most: what the bucket held when they came.
    assert all(count <= rate * (at - let_go) + rate / 20 for count, at in enumerate(began, 1))


@pytest.mark.fault(29)
def test_without_its_server_nothing_begins_and_with_it_everything_goes_on(rig: RedisRig) -> None:
    bucket = TokenBucket(rig.connect(), "downstream", rate=1000)
    assert bucket.take(stopping=RUNNING)
    rig.kill()
    for call in (lambda: bucket.take(stopping=RUNNING), bucket.check):
        with pytest.raises(redis.ConnectionError):
            call()
    rig.start()
    bucket.check()
    assert bucket.take(stopping=RUNNING)


@pytest.mark.fault(31)
def test_a_replica_gives_no_tokens_and_says_so(rig: RedisRig) -> None:
    with RedisRig() as other:
        bucket = TokenBucket(rig.connect(), "downstream", rate=1000)
        bucket.check()
        rig.direct.replicaof("127.0.0.1", str(other.server.port))
        with pytest.raises(redis.ReadOnlyError):
            bucket.check()
        rig.proxy.upstream = other.server.port
        bucket.check()
        assert bucket.take(stopping=RUNNING)


@pytest.mark.fault(34)
def test_a_server_that_forgets_grants_one_burst_more(rig: RedisRig) -> None:
    bucket = TokenBucket(rig.connect(), "downstream", rate=0.01, burst=5)
    for _ in range(2):
        for _ in range(5):
            assert bucket.take(stopping=RUNNING)
        rig.kill()
        rig.start()
    stopping = threading.Event()
    for _ in range(5):
        assert bucket.take(stopping=RUNNING)
    threading.Timer(0.2, stopping.set).start()
    assert not bucket.take(stopping=stopping)
