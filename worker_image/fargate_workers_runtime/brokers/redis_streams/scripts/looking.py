"""Looking: what waits, what is leased, and how old the oldest of them is."""

from fargate_workers_runtime.brokers.redis_streams.scripts.common import FLAGS, NOW

# KEYS are stream, later
# ARGV are group, `delete` or `keep`
# Returns {waiting, leased or released, ms of the oldest one or -1}
#
# Where ended entries are deleted, all that is left has not ended. Otherwise the server counts what the group has not
# read, and does not know it after an entry was deleted: it is counted then, to the ten thousandth at least.
LOOK = f"""{FLAGS}{NOW}
local stream, later, group = KEYS[1], KEYS[2], ARGV[1]
local pending = redis.call('XPENDING', stream, group)
local leased = pending[1] + redis.call('ZCARD', later)
for _, id in ipairs(redis.call('ZRANGE', later, 0, 99)) do  -- those beyond their lease's length are in both
    leased = leased - #redis.call('XPENDING', stream, group, id, id, 1)
end
local function first_of(from)
    local entry = redis.call('XRANGE', stream, from, '+', 'COUNT', 1)[1]
    return entry and tonumber(string.match(entry[1], '^(%d+)'))
end
local waiting, oldest = 0, nil
if ARGV[2] == 'delete' then
    waiting = math.max(0, redis.call('XLEN', stream) - leased)
    oldest = first_of('-')
else
    local read = '0-0'
    for _, each in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
        local about = {{}}
        for index = 1, #each, 2 do
            about[each[index]] = each[index + 1]
        end
        if about['name'] == group then
            read, waiting = about['last-delivered-id'], about['lag']
        end
    end
    oldest = first_of('(' .. read)
    if not waiting then
        waiting = #redis.call('XRANGE', stream, '(' .. read, '+', 'COUNT', 10000)
    end
    local function older(id)
        local at = id and tonumber(string.match(id, '^(%d+)'))
        oldest = at and math.min(oldest or at, at) or oldest
    end
    older(pending[2] or nil)
    for _, id in ipairs(redis.call('ZRANGE', later, 0, 99)) do
        older(id)
    end
end
return {{waiting, leased, oldest and math.max(0, now - oldest) or -1}}
"""
