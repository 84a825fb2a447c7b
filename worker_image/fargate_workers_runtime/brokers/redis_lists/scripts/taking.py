"""Receiving: what was released and is due or what a lease has ended for, and then what is in the list."""

from fargate_workers_runtime.brokers.redis_lists.scripts.common import FLAGS, IDENTIFY, NOW, OWNER
from fargate_workers_runtime.brokers.redis_lists.scripts.dead_lettering import BURY

# KEYS are list, leases, bodies, counts, dead-letter list (or the list, if there is none)
# ARGV are owner, lease in ms, limit, most deliveries (0: no limit), source
# Returns {ms until the next lease ends, or -1; given up; of each message: "id count first-in-ms", element}
TAKE = f"""{FLAGS}{NOW}{OWNER}{IDENTIFY}{BURY}
local owner, lease, limit, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local taken, number, given_up = {{}}, 0, 0
local scores, contents, about = {{}}, {{}}, {{}}

local function take(id, raw, count, first)
    scores[#scores + 1] = now + lease
    scores[#scores + 1] = id
    about[#about + 1] = id
    about[#about + 1] = string.format('%d %d %s', count, first, owner)
    taken[#taken + 1] = string.format('%s %d %d', id, count, first)
    taken[#taken + 1] = raw
    number = number + 1
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, limit)) do
    local raw = redis.call('HGET', bodies, id)
    local counted, first = string.match(redis.call('HGET', counts, id) or '0 0 -', '^(%d+) (%d+) ')
    local count = counted + 1
    if not raw then
        forget({{id}})
    elseif most > 0 and count > most
        and not bury(id, raw, counted, 'received ' .. counted .. ' times, and never answered', '', ARGV[5]) then
        given_up = given_up + 1
    else  -- also what cannot be dead-lettered now: the others must not wait for it
        take(id, raw, count, tonumber(first))
    end
end

if number < limit then
    for _, raw in ipairs(redis.call('RPOP', list, limit - number) or {{}}) do
        local id = identify(raw)
        contents[#contents + 1] = id
        contents[#contents + 1] = raw
        take(id, raw, 1, now)
    end
end

if number > 0 then
    redis.call('ZADD', leases, unpack(scores))
    redis.call('HSET', counts, unpack(about))
    if #contents > 0 then
        redis.call('HSET', bodies, unpack(contents))
    end
    table.insert(taken, 1, given_up)
    table.insert(taken, 1, -1)
    return taken
end
local next_ = redis.call('ZRANGE', leases, 0, 0, 'WITHSCORES')
return {{next_[2] and math.max(0, next_[2] - now) or -1, given_up}}
"""
