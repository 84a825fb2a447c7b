"""One container, and what starts it once."""

from fargate_workers.tasks.container_image import Architecture, architecture_of, image_uri, worker_image
from fargate_workers.tasks.object_created_task import ObjectCreatedTask
from fargate_workers.tasks.runner import Runner
from fargate_workers.tasks.runner_construct import RunnerConstruct
from fargate_workers.tasks.scheduled_task import ScheduledTask
from fargate_workers.tasks.task_construct import TaskConstruct, TaskNeeds
from fargate_workers.tasks.task_options import DEFAULT_CPU, TaskOptions
from fargate_workers.tasks.worker_task import WorkerTask

__all__ = [
    "DEFAULT_CPU",
    "Architecture",
    "ObjectCreatedTask",
    "Runner",
    "RunnerConstruct",
    "ScheduledTask",
    "TaskConstruct",
    "TaskNeeds",
    "TaskOptions",
    "WorkerTask",
    "architecture_of",
    "image_uri",
    "worker_image",
]
