"""Alarms of a Redis cache."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypedDict

from fargate_workers.alarms.alarm_definition import AlarmDefinition, Metric


def redis_alarms(
    *, cache_cluster_ids: Sequence[str], vcpus: int, connection_budget: int, evicts_by_design: bool = False
) -> list[AlarmDefinition]:
    """The alarms of a cache, each over the worst of its nodes.

    `connection_budget` is what one node can bear; the alarm speaks at 80 % of it. A cache whose policy is to evict
    (`allkeys-*`) sets `evicts_by_design`: it may be full, which any other must not be. Replication lag is watched when
    there is a replica.
    """
    of_cache = partial(
        AlarmDefinition,
        operation="status {environment}",
        first_command="aws elasticache describe-cache-clusters --show-cache-node-info "
        f"--cache-cluster-id {cache_cluster_ids[0]}",
    )
    # The engine has one busy thread: small nodes are judged by the machine's CPU, where other work counts too.
    small = vcpus < 4
    busy = 90 / vcpus if small else 80
    memory = _worst_of(cache_cluster_ids, "DatabaseMemoryUsagePercentage")
    alarms = [
        of_cache(
            id="RedisBusy",
            symptom=f"the cache's {'CPU' if small else 'engine'} has been {busy:g} % busy for 5 minutes.",
            meaning="Commands queue behind its one thread; every handler that uses the cache slows down.",
            **_worst_of(cache_cluster_ids, "CPUUtilization" if small else "EngineCPUUtilization"),
            threshold=busy,
            evaluation_periods=5,
        ),
        of_cache(
            id="RedisConnectionsHigh",
            symptom=f"80 % of the {connection_budget} connections are in use.",
            meaning="When they run out, tasks cannot connect: more tasks run than planned, or a pool leaks.",
            **_worst_of(cache_cluster_ids, "CurrConnections"),
            threshold=math.floor(connection_budget * 0.8),
            evaluation_periods=3,
        ),
    ]
    if evicts_by_design:
        alarms.append(
            of_cache(
                id="RedisEvictions",
                symptom="keys have been evicted in every one of the last 30 minutes.",
                meaning="More is read than fits into memory: keys go before they are read again, and what the cache "
                "should spare is asked more often.",
                **_worst_of(cache_cluster_ids, "Evictions", statistic="Sum"),
                comparison=">",
                threshold=0,
                evaluation_periods=30,
            )
        )
    else:
        alarms += [
            of_cache(
                id="RedisMemoryHigh",
                symptom="the cache uses 80 % of its memory.",
                meaning="At 100 % it refuses writes, for it evicts nothing.",
                **memory,
                threshold=80,
                evaluation_periods=5,
            ),
            of_cache(
                id="RedisMemoryFull",
                symptom="the cache is full.",
                meaning="It refuses writes, or will in a moment (OOM command not allowed): nothing can be claimed, "
                "counted or stored, so handlers fail. Nothing is evicted.",
                **memory,
                threshold=95,
            ),
        ]
    if len(cache_cluster_ids) > 1:
        alarms.append(
            of_cache(
                id="RedisReplicationLag",
                symptom="a replica is 10 s or more behind.",
                meaning="Reads from it are stale, and a failover now would lose those seconds of writes.",
                **_worst_of(cache_cluster_ids, "ReplicationLag"),
                threshold=10,
                evaluation_periods=5,
            )
        )
    return alarms


class _Watched(TypedDict):
    metrics: Mapping[str, Metric]
    expression: str | None


def _worst_of(cache_cluster_ids: Sequence[str], name: str, *, statistic: str = "Maximum") -> _Watched:
    metrics = {
        f"node{number}": Metric(
            namespace="AWS/ElastiCache", name=name, dimensions={"CacheClusterId": cluster_id}, statistic=statistic
        )
        for number, cluster_id in enumerate(cache_cluster_ids, start=1)
    }
    return {"metrics": metrics, "expression": f"MAX([{', '.join(metrics)}])" if len(metrics) > 1 else None}
