"""The scripts of a stream. Each runs alone on the server: what it has read still holds when it writes.

Keys: the stream; `later`, a sorted set of entries by the millisecond when they are delivered again; `seen`, a hash of
entries that were delivered before, each with its first delivery in milliseconds and its count; the dead-letter stream.
An entry that waits in `later` is not in the group's pending entries list, unless its lease was extended beyond its
length.

A consumer's name ends with the length of its leases in milliseconds, so that workers with leases of other lengths, as
during a deployment, leave them alone.

The scripts are allowed to run when the memory is full: they end messages, and that frees memory.
"""

from fargate_workers_runtime.brokers.redis_streams.scripts.acknowledging import ACKNOWLEDGE
from fargate_workers_runtime.brokers.redis_streams.scripts.adding import ADD
from fargate_workers_runtime.brokers.redis_streams.scripts.dead_lettering import DEAD_LETTER
from fargate_workers_runtime.brokers.redis_streams.scripts.extending import EXTEND
from fargate_workers_runtime.brokers.redis_streams.scripts.looking import LOOK
from fargate_workers_runtime.brokers.redis_streams.scripts.releasing import RELEASE
from fargate_workers_runtime.brokers.redis_streams.scripts.taking import TAKE
from fargate_workers_runtime.brokers.redis_streams.scripts.tidying import TIDY
from fargate_workers_runtime.brokers.redis_streams.scripts.trimming import TRIM

__all__ = ["ACKNOWLEDGE", "ADD", "DEAD_LETTER", "EXTEND", "LOOK", "RELEASE", "TAKE", "TIDY", "TRIM"]
