"""Dead-lettering: an entry is copied with its reason, and ended, in one step; a crash leaves one of the two."""

from fargate_workers_runtime.brokers.redis_streams.scripts.common import FLAGS, OWNER

# `bury` returns the server's error if the letter could not be written. It takes KEYS[1..4] and ARGV[1], ARGV[6] and
# ARGV[7] as they are in TAKE and DEAD_LETTER.
BURY = """
local function bury(id, fields, count, reason, detail)
    local letter = {}
    for index = 1, #fields, 2 do
        if string.sub(fields[index], 1, 4) ~= 'dlq.' then
            letter[#letter + 1] = fields[index]
            letter[#letter + 1] = fields[index + 1]
        end
    end
    local added = redis.pcall('XADD', KEYS[4], '*',
        'dlq.reason', reason, 'dlq.error', detail ~= '' and detail or reason, 'dlq.source', ARGV[7],
        'dlq.receiveCount', count, 'dlq.originalMessageId', id, unpack(letter))
    if type(added) == 'table' and added.err then
        return added
    end
    redis.call('XACK', KEYS[1], ARGV[1], id)
    redis.call('ZREM', KEYS[2], id)
    redis.call('HDEL', KEYS[3], id)
    if ARGV[6] == 'delete' then
        redis.call('XDEL', KEYS[1], id)
    end
end
"""

# KEYS are stream, later, seen, dead-letter stream
# ARGV are group, -, -, -, -, `delete` or `keep`, source, then consumer, id, count, reason, detail and text of each
# Returns the places of those that are another worker's by now. One that has ended was dead-lettered before.
DEAD_LETTER = f"""{FLAGS}{OWNER}{BURY}
local lost = {{}}
for index = 8, #ARGV, 6 do
    local consumer, id, count, reason, detail, text = unpack(ARGV, index, index + 5)
    local whose = mine(id, consumer, count)
    if whose == 'lost' then
        lost[#lost + 1] = (index - 8) / 6
    elseif whose ~= 'ended' then
        local entry = redis.call('XRANGE', stream, id, id)[1]
        local failed = bury(id, entry and entry[2] or {{'body', text}}, count, reason, detail)
        if failed then
            return failed
        end
    end
end
return lost
"""
