"""Extending: a lease begins anew, as an idle time of zero, if it has not ended."""

from fargate_workers_runtime.brokers.redis_streams.scripts.common import FLAGS, NOW, OWNER

# KEYS are stream, later, seen
# ARGV are group, ms until the leases end, then consumer, id and count of each
# Returns the places of those that are not leased any more, and then of those that were trimmed.
#
# Redis takes no idle time below zero, so that a lease longer than the consumer's stands in `later`.
EXTEND = f"""{FLAGS}{NOW}{OWNER}
local duration = tonumber(ARGV[2])
local lost, trimmed = {{}}, {{}}
for index = 3, #ARGV, 3 do
    local consumer, id, count = unpack(ARGV, index, index + 2)
    local whose, idle = mine(id, consumer, count)
    local lease = tonumber(string.match(consumer, ':(%d+)$'))
    if whose ~= 'leased' or (idle >= lease and tonumber(redis.call('ZSCORE', later, id) or 0) <= now) then
        lost[#lost + 1] = (index - 3) / 3
    else
        local left = math.max(0, lease - duration)
        if not redis.call('XCLAIM', stream, group, consumer, 0, id, 'IDLE', left, 'JUSTID')[1] then
            trimmed[#trimmed + 1] = (index - 3) / 3
        elseif duration > lease then
            redis.call('ZADD', later, now + duration, id)
        else
            redis.call('ZREM', later, id)
        end
    end
end
return {{lost, trimmed}}
"""
