"""Where tasks run: network, cluster, functions beside it, and the watch over stopped tasks."""

from fargate_workers.cluster import stopped_tasks
from fargate_workers.cluster.availability_zones import set_availability_zones
from fargate_workers.cluster.every_minute import EveryMinute, run_each_event_once
from fargate_workers.cluster.network import Network, https
from fargate_workers.cluster.python_function import PythonFunction, python_function
from fargate_workers.cluster.stopped_tasks import CONTAINER, StoppedTasks
from fargate_workers.cluster.worker_cluster import WorkerCluster

__all__ = [
    "CONTAINER",
    "EveryMinute",
    "Network",
    "PythonFunction",
    "StoppedTasks",
    "WorkerCluster",
    "https",
    "python_function",
    "run_each_event_once",
    "set_availability_zones",
    "stopped_tasks",
]
