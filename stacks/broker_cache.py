"""A cache that holds messages: it evicts nothing, and serves nothing else."""

from aws_cdk import Duration
from constructs import Construct

from environments.environment import Environment
from fargate_workers import RedisCache
from stacks.platform_stack import PlatformStack


def broker_cache(scope: Construct, *, environment: Environment, platform: PlatformStack) -> RedisCache:
    """Make the cache of a stream or a list.

    Args:
        scope: The stack of the system.
        environment: The environment.
        platform: What all workers of the environment share.
    """
    return RedisCache(
        scope,
        "Broker",
        eviction="noeviction",
        cluster=platform.cluster,
        node_type=environment.cache.node_type,
        multi_az=environment.cache.multi_az,
        snapshot_retention=Duration.days(environment.cache.snapshot_retention_days),
        removal_policy=environment.removal_policy,
    )
