"""Claims, in Redis: a fraction of what DynamoDB's cost and take, and without their durability.

A failover may lose writes that Redis has acknowledged, for it answers before a replica has them
(https://aphyr.com/posts/283-jepsen-redis), and a key whose claim or completion is lost runs again. So claims in Redis
spare work that would be repeated; they are not the only guard of an effect that must not repeat. Claim such an effect
in DynamoDB, make it repeatable, or let ElastiCache write synchronously
(https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Durability.Options.html). Nor may the server evict claims: its
`maxmemory-policy` must be `noeviction` (RedisCache: purpose="locks").

One hash a key, of 280 bytes if the key is a UUID: a million messages a month are 0.28 GB, since the hash's time to live
is how long a key is remembered.

    st  P in progress, C completed      ow  owner's token      lu  leased until, ms
    ph  payload's fingerprint           n   attempts
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, cast

from fargate_workers_runtime.claims import KEEP_SECONDS, Claim

if TYPE_CHECKING:
    import redis

# A script runs alone, so that what it has read still holds when it writes; and each may run twice, because a client
# that lost the answer asks again. Owners are compared before anything is written.
_READ = """
local now = tonumber(ARGV[1])
if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local me = ARGV[2]
local state, owner, leased_until, payload, attempts = unpack(redis.call('HMGET', KEYS[1], 'st', 'ow', 'lu', 'ph', 'n'))
"""

_CLAIM = f"""{_READ}
if state == 'C' then
    return {{'completed', attempts, 0, payload}}
elseif state == 'P' and tonumber(leased_until) >= now then
    return {{owner == me and 'granted' or 'held', attempts, leased_until - now, payload}}
end
redis.call('HSET', KEYS[1], 'st', 'P', 'ow', me, 'lu', now + ARGV[3], 'ph', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return {{'granted', redis.call('HINCRBY', KEYS[1], 'n', 1), 0, ARGV[4]}}
"""

_RENEW = f"""{_READ}
if state ~= 'P' or owner ~= me then
    return 0
end
redis.call('HSET', KEYS[1], 'lu', now + ARGV[3])
return 1
"""

_COMPLETE = f"""{_READ}
if owner ~= me then
    return 0
end
redis.call('HSET', KEYS[1], 'st', 'C')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""

_RELEASE = f"""{_READ}
if state == 'P' and owner == me then
    redis.call('HSET', KEYS[1], 'lu', 0)
end
return 1
"""


class RedisClaims:
    """Claims of one `scope` (the worker's name) in the server behind `client`.

    Args:
        clock: Seconds since the epoch. Default: the server's own clock. All workers then compare leases by one clock,
            and none of theirs can be wrong; DynamoDB has no clock to ask, hence `CLOCK_SKEW` there and not here.
    """

    def __init__(self, client: "redis.Redis", *, scope: str, clock: Callable[[], float] | None = None) -> None:
        self._client = client
        self._scope = scope
        self._clock = clock
        # Each call sends the script's hash, and the script only to a server that has not seen it since its start.
        self._claim = client.register_script(_CLAIM)
        self._renew = client.register_script(_RENEW)
        self._complete = client.register_script(_COMPLETE)
        self._release = client.register_script(_RELEASE)

    def claim(self, key: str, *, owner: str, seconds: float, payload: str = "") -> Claim:
        state, attempts, left, first = self._run(
            self._claim, key, owner, _milliseconds(seconds), payload, _milliseconds(KEEP_SECONDS)
        )
        state = cast("Literal['granted', 'completed', 'held']", _text(state))
        return Claim(
            state=state,
            attempt=int(attempts),
            seconds_left=left / 1000 if state == "held" else 0.0,
            payload=_text(first),
        )

    def renew(self, key: str, *, owner: str, seconds: float) -> bool:
        return bool(self._run(self._renew, key, owner, _milliseconds(seconds)))

    def complete(self, key: str, *, owner: str) -> bool:
        return bool(self._run(self._complete, key, owner, _milliseconds(KEEP_SECONDS)))

    def release(self, key: str, *, owner: str) -> None:
        self._run(self._release, key, owner)

    def check(self) -> None:
        # A write: a replica and a server that is full answer a ping, and take no claims.
        self._client.set(f"claim:{{{self._scope}}}:check", "1", px=1000)

    def _run(self, script: Callable[..., Any], key: str, owner: str, *values: str | int) -> Any:
        # The braces make a hash tag: whatever else belongs to the key can be kept in the same slot of a cluster.
        now = "" if self._clock is None else _milliseconds(self._clock())
        return script(keys=[f"claim:{{{self._scope}#{key}}}"], args=[now, owner, *values])


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _text(value: str | bytes) -> str:
    """Redis answers in bytes unless its client was told to decode."""
    return value.decode() if isinstance(value, bytes) else value
