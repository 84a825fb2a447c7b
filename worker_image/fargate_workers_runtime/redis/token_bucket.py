"""A limit on how often something begins, shared by all processes through Redis.

The bucket is one number: the instant at which it was, or will be, empty. Taking tokens moves that instant on, past now
if there are none, and the answer is when they are due. So each request has a place in the line at once: first come,
first served, without polling, and tokens that a crash takes along are lost, never granted twice.

Only Redis' clock counts. The tokens of one call are for the threads that wait at that moment, so that a busy process
asks once for ten of them and an idle one keeps none from the others.
"""

import random
import threading
import time
from collections import deque
from typing import cast

import redis

#: How far ahead places in the line are given, in seconds. It bounds what crashed processes can take along, and how long
#: everybody waits when a failover brings a clock that is behind.
_LINE_SECONDS = 60.0

#: How long a token may be used after it was due, when the thread that waited for it was stopped.
_LAPSE_SECONDS = 5.0

# Instants and durations are in microseconds. They stay exact in a double, not in Lua's own formatting of one. Repeated
# because its answer was lost, the script takes tokens once more, which nobody uses.
_TAKE = """
local tokens, pace, burst, line = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = burst * pace
local empty_at = tonumber(redis.call('GET', KEYS[1]) or 0)
if empty_at > now + line + full then
  empty_at = now
end
if empty_at > now + line then
  return false
end
empty_at = math.max(empty_at, now - full) + tokens * pace
local written = string.format('%.17g', empty_at)
redis.call('SET', KEYS[1], written, 'PX', math.ceil((empty_at - now + full) / 1000) + 1)
return {math.ceil(empty_at - now), written}
"""

# Only while no process has taken any since: later places in the line stand, and a repeated return returns once.
_GIVE_BACK = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('SET', KEYS[1], string.format('%.17g', ARGV[1] - ARGV[2]), 'KEEPTTL')
end
"""


class TokenBucket:
    """Tokens at `rate` per second for all processes that share `name`.

    In any period at most `burst + rate x seconds` tokens are due. Rates may differ between processes, as during a
    deployment: each takes at its own.

    Args:
        client: A client as `connect_redis` makes it.
        name: What is limited. It is the hash tag of the only key, so that every cluster can run the scripts.
        rate: Tokens per second.
        burst: Tokens that gather while nobody takes any, at least 1. Default: what the rate brings in 50 ms, so that a
            second has 5 % more than the rate at most.
        lease: The most tokens taken by one call, and never more than `burst`. Default: 10.

    Attributes:
        burst: Tokens that gather while nobody takes any.
        most: The most tokens taken by one call.

    Raises:
        ValueError: The rate is not more than 0.
    """

    def __init__(
        self, client: redis.Redis, name: str, *, rate: float, burst: float | None = None, lease: int = 10
    ) -> None:
        if rate <= 0:
            raise ValueError(f"rate is {rate}; make it more than 0 tokens per second.")
        self.burst: float = max(1.0, rate / 20 if burst is None else burst)
        self.most: int = max(1, min(lease, int(self.burst)))
        self._pace = 1_000_000 / rate
        self._key = f"token-bucket:{{{name}}}"
        self._take_script = client.register_script(_TAKE)
        self._give_back_script = client.register_script(_GIVE_BACK)
        self._counting = threading.Lock()
        self._waiting = 0
        self._turn = threading.Lock()
        self._due: deque[float] = deque()  # instants of the monotonic clock, one per token
        self._written = ""
        self._failures = 0  # calls that Redis did not answer, and the last one's error
        self._failure: Exception | None = None

    def take(self, *, stopping: threading.Event) -> bool:
        """One token, when it is due; False as soon as `stopping` is set.

        Args:
            stopping: The end of the wait, which the threads that wait must have in common.

        Raises:
            redis.RedisError: Redis does not answer, or refuses. One thread finds that out for all that wait.
        """
        failures = self._failures
        with self._counting:
            self._waiting += 1
        try:
            with self._turn:
                if self._failures != failures:
                    raise redis.RedisError("Redis did not answer another thread that waited.") from self._failure
                return self._next(stopping)
        finally:
            with self._counting:
                self._waiting -= 1

    @property
    def waiting(self) -> int:
        """The threads of this process that wait for a token."""
        return self._waiting

    def check(self) -> None:
        """A request for no tokens, which raises if Redis does not answer, or refuses as a replica does."""
        self._ask(tokens=0)

    def close(self) -> None:
        """The return of unused tokens, if no process has taken any since. Where Redis does not answer they are lost."""
        with self._turn:
            unused = self._unlapsed()
            self._due.clear()
        if unused:
            try:
                self._give_back_script(keys=[self._key], args=[self._written, unused * self._pace])
            except redis.RedisError:
                return

    def _next(self, stopping: threading.Event) -> bool:
        while not stopping.is_set():
            if self._unlapsed():
                if stopping.wait(self._due[0] - time.monotonic()):
                    return False
                self._due.popleft()
                return True
            if not self._lease():
                # The line is full. Coming back at random spreads those who wait outside.
                stopping.wait(random.uniform(0, _LINE_SECONDS / 2))  # noqa: S311
        return False

    def _unlapsed(self) -> int:
        while self._due and self._due[0] < time.monotonic() - _LAPSE_SECONDS:
            self._due.popleft()
        return len(self._due)

    def _lease(self) -> bool:
        count = min(self.most, self._waiting)
        try:
            answer = self._ask(tokens=count)
        except Exception as error:
            self._failures, self._failure = self._failures + 1, error
            raise
        if answer is None:
            return False
        microseconds, self._written = answer
        now = time.monotonic()
        for later in reversed(range(count)):
            self._due.append(now + max(0.0, microseconds - later * self._pace) / 1_000_000)
        return True

    def _ask(self, *, tokens: int) -> tuple[int, str] | None:
        """In how many microseconds the last of them is due, and what is written; None if the line is full."""
        args = [tokens, self._pace, self.burst, _LINE_SECONDS * 1_000_000]
        return cast("tuple[int, str] | None", self._take_script(keys=[self._key], args=args))
