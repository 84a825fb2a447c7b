"""Extending: a lease ends later, if it has not ended."""

from fargate_workers_runtime.brokers.redis_lists.scripts.common import FLAGS, NOW, OWNER

# KEYS are list, leases, bodies, counts
# ARGV are ms until the leases end, then id, owner and count of each
# Returns the places of those that are not leased any more
EXTEND = f"""{FLAGS}{NOW}{OWNER}
local lost = {{}}
for index = 2, #ARGV, 3 do
    local id, owner, count = unpack(ARGV, index, index + 2)
    if whose(id, owner, count) == 'leased' and tonumber(redis.call('ZSCORE', leases, id)) > now then
        redis.call('ZADD', leases, now + ARGV[1], id)
    else
        lost[#lost + 1] = (index - 2) / 3
    end
end
return lost
"""
