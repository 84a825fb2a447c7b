"""Alarms of an Aurora PostgreSQL database."""

from collections.abc import Mapping
from functools import partial

from fargate_workers.alarms.alarm_definition import AlarmDefinition, Metric

# A tenth of the memory that it may have: less, and queries go to the disk or sessions end.
_LEAST_FREE = 0.1


def database_alarms(
    *, cluster_identifier: str, log_group_name: str, max_connections: int, memory_bytes: int
) -> list[AlarmDefinition]:
    """The alarms of a database cluster; all but the first are about its writer.

    Args:
        cluster_identifier: The identifier of the cluster.
        log_group_name: The name of the log group of the server's log.
        max_connections: The connections that the writer accepts; the alarm is raised at 80 % of them.
        memory_bytes: The memory of an instance at its largest capacity.
    """
    of_database = partial(
        AlarmDefinition,
        operation="status {environment}",
        first_command=f"aws rds describe-db-clusters --db-cluster-identifier {cluster_identifier}",
    )
    return [
        of_database(
            id="DatabaseAtMaxCapacity",
            symptom="an instance of the database has had all its capacity for 15 minutes.",
            meaning="It grows no further: statements take longer, and messages wait.",
            metrics=_metric("capacity", "ACUUtilization", {"DBClusterIdentifier": cluster_identifier}),
            threshold=99,
            evaluation_periods=15,
        ),
        of_database(
            id="DatabaseConnectionsHigh",
            symptom=f"80 % of the {max_connections} connections are in use.",
            meaning="When they run out, tasks cannot connect: more tasks run than planned, a pool leaks, or others "
            "connect as well.",
            metrics=_of_writer(cluster_identifier, "connections", "DatabaseConnections"),
            threshold=max_connections * 8 // 10,
            evaluation_periods=3,
        ),
        of_database(
            id="DatabaseMemoryLow",
            symptom="less than a tenth of the memory that the database may have is free.",
            meaning="It has grown as far as it may. Soon sessions end for want of memory, or the server restarts.",
            metrics=_of_writer(cluster_identifier, "free", "FreeableMemory", statistic="Minimum"),
            comparison="<",
            threshold=int(memory_bytes * _LEAST_FREE),
            evaluation_periods=5,
        ),
        AlarmDefinition(
            id="DatabaseDeadlocks",
            symptom="transactions have blocked each other in 5 of 15 minutes.",
            meaning="The server ends one of each pair, and its message is tried again: nothing is lost, but time is.",
            operation="status {environment}",
            first_command=f"aws logs tail --since 1h --filter-pattern deadlock {log_group_name}",
            metrics=_of_writer(cluster_identifier, "deadlocks", "Deadlocks", statistic="Average"),
            comparison=">",
            threshold=0,
            evaluation_periods=15,
            datapoints_to_alarm=5,
        ),
    ]


def _of_writer(cluster_identifier: str, key: str, name: str, *, statistic: str = "Maximum") -> Mapping[str, Metric]:
    dimensions = {"DBClusterIdentifier": cluster_identifier, "Role": "WRITER"}
    return _metric(key, name, dimensions, statistic=statistic)


def _metric(key: str, name: str, dimensions: Mapping[str, str], *, statistic: str = "Maximum") -> Mapping[str, Metric]:
    return {key: Metric(namespace="AWS/RDS", name=name, dimensions=dimensions, statistic=statistic)}
