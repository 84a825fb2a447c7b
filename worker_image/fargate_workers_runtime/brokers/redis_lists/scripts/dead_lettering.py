"""Dead-lettering: a message is stored with its reason, and ended, in one step; a crash leaves one of the two."""

from fargate_workers_runtime.brokers.redis_lists.scripts.common import FLAGS, OWNER

# `bury` returns the server's error if the letter could not be written.
BURY = """
local function bury(id, raw, count, reason, detail, source)
    local body = raw
    if string.sub(raw, 1, #id + 1) == id .. '|' then
        body = string.sub(raw, #id + 2)
    end
    local pushed = redis.pcall('LPUSH', KEYS[5], cjson.encode({
        body = body, ['dlq.reason'] = reason, ['dlq.error'] = detail ~= '' and detail or reason,
        ['dlq.source'] = source, ['dlq.receiveCount'] = tostring(count), ['dlq.originalMessageId'] = id,
    }))
    if type(pushed) == 'table' and pushed.err then
        return pushed
    end
    forget({id})
end
"""

# KEYS are list, leases, bodies, counts, dead-letter list
# ARGV are source, then id, owner, count, reason, detail and text of each
# Returns the places of those that are another worker's by now. One that has ended was dead-lettered before, unless it
# is `unleased`: then nothing is kept of it until now.
DEAD_LETTER = f"""{FLAGS}{OWNER}{BURY}
local lost = {{}}
for index = 2, #ARGV, 6 do
    local id, owner, count, reason, detail, text = unpack(ARGV, index, index + 5)
    local state = whose(id, owner, count)
    if state == 'lost' then
        lost[#lost + 1] = (index - 2) / 6
    elseif state ~= 'ended' or owner == 'unleased' then
        local failed = bury(id, redis.call('HGET', bodies, id) or text, count, reason, detail, ARGV[1])
        if failed then
            return failed
        end
    end
end
return lost
"""
