"""Claims, in Redis: a fraction of what DynamoDB's cost and take, and without their durability.

A failover may lose writes that Redis has acknowledged, for it answers before a replica has them
(https://aphyr.com/posts/283-jepsen-redis), and a key whose claim or completion is lost runs again. So claims in Redis
spare work that would be repeated; they are not the only guard of an effect that must not repeat. Claim such an effect
in DynamoDB, make it repeatable, or let ElastiCache write synchronously
(https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Durability.Options.html). Nor may the server evict claims: its
`maxmemory-policy` must be `noeviction` (RedisCache: eviction="noeviction").

One hash a key, of 280 bytes if the key is a UUID: a million messages a month are 0.28 GB, since the hash's time to live
is how long a key is remembered.

    st  P in progress, C completed      ow  owner's token      lu  leased until, ms
    ph  payload's fingerprint           n   attempts
    mi  id of the message that claimed last      mn  its attempts      mu  those of them without an answer
    mo  both of other messages, each after its id
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, cast

from fargate_workers_runtime.claims.protocol import KEEP_SECONDS, MESSAGES_COUNTED, Claim

if TYPE_CHECKING:
    import redis

# A script runs alone, so that what it has read still holds when it writes; and each may run twice, because a client
# that lost the answer asks again. Owners are compared before anything is written. A key without one was forgotten, by a
# failover or a restart: it is still its owner's, and with what payload it was claimed first is not known any more.
_READ = """
local now = tonumber(ARGV[1])
if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local me = ARGV[2]
local state, owner, leased_until, payload, attempts, message, of_message, unanswered, of_others =
    unpack(redis.call('HMGET', KEYS[1], 'st', 'ow', 'lu', 'ph', 'n', 'mi', 'mn', 'mu', 'mo'))
local mine = not owner or owner == me
"""

_CLAIM = f"""{_READ}
payload, attempts, of_message = payload or ARGV[4], attempts or 1, tonumber(of_message) or 0
unanswered = tonumber(unanswered) or 0
if state == 'C' then
    return {{'completed', attempts, 0, payload, 1, 0}}
elseif state == 'P' and tonumber(leased_until) >= now then
    return {{owner == me and 'granted' or 'held', attempts, leased_until - now, payload, of_message, unanswered - 1}}
end
if message ~= ARGV[6] then
    local counts = {{}}
    if message and message ~= '' then
        counts[1] = message .. ' ' .. of_message .. ' ' .. unanswered
    end
    of_message, unanswered = 0, 0
    for each, number, deaths in string.gmatch(of_others or '', '(%S+) (%d+) (%d+)') do
        if each == ARGV[6] then
            of_message, unanswered = tonumber(number), tonumber(deaths)
        elseif #counts < {MESSAGES_COUNTED} then
            counts[#counts + 1] = each .. ' ' .. number .. ' ' .. deaths
        end
    end
    redis.call('HSET', KEYS[1], 'mi', ARGV[6], 'mo', table.concat(counts, ' '))
end
redis.call('HSET', KEYS[1], 'st', 'P', 'ow', me, 'lu', now + ARGV[3], 'ph', ARGV[4])
redis.call('HSET', KEYS[1], 'mn', of_message + 1, 'mu', unanswered + 1)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return {{'granted', redis.call('HINCRBY', KEYS[1], 'n', 1), 0, ARGV[4], of_message + 1, unanswered}}
"""

_RENEW = f"""{_READ}
if state == 'C' or not mine then
    return mine and 1 or 0
end
redis.call('HSET', KEYS[1], 'st', 'P', 'ow', me, 'lu', now + ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
"""

_COMPLETE = f"""{_READ}
if not mine then
    return 0
end
redis.call('HSET', KEYS[1], 'st', 'C', 'ow', me)
if message then
    redis.call('HSET', KEYS[1], 'mi', '', 'mn', '', 'mu', '', 'mo', '')
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""

_RELEASE = f"""{_READ}
if state == 'P' and owner == me and tonumber(leased_until) > 0 then
    redis.call('HSET', KEYS[1], 'lu', 0)
    if message then
        redis.call('HINCRBY', KEYS[1], 'mu', -1)
    end
    if message and ARGV[3] == 'unbegun' then
        redis.call('HINCRBY', KEYS[1], 'n', -1)
        redis.call('HINCRBY', KEYS[1], 'mn', -1)
    end
end
return 1
"""

# The commands of the other scripts and no further ones, at a key of its own that is gone at once.
_CHECK = f"""{_READ}
redis.call('HSET', KEYS[1], 'st', 'P')
redis.call('HINCRBY', KEYS[1], 'n', 1)
redis.call('PEXPIRE', KEYS[1], 1)
"""


class RedisClaims:
    """Claims of one `scope` (the worker's name) in the server behind `client`.

    Args:
        clock: Seconds since the epoch. Default: the server's own clock. All workers then compare leases by one clock,
            and no worker's can be wrong; DynamoDB has no clock to ask, hence `CLOCK_SKEW` there and not here.
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
        self._check = client.register_script(_CHECK)
        self._failed = ""  # the key of the last call that failed; no key is empty

    def claim(self, key: str, *, owner: str, seconds: float, payload: str = "", message_id: str = "") -> Claim:
        state, attempts, left, first, of_message, unanswered = self._run(
            self._claim, key, owner, _milliseconds(seconds), payload, _milliseconds(KEEP_SECONDS), message_id
        )
        state = cast("Literal['granted', 'completed', 'held']", _text(state))
        return Claim(
            state=state,
            attempt=max(1, int(attempts)),
            of_message=max(1, int(of_message)),
            unanswered=max(0, int(unanswered)),
            seconds_left=left / 1000 if state == "held" else 0.0,
            payload=_text(first),
        )

    def renew(self, key: str, *, owner: str, seconds: float) -> bool:
        return bool(self._run(self._renew, key, owner, _milliseconds(seconds), _milliseconds(KEEP_SECONDS)))

    def complete(self, key: str, *, owner: str) -> bool:
        return bool(self._run(self._complete, key, owner, _milliseconds(KEEP_SECONDS)))

    def release(self, key: str, *, owner: str, begun: bool = True) -> None:
        self._run(self._release, key, owner, "" if begun else "unbegun")

    def check(self) -> None:
        # A replica, a server that is full and a user without the rights answer a ping, and take no claims; and of a
        # cluster the shard that failed is asked.
        self._check(keys=[self._name(self._failed, part=":check")], args=["", ""])

    def _run(self, script: Callable[..., Any], key: str, owner: str, *values: str | int) -> Any:
        now = "" if self._clock is None else _milliseconds(self._clock())
        try:
            return script(keys=[self._name(key)], args=[now, owner, *values])
        except Exception:
            self._failed = key
            raise

    def _name(self, key: str, *, part: str = "") -> str:
        # The braces make a hash tag: all that belongs to the key can be kept in the same slot of a cluster.
        return f"claim:{{{self._scope}#{key}}}{part}"


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _text(value: str | bytes) -> str:
    """The text of an answer, which is bytes unless the client decodes."""
    return value.decode() if isinstance(value, bytes) else value
