"""What the scripts have in common."""

#: The first line of a script, which must come before everything else.
FLAGS = "#!lua flags=allow-oom\n"

#: `now` in milliseconds, by the server's clock: all workers compare leases by one clock.
NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

#: `whose(id, owner, count)`: of this delivery. `ended`: of nobody, because the message has ended.
OWNER = """
local list, leases, bodies, counts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local function whose(id, owner, count)
    local counted, _, has = string.match(redis.call('HGET', counts, id) or '', '^(%d+) (%d+) (.+)$')
    if not counted then
        return 'ended'
    elseif counted ~= count then
        return 'lost'
    end
    return has == owner and 'leased' or has == '-' and 'released' or 'lost'
end
local function forget(ids)
    if #ids > 0 then
        redis.call('ZREM', leases, unpack(ids))
        redis.call('HDEL', bodies, unpack(ids))
        redis.call('HDEL', counts, unpack(ids))
    end
end
"""

#: `identify(raw)`: the id of what was taken from the list. An id that is leased already is that of another message.
IDENTIFY = """
local identified = {}
local function identify(raw)
    local id = string.match(raw, '^(%x+)|')
    if not id or #id ~= 32 or identified[id] or redis.call('ZSCORE', KEYS[2], id) then
        id = string.format('%d-%d', now, redis.call('HINCRBY', KEYS[4], '#', 1))
    end
    identified[id] = true
    return id
end
"""
