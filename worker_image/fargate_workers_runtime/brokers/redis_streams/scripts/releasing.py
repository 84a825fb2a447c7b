"""Releasing: a lease ends now, and the entry waits in `later` until it is delivered again."""

from fargate_workers_runtime.brokers.redis_streams.scripts.common import FLAGS, NOW, OWNER

# KEYS are stream, later, seen
# ARGV are group, then consumer, id, count, first delivery in ms and delay in ms of each
# Returns the places of those that are not leased any more. To repeat a release is harmless.
RELEASE = f"""{FLAGS}{NOW}{OWNER}
local lost = {{}}
for index = 2, #ARGV, 5 do
    local consumer, id, count, first, delay = unpack(ARGV, index, index + 4)
    local whose = mine(id, consumer, count)
    if whose == 'leased' then
        redis.call('XACK', stream, group, id)
        redis.call('ZADD', later, now + delay, id)
        redis.call('HSET', seen, id, first .. ' ' .. count)
    elseif whose ~= 'released' then
        lost[#lost + 1] = (index - 2) / 5
    end
end
return lost
"""
