"""What a cache node type can do: its connections and its processors."""

import re

from fargate_workers.errors import ConfigurationError

# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html (maxclients, not modifiable)
_MAX_CLIENTS = 65_000
_MAX_CLIENTS_OF_SMALL_NODES = {
    "t2.micro": 20_000,
    "t2.small": 20_000,
    "t2.medium": 20_000,
    "t3.micro": 20_000,
    "t3.small": 46_000,
    "t3.medium": 46_000,
    "t4g.micro": 20_000,
}
_NODE_TYPE = re.compile(r"cache\.(?P<model>[a-z]\w+\.(?P<size>micro|small|medium|large|(?P<times>\d*)xlarge))")


def max_clients(node_type: str) -> int:
    """How many connections one node accepts: 65,000, but 20,000 or 46,000 on the smallest."""
    return _MAX_CLIENTS_OF_SMALL_NODES.get(_parse(node_type)["model"], _MAX_CLIENTS)


def vcpus(node_type: str) -> int:
    """How many virtual processors one node has: 2 up to `large`, 4 for `xlarge`, 4n for `<n>xlarge`."""
    parts = _parse(node_type)
    return 4 * int(parts["times"] or 1) if parts["size"].endswith("xlarge") else 2


def reserved_memory(node_type: str) -> dict[str, str]:
    """The parameter that keeps memory free for snapshots and replicas, where ElastiCache's own quarter is too little.

    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/redis-memory-management.html
    """
    percent = {"micro": "50", "small": "30"}.get(_parse(node_type)["size"])
    return {} if percent is None else {"reserved-memory-percent": percent}


def _parse(node_type: str) -> re.Match[str]:
    parts = _NODE_TYPE.fullmatch(node_type)
    if parts is None:
        raise ConfigurationError(f'"{node_type}" is not a cache node type; write it like "cache.t4g.micro".')
    return parts
