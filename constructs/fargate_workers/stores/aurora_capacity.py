"""What an Aurora Serverless v2 instance can do between two capacities: its connections and its memory. Pure arithmetic.

An Aurora capacity unit (ACU) is 2 GiB of memory with the processor and network that belong to it.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html
"""

from fargate_workers.errors import ConfigurationError

LEAST_ACU, MOST_ACU = 0.0, 256.0
BYTES_PER_ACU = 2 * 1024**3

_MOST_CONNECTIONS = 5_000
# With so low a minimum, PostgreSQL accepts fewer.
_LOW_MINIMUM = 0.5
_MOST_CONNECTIONS_OF_LOW_MINIMUM = 2_000


def max_connections(*, min_acu: float, max_acu: float) -> int:
    """How many connections one instance accepts, by its largest capacity.

    AWS publishes 189 for 1 ACU, 823 for 4, 1,669 for 8, 3,360 for 16 and 5,000 from 32 on; the line between them lies a
    few below.

    Args:
        min_acu: The smallest capacity, in ACU.
        max_acu: The largest capacity, in ACU.

    >>> max_connections(min_acu=0.5, max_acu=4), max_connections(min_acu=0.5, max_acu=64)
    (822, 2000)
    """
    most = _MOST_CONNECTIONS_OF_LOW_MINIMUM if min_acu <= _LOW_MINIMUM else _MOST_CONNECTIONS
    return min(most, int(211 * max_acu) - 22)


def check_capacity(id: str, *, min_acu: float, max_acu: float) -> None:
    """Check the two bounds of a database's capacity.

    Args:
        id: The id of the database, for the error.
        min_acu: The smallest capacity, in ACU.
        max_acu: The largest capacity, in ACU.

    Raises:
        ConfigurationError: Aurora takes no such bounds.
    """
    for name, value, least in (("min_acu", min_acu, LEAST_ACU), ("max_acu", max_acu, 1.0)):
        if not least <= value <= MOST_ACU or value % 0.5:
            raise ConfigurationError(
                f"{id}: {name} is {value:g}; Aurora takes {least:g} to {MOST_ACU:g} ACU in steps of 0.5."
            )
    if min_acu > max_acu:
        raise ConfigurationError(f"{id}: min_acu ({min_acu:g}) exceeds max_acu ({max_acu:g}); lower it.")
