"""What the scripts have in common."""

#: The first line of a script, which must come before everything else.
FLAGS = "#!lua flags=allow-oom\n"

#: `now` in milliseconds, by the server's clock: all workers compare leases by one clock.
NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

#: `mine(id, consumer, count)`: whether this delivery is the newest one of its entry. The count is part of the fence,
#: since one consumer may receive an entry twice. `ended`: it is neither leased nor released, so that it has ended, or a
#: failover has forgotten its delivery. `released`: it was this delivery that was released.
OWNER = """
local stream, later, seen, group = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local function mine(id, consumer, count)
    local pending = redis.call('XPENDING', stream, group, id, id, 1)[1]
    if pending then
        return pending[2] == consumer and pending[4] == tonumber(count) and 'leased' or 'lost', pending[3]
    end
    if not redis.call('ZSCORE', later, id) then
        return 'ended'
    end
    local counted = string.match(redis.call('HGET', seen, id) or '', ' (%d+)$')
    return counted == count and 'released' or 'lost'
end
"""
