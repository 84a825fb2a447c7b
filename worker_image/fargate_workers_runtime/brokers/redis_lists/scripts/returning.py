"""Releasing a message that was taken without a lease: it is stored again until its delay is over."""

from fargate_workers_runtime.brokers.redis_lists.scripts.common import FLAGS, NOW

# KEYS are list, leases, bodies, counts
# ARGV are id, count, first delivery in ms, delay in ms and what was in the list of each
RETURN = f"""{FLAGS}{NOW}
for index = 1, #ARGV, 5 do
    local id, count, first, delay, raw = unpack(ARGV, index, index + 4)
    redis.call('ZADD', KEYS[2], now + delay, id)
    redis.call('HSET', KEYS[3], id, raw)
    redis.call('HSET', KEYS[4], id, count .. ' ' .. first .. ' -')
end
"""
