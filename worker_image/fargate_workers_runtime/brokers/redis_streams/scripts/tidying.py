"""Tidying: consumers leave the group, if they have nothing pending: with a consumer, its pending entries would go."""

from fargate_workers_runtime.brokers.redis_streams.scripts.common import FLAGS

# KEYS are stream
# ARGV are group, ms without a sign after which a consumer is taken for dead, then names that leave in any case
# Returns the number of those that left
TIDY = f"""{FLAGS}
local leaving = {{}}
for index = 3, #ARGV do
    leaving[ARGV[index]] = true
end
local left = 0
for _, each in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local about = {{}}
    for index = 1, #each, 2 do
        about[each[index]] = each[index + 1]
    end
    if about['pending'] == 0 and (leaving[about['name']] or about['idle'] > tonumber(ARGV[2])) then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], about['name'])
        left = left + 1
    end
end
return left
"""
