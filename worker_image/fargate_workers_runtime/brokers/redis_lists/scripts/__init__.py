"""The scripts of a list. Each runs alone on the server: what it has read still holds when it writes.

Keys: the list, which is filled on the left and emptied on the right; `leases`, a sorted set of the messages that were
taken, by the millisecond when they are delivered again; `bodies`, a hash of what was in the list; `counts`, a hash of
count, first delivery in milliseconds and owner (`-`: it was released); the dead-letter list.

A message that its producer wrapped is its id, of 32 hexadecimal digits, a bar and the body. Any other gets an id when
it is taken. The scripts are allowed to run when the memory is full: they end messages, and that frees memory.
"""

from fargate_workers_runtime.brokers.redis_lists.scripts.acknowledging import ACKNOWLEDGE
from fargate_workers_runtime.brokers.redis_lists.scripts.dead_lettering import DEAD_LETTER
from fargate_workers_runtime.brokers.redis_lists.scripts.extending import EXTEND
from fargate_workers_runtime.brokers.redis_lists.scripts.looking import LOOK
from fargate_workers_runtime.brokers.redis_lists.scripts.popping import POP
from fargate_workers_runtime.brokers.redis_lists.scripts.releasing import RELEASE
from fargate_workers_runtime.brokers.redis_lists.scripts.returning import RETURN
from fargate_workers_runtime.brokers.redis_lists.scripts.taking import TAKE

__all__ = ["ACKNOWLEDGE", "DEAD_LETTER", "EXTEND", "LOOK", "POP", "RELEASE", "RETURN", "TAKE"]
