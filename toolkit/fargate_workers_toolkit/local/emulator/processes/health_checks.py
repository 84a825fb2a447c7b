"""Runs containers' health checks as the ECS agent does; a task whose essential container is unhealthy is replaced."""

import logging
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fargate_workers_toolkit.local.emulator.ministack_parts import concurrency, ecs
from fargate_workers_toolkit.local.emulator.processes.containers import Container, Containers, NotFoundError

logger = logging.getLogger("local.health")

# ECS's defaults.
INTERVAL, TIMEOUT, RETRIES = 30, 5, 3


class HealthChecks:
    """Health checks: one thread for each container that has one.

    Args:
        containers: Runs the commands.
    """

    def __init__(self, containers: Containers) -> None:
        self._containers = containers

    def install(self) -> None:
        """Put it into MiniStack."""
        attach = ecs._attach_started_container

        def attached(task: dict[str, Any], container: Container, index: int, *arguments: Any) -> bool:
            started = attach(task, container, index, *arguments)
            check = self._check_of(task, index) if started else None
            if check:
                concurrency.spawn_background(self._watch, task, index, container, check, thread_name="health-check")
            return started

        ecs._attach_started_container = attached

    def _check_of(self, task: Mapping[str, Any], index: int) -> Mapping[str, Any] | None:
        family = task["taskDefinitionArn"].rsplit("/", 1)[-1]
        check = ecs._task_defs[family]["containerDefinitions"][index].get("healthCheck")
        return check if check and check["command"][0] != "NONE" else None

    def _watch(self, task: dict[str, Any], index: int, container: Container, check: Mapping[str, Any]) -> None:
        arguments = _arguments(check["command"])
        grace = time.monotonic() + float(check.get("startPeriod") or 0)
        failures = 0
        while _sleep_while(float(check.get("interval") or INTERVAL), lambda: container.process.is_running):
            healthy = self._passes(container, arguments, timeout=float(check.get("timeout") or TIMEOUT))
            failures = 0 if healthy else failures + (time.monotonic() > grace)
            unhealthy = failures >= int(check.get("retries") or RETRIES)
            if healthy or unhealthy:
                status = "HEALTHY" if healthy else "UNHEALTHY"
                task["healthStatus"] = task["containers"][index]["healthStatus"] = status
            if unhealthy and container.process.is_running:
                logger.warning("%s is unhealthy", container.name)
                cluster = ecs._cluster_name_from_arn(task["clusterArn"])
                reason = "Task failed container health checks"
                ecs._stop_task({"task": task["taskArn"], "cluster": cluster, "reason": reason})
                ecs._record_service_task_failure(task)
                return

    def _passes(self, container: Container, arguments: Sequence[str], *, timeout: float) -> bool:
        try:
            process = self._containers.run_inside(container, arguments)
        except (OSError, NotFoundError):
            return False
        try:
            return process.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            return False


def _arguments(command: Sequence[str]) -> Sequence[str]:
    kind, *rest = command
    return ("/bin/sh", "-c", *rest) if kind == "CMD-SHELL" else rest


def _sleep_while(seconds: float, alive: Callable[[], bool]) -> bool:
    """Sleeps in short naps; whether it was alive to the end."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not alive():
            return False
        time.sleep(0.5)
    return alive()
