"""Reads through Redis: the copy there while it is fresh, else one load for all who read; with Redis or without.

dogpile.cache loads once, too, but never early, and stores what it loaded before an invalidation; cashews needs asyncio.
"""

import json
import logging
import math
import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar, cast

import redis

from fargate_workers_runtime.redis.cache_breaker import CacheBreaker

_log = logging.getLogger(__name__)

Value = TypeVar("Value")
Answer = TypeVar("Answer")

#: After a failed load the stale copy serves for so long before the next try, in seconds.
_RELOAD_SECONDS = 1.0

#: Pauses between two looks at a key that another process loads, in seconds; doubled each time.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.1

# A record is a hash: `value` (missing: there is nothing), and in milliseconds `cost`, how long it took to load, and
# `stale`, for how long of its time to live it is stale. So its age is measured by Redis' clock alone.
#
# A reader for which the record is not fresh gets the lock if it is free. `haste` is XFetch's: the dearer the load and
# the nearer the end, the likelier a reader takes it for stale already, alone and before all others do.
# https://www.vldb.org/pvldb/vol8/p886-vattani.pdf
_LOOK = """
local value, cost, stale = unpack(redis.call('HMGET', KEYS[1], 'value', 'cost', 'stale'))
local owner, lock, haste = ARGV[1], ARGV[2], tonumber(ARGV[3])
local ours = false
if not cost or redis.call('PTTL', KEYS[1]) - stale <= cost * haste then
  ours = redis.call('SET', KEYS[2], owner, 'NX', 'PX', lock) or redis.call('GET', KEYS[2]) == owner
end
return {ours and 1 or 0, cost and 1 or 0, value}
"""

# The lock's token is the version: a load whose lock is gone was overtaken, by an invalidation or by the next load after
# the lock's time.
_STORE = """
local owner, ttl, cost, stale, value = unpack(ARGV)
if redis.call('GET', KEYS[2]) ~= owner then
  return 0
end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'cost', cost, 'stale', stale)
if value then
  redis.call('HSET', KEYS[1], 'value', value)
end
redis.call('PEXPIRE', KEYS[1], ttl)
return 1
"""

_UNLOCK = """
if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
"""


class ReadThroughCache(Generic[Value]):
    """A cache of what `load` returns, kept in Redis for all processes.

    Threads that read one key at the same time share one look and one load, and processes share a lock. Where there is a
    copy, fresh or stale, only the thread that loads waits for it. A `get` never fails because of Redis: without it,
    each process loads for itself.

    Args:
        client: With short timeouts and no retries: `connect_redis(environment, timeout=0.1, retries=0)`.
        name: First part of the keys. Another name is another cache, as after a change of what the values look like.
        load: Reads what is behind the cache. None means that there is nothing.
        seconds: How long a copy is fresh, give or take 10 %, so that what was loaded together does not end together.
        stale_seconds: How long after that a copy serves while it is loaded anew, or when that fails. Default: as long.
        nothing_seconds: How long it is remembered that there is nothing. Default: 0, not at all.
        load_seconds: How long others, threads and processes, wait for a load before they load themselves. Default: 10.
        encode: Makes the text of a value. Default: JSON.
        decode: Makes the value of a text. Default: JSON.
        largest: Longer texts are not kept. Default: 1,000,000 characters.

    Example:
        >>> customers = ReadThroughCache(client, name="customers", load=read_customer, seconds=60)  # doctest: +SKIP
        >>> customers.get("c-1")  # doctest: +SKIP
        {'name': 'Ada'}
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        name: str,
        load: Callable[[str], Value],
        seconds: float,
        stale_seconds: float | None = None,
        nothing_seconds: float = 0,
        load_seconds: float = 10,
        encode: Callable[[Value], str] = json.dumps,
        decode: Callable[[str], Value] = json.loads,
        largest: int = 1_000_000,
    ) -> None:
        self._client = client
        self._name = name
        self._load = load
        self._seconds = seconds
        self._stale_seconds = seconds if stale_seconds is None else stale_seconds
        self._nothing_seconds = nothing_seconds
        self._load_seconds = load_seconds
        self._encode = encode
        self._decode = decode
        self._largest = largest
        self.breaker: CacheBreaker = CacheBreaker(name)
        self._look_script = client.register_script(_LOOK)
        self._store_script = client.register_script(_STORE)
        self._unlock_script = client.register_script(_UNLOCK)
        self._lock = threading.Lock()
        self._reads: dict[str, Future[Value]] = {}  # those under way, which others join
        self._own = threading.local()  # the keys that this thread loads

    @property
    def under_way(self) -> int:
        """The reads of this process that have not ended."""
        return len(self._reads)

    def get(self, key: str) -> Value:
        """The value of `key`. Threads share it: do not change it.

        Raises what `load` raises, where there is no copy to serve instead.

        Args:
            key: What `load` is called with.

        Raises:
            RuntimeError: `load` reads the key that it loads.
        """
        if key in self._loading():
            raise RuntimeError(
                f"The load of cache {self._name!r} reads the key that it loads; let it read what is behind the cache."
            )
        with self._lock:
            under_way = self._reads.get(key)
            read = self._reads.setdefault(key, Future())
        if under_way:
            return self._join(key, under_way)
        try:
            value = self._read(key, read)
        except BaseException as error:
            self._end(key, read)
            if not read.done():
                read.set_exception(error)
            raise
        self._end(key, read, value)
        return value

    def invalidate(self, key: str) -> bool:
        """The removal of a copy; call it after the change behind it is committed. A load that began before is not kept.

        A read that is under way in another process may still return what it found. False if Redis did not answer: then
        copies serve on, for at most `1.1 x seconds + stale_seconds`.

        Args:
            key: The key of the copy.
        """
        try:
            self._client.delete(*self._keys(key))
        except Exception as error:
            self.breaker.failed(error)
            _log.warning("cache_invalidation_failed", exc_info=True, extra={"fields": {"cache": self._name}})
            return False
        finally:
            with self._lock:
                self._reads.pop(key, None)
        return True

    def _join(self, key: str, under_way: "Future[Value]") -> Value:
        """What another thread reads; after `load_seconds` what this one loads, and later reads look anew."""
        if wait((under_way,), self._load_seconds).done:
            return under_way.result()
        with self._lock:
            if self._reads.get(key) is under_way:
                del self._reads[key]
        return self._load_own(key)

    def _read(self, key: str, read: "Future[Value]") -> Value:
        token = uuid.uuid4().hex
        pause, last_look = _FIRST_PAUSE, time.monotonic() + self._load_seconds
        while found := self._look(key, token):
            ours, copy = found
            if ours:
                return self._refresh(key, token, copy, read)
            if copy:
                return copy[0]
            if time.monotonic() > last_look:
                break
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return self._load_own(key)

    def _look(self, key: str, token: str) -> tuple[bool, tuple[Value] | None] | None:
        """Whether this read has the lock and loads, and the copy, if there is one; None if Redis does not answer."""
        haste = -math.log(1 - random.random())  # noqa: S311
        args = [token, _milliseconds(self._load_seconds), haste]
        answer = self._ask(lambda: self._look_script(keys=self._keys(key), args=args))
        if answer is None:
            return None
        ours, known, text = cast("tuple[int, int, str | bytes | None]", answer)
        if not known:
            return bool(ours), None
        if isinstance(text, bytes):  # a client that does not decode
            text = text.decode()
        try:
            return bool(ours), (cast("Value", None) if text is None else self._decode(text),)
        except Exception:
            _log.warning("cache_copy_unreadable", exc_info=True, extra={"fields": {"cache": self._name}})
            self.invalidate(key)
            return None

    def _refresh(self, key: str, token: str, copy: tuple[Value] | None, read: "Future[Value]") -> Value:
        if copy:
            self._end(key, read, copy[0])  # nobody else waits
        began = time.monotonic()
        try:
            value = self._load_own(key)
            text = None if value is None else self._encode(value)
        except Exception:
            self._unlock(key, token, after=_RELOAD_SECONDS if copy else 0)
            if not copy:
                raise
            _log.warning("cache_load_failed", exc_info=True, extra={"fields": {"cache": self._name}})
            return copy[0]
        self._store(key, token, text, cost=time.monotonic() - began)
        return value

    def _load_own(self, key: str) -> Value:
        loading = self._loading()
        loading.add(key)
        try:
            return self._load(key)
        finally:
            loading.discard(key)

    def _loading(self) -> set[str]:
        """The keys that this thread loads: a load that read one of them would wait for itself."""
        return self._own.__dict__.setdefault("keys", set())

    def _store(self, key: str, token: str, text: str | None, *, cost: float) -> None:
        fresh, stale = (self._nothing_seconds, 0) if text is None else (self._seconds, self._stale_seconds)
        if not fresh or len(text or "") > self._largest:
            self._unlock(key, token, after=0)
            return
        fresh *= random.uniform(0.9, 1.1)  # noqa: S311
        args = [token, *map(_milliseconds, (fresh + stale, cost, stale)), *([] if text is None else [text])]
        self._ask(lambda: self._store_script(keys=self._keys(key), args=args))

    def _unlock(self, key: str, token: str, *, after: float) -> None:
        self._ask(lambda: self._unlock_script(keys=self._keys(key), args=[token, _milliseconds(after)]))

    def _ask(self, call: Callable[[], Answer]) -> Answer | None:
        if not self.breaker.lets_through():
            return None
        try:
            answer = call()
        except Exception as error:  # Redis', or its credentials': either way, `load` knows
            self.breaker.failed(error)
            return None
        self.breaker.answered()
        return answer

    def _end(self, key: str, read: "Future[Value]", *value: Value) -> None:
        """Let the threads that joined go on with `value`; later reads look anew."""
        with self._lock:
            if self._reads.get(key) is read:
                del self._reads[key]
        if value and not read.done():
            read.set_result(value[0])

    def _keys(self, key: str) -> list[str]:
        record = f"cache:{{{self._name}:{key}}}"
        return [record, f"{record}:lock"]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
