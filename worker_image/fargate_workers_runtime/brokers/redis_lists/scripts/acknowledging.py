"""Acknowledging: messages end for good, if the delivery is the newest one."""

from fargate_workers_runtime.brokers.redis_lists.scripts.common import FLAGS, OWNER

# KEYS are list, leases, bodies, counts
# ARGV are "id owner first-in-ms count" of each: one argument takes a client a third of the time of three
# Returns the places of those that are another worker's by now. To repeat it is harmless.
ACKNOWLEDGE = f"""{FLAGS}{OWNER}
local ended, lost = {{}}, {{}}
for index = 1, #ARGV do
    local id, owner, count = string.match(ARGV[index], '^(%S+) (%S+) %d+ (%d+)$')
    if whose(id, owner, count) == 'lost' then
        lost[#lost + 1] = index - 1
    else
        ended[#ended + 1] = id
    end
end
forget(ended)
return lost
"""
