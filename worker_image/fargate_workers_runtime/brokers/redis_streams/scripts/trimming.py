"""Trimming: of a stream with several groups, what every group has ended, and what is too old for any."""

from fargate_workers_runtime.brokers.redis_streams.scripts.common import FLAGS, NOW

# KEYS are stream, the `later` of this group, of another group, ...
# ARGV are ms that entries are kept at most, this group, another group, ...
# Returns {deleted, those of them that this group had not ended}
#
# A hundred at most at a time, so that no other command waits long.
TRIM = f"""{FLAGS}{NOW}
local stream, kept = KEYS[1], tonumber(ARGV[1])
local later_of = {{}}
for index = 2, #ARGV do
    later_of[ARGV[index]] = KEYS[index]
end
local read_of = {{}}
for _, each in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local about = {{}}
    for index = 1, #each, 2 do
        about[each[index]] = each[index + 1]
    end
    read_of[about['name']] = about['last-delivered-id']
end
local function parts(id)
    local ms, number = string.match(id, '^(%d+)-(%d+)$')
    return tonumber(ms), tonumber(number)
end
local function is_open(id, group)
    local ms, number = parts(id)
    local read_ms, read_number = parts(read_of[group])
    return ms > read_ms or (ms == read_ms and number > read_number)
        or (later_of[group] and redis.call('ZSCORE', later_of[group], id))
        or #redis.call('XPENDING', stream, group, id, id, 1) > 0
end
local deleted, lost = 0, 0
for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', 100)) do
    local id = entry[1]
    local too_old = parts(id) < now - kept
    local needed = false
    for group in pairs(read_of) do
        needed = needed or is_open(id, group)
    end
    if needed and not too_old then
        redis.call('XTRIM', stream, 'MINID', '=', id)
        return {{deleted, lost}}
    end
    if too_old and read_of[ARGV[2]] and is_open(id, ARGV[2]) then
        lost = lost + 1
    end
    deleted = deleted + 1
    if deleted == 100 then
        redis.call('XTRIM', stream, 'MINID', '=', id)
        redis.call('XDEL', stream, id)
        return {{deleted, lost}}
    end
end
redis.call('XTRIM', stream, 'MAXLEN', '=', 0)
return {{deleted, lost}}
"""
