"""Receiving: what was released and is due, what a lease has ended for, and what is new, in this order."""

from fargate_workers_runtime.brokers.redis_streams.scripts.common import FLAGS, NOW
from fargate_workers_runtime.brokers.redis_streams.scripts.dead_lettering import BURY

# KEYS are stream, later, seen, dead-letter stream (or the stream, if there is none)
# ARGV are group, consumer, lease in ms, limit, most deliveries (0: no limit), whether ended entries are deleted, source
# Returns {ms until the next one in `later` is due, or -1; trimmed; given up; of each entry: "id count first-in-ms
# length", and as many fields and values, of which a body alone is without its name}: flat and short, because clients
# take long over arrays in arrays, and over each element
TAKE = f"""{FLAGS}{NOW}{BURY}
local stream, later, seen = KEYS[1], KEYS[2], KEYS[3]
local group, consumer, lease, limit, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local taken, number, trimmed, given_up = {{}}, 0, 0, 0

local function take(id, fields, count, first)
    if most > 0 and count > most
        and not bury(id, fields, count - 1, 'received ' .. (count - 1) .. ' times, and never answered', '') then
        given_up = given_up + 1
    else  -- also what cannot be dead-lettered now: the others must not wait for it
        number = number + 1
        local from = #fields == 2 and fields[1] == 'body' and 2 or 1
        taken[#taken + 1] = string.format('%s %d %d %d', id, count, first, #fields - from + 1)
        for index = from, #fields do
            taken[#taken + 1] = fields[index]
        end
    end
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, limit)) do
    local pending = redis.call('XPENDING', stream, group, id, id, 1)[1]
    local first, count = string.match(redis.call('HGET', seen, id) or '', '^(%d+) (%d+)$')
    count = (pending and pending[4] or count or 0) + 1
    redis.call('ZREM', later, id)
    local claimed = redis.call('XCLAIM', stream, group, consumer, 0, id, 'RETRYCOUNT', count, 'FORCE')[1]
    if claimed then
        take(id, claimed[2], count, first or now)
    else
        redis.call('HDEL', seen, id)
        trimmed = trimmed + 1
    end
end

if number < limit then
    local ids, of = {{}}, {{}}
    for _, each in ipairs(redis.call('XPENDING', stream, group, 'IDLE', lease, '-', '+', limit - number)) do
        local id = each[1]
        local theirs = tonumber(string.match(each[2], ':(%d+)$') or 0)
        local until_ = redis.call('ZSCORE', later, id)
        if until_ and tonumber(until_) > now then
            redis.call('XCLAIM', stream, group, each[2], 0, id, 'IDLE', 0, 'JUSTID')
        elseif each[3] >= theirs then
            ids[#ids + 1] = id
            of[id] = each
        end
    end
    if #ids > 0 then
        for _, claimed in ipairs(redis.call('XCLAIM', stream, group, consumer, lease, unpack(ids))) do
            local id = claimed[1]
            local before = of[id]
            of[id] = nil
            local first = string.match(redis.call('HGET', seen, id) or '', '^(%d+)')
            if not first then
                first = now - before[3]
                redis.call('HSET', seen, id, string.format('%d 0', first))
            end
            take(id, claimed[2], before[4] + 1, first)
        end
        for id in pairs(of) do
            redis.call('HDEL', seen, id)
            trimmed = trimmed + 1
        end
    end
end

if number < limit then
    local new = redis.call(
        'XREADGROUP', 'GROUP', group, consumer, 'COUNT', limit - number, 'STREAMS', stream, '>')
    for _, each in ipairs(new and new[1][2] or {{}}) do
        take(each[1], each[2], 1, now)
    end
end

local due = -1
if number == 0 then
    local next_ = redis.call('ZRANGE', later, 0, 0, 'WITHSCORES')
    due = next_[2] and math.max(0, next_[2] - now) or -1
end
table.insert(taken, 1, given_up)
table.insert(taken, 1, trimmed)
table.insert(taken, 1, due)
return taken
"""
