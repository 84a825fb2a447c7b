"""Receiving without a lease: what is due of what was released, and then what is in the list, are gone when taken."""

from fargate_workers_runtime.brokers.redis_lists.scripts.common import FLAGS, IDENTIFY, NOW, OWNER

# KEYS are list, leases, bodies, counts
# ARGV are limit
# Returns {ms until the next one that was released is due, or -1; of each: "id count first-in-ms", element}
POP = f"""{FLAGS}{NOW}{OWNER}{IDENTIFY}
local limit = tonumber(ARGV[1])
local taken, number, ids = {{}}, 0, {{}}
local function take(id, raw, count, first)
    taken[#taken + 1] = id .. ' ' .. count .. ' ' .. first
    taken[#taken + 1] = raw
    number = number + 1
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, limit)) do
    local counted, first = string.match(redis.call('HGET', counts, id) or '0 0 -', '^(%d+) (%d+) ')
    take(id, redis.call('HGET', bodies, id) or '', counted + 1, first)
    ids[#ids + 1] = id
end
forget(ids)
if number < limit then
    for _, raw in ipairs(redis.call('RPOP', list, limit - number) or {{}}) do
        take(identify(raw), raw, 1, string.format('%d', now))
    end
end
if number > 0 then
    table.insert(taken, 1, -1)
    return taken
end
local next_ = redis.call('ZRANGE', leases, 0, 0, 'WITHSCORES')
return {{next_[2] and math.max(0, next_[2] - now) or -1}}
"""
