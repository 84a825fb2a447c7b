"""Releasing: a lease ends now, and the message is delivered again after its delay."""

from fargate_workers_runtime.brokers.redis_lists.scripts.common import FLAGS, NOW, OWNER

# KEYS are list, leases, bodies, counts
# ARGV are id, owner, count, first delivery in ms and delay in ms of each
# Returns the places of those that are not leased any more. To repeat a release is harmless.
RELEASE = f"""{FLAGS}{NOW}{OWNER}
local lost = {{}}
for index = 1, #ARGV, 5 do
    local id, owner, count, first, delay = unpack(ARGV, index, index + 4)
    local state = whose(id, owner, count)
    if state == 'leased' then
        redis.call('ZADD', leases, now + delay, id)
        redis.call('HSET', counts, id, count .. ' ' .. first .. ' -')
    elseif state ~= 'released' then
        lost[#lost + 1] = (index - 1) / 5
    end
end
return lost
"""
