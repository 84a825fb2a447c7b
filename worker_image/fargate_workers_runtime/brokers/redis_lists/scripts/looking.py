"""Looking: what waits, what is leased, and the messages that may be the oldest."""

from fargate_workers_runtime.brokers.redis_lists.scripts.common import FLAGS, NOW

# KEYS are list, leases
# Returns {waiting, leased or released, ms, the beginning of the next message of the list, ids of some that were taken}
LOOK = f"""{FLAGS}{NOW}
local due = redis.call('ZCOUNT', KEYS[2], '-inf', now)
local leased = redis.call('ZCARD', KEYS[2]) - due
local next_ = redis.call('LINDEX', KEYS[1], -1) or ''
return {{redis.call('LLEN', KEYS[1]) + due, leased, now, string.sub(next_, 1, 33), unpack(
    redis.call('ZRANGE', KEYS[2], 0, 99))}}
"""
