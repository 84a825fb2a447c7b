"""Acknowledging: entries end for good, if the delivery is the newest one."""

from fargate_workers_runtime.brokers.redis_streams.scripts.common import FLAGS, OWNER

# KEYS are stream, later, seen
# ARGV are group, `delete` or `keep`, then "id consumer first-in-ms count" of each: one argument takes a
# client a third of the time of three
# Returns the places of those that are another worker's by now. What has ended is deleted, too: a failover may have
# forgotten its delivery, and would deliver it once more.
ACKNOWLEDGE = f"""{FLAGS}{OWNER}
local ended, lost = {{}}, {{}}
for index = 3, #ARGV do
    local id, consumer, count = string.match(ARGV[index], '^(%S+) (%S+) %d+ (%d+)$')
    if mine(id, consumer, count) == 'lost' then
        lost[#lost + 1] = index - 3
    else
        ended[#ended + 1] = id
    end
end
if #ended > 0 then
    redis.call('XACK', stream, group, unpack(ended))
    redis.call('ZREM', later, unpack(ended))
    redis.call('HDEL', seen, unpack(ended))
    if ARGV[2] == 'delete' then
        redis.call('XDEL', stream, unpack(ended))
    end
end
return lost
"""
