"""What a cache node type can do."""

import pytest

from fargate_workers.stores import cache_node


@pytest.mark.parametrize(
    ("node_type", "connections"),
    [
        ("cache.t4g.micro", 20_000),
        ("cache.t3.medium", 46_000),
        ("cache.t4g.small", 65_000),
        ("cache.r7g.2xlarge", 65_000),
    ],
)
def test_small_nodes_accept_fewer_connections(node_type: str, connections: int) -> None:
    assert cache_node.max_clients(node_type) == connections


@pytest.mark.parametrize(
    ("node_type", "vcpus"),
    [("cache.t4g.micro", 2), ("cache.m7g.large", 2), ("cache.m7g.xlarge", 4), ("cache.r7g.16xlarge", 64)],
)
def test_processors_follow_the_size(node_type: str, vcpus: int) -> None:
    assert cache_node.vcpus(node_type) == vcpus


@pytest.mark.parametrize("node_type", ["t4g.micro", "cache.t4g", "cache.t4g.mikro", "cache.r7g.2large", ""])
def test_another_node_type_is_refused_with_an_example(node_type: str) -> None:
    with pytest.raises(ValueError, match=r'is not a cache node type; write it like "cache\.t4g\.micro"'):
        cache_node.max_clients(node_type)


@pytest.mark.parametrize(
    ("node_type", "percent"),
    [("cache.t4g.micro", "50"), ("cache.t4g.small", "30"), ("cache.t4g.medium", None), ("cache.m7g.large", None)],
)
def test_small_nodes_keep_more_memory_for_snapshots_and_replicas(node_type: str, percent: str | None) -> None:
    assert cache_node.reserved_memory(node_type).get("reserved-memory-percent") == percent
