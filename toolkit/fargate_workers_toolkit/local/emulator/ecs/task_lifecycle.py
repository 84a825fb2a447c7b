"""What MiniStack's ECS leaves out of a task's life: honest stops, events, back-off."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from fargate_workers_toolkit.local.emulator.ecs.task_protection import TaskProtection, service_of, tasks_of
from fargate_workers_toolkit.local.emulator.ministack_parts import concurrency, ecs, eventbridge, responses
from fargate_workers_toolkit.local.emulator.processes.containers import Containers, NotFoundError

SHORT_LIFE_SECONDS = 20

#: Why MiniStack stops the tasks that a deployment replaces.
DEPLOYED = ("Deployment completed", "Task definition updated")

LONGEST_BACKOFF_SECONDS = 30


class TaskLifecycle:
    """The end of tasks: `StopTask` in place of MiniStack's, and hooks into its state changes.

    Args:
        containers: The processes.
        protection: The tasks' protection.
    """

    def __init__(self, containers: Containers, protection: TaskProtection) -> None:
        self._containers = containers
        self._protection = protection
        self._failures: dict[str, int] = {}

    def install(self) -> None:
        """Put it into MiniStack."""
        ecs._stop_task = ecs._ACTION_MAP["StopTask"] = self.stop_task
        for name in ("_mark_task_pending", "_mark_task_running", "_mark_task_stopped"):
            setattr(ecs, name, _announcing(getattr(ecs, name)))
        self._replace = ecs._record_service_task_failure
        ecs._record_service_task_failure = self.back_off
        self._complete = ecs._complete_service_deployment
        ecs._complete_service_deployment = self.complete_deployment
        self._protection.on_end = self.go_on
        self._clean_up = ecs._cleanup_task_resources
        ecs._cleanup_task_resources = self.clean_up

    # Stopping

    def stop_task(self, request: Mapping[str, Any]) -> Any:
        """Marks the task as stopping and returns; it is STOPPED, with its real exit codes, once its process ended.

        MiniStack's own sets STOPPED with exit code 0 first and then blocks the caller until the process is gone.
        """
        cluster = ecs._resolve_cluster_name(request.get("cluster", "default"))
        if cluster is None:
            return responses.error_response_json("ClusterNotFoundException", "Cluster not found.", 400)
        task = ecs._resolve_task(request.get("task", ""), cluster)
        if task is None:
            message = "The referenced task was not found."
            return responses.error_response_json("InvalidParameterException", message, 400)
        reason = request.get("reason", "Task stopped by user")
        if reason == "Service scaling down":
            task = self._protection.unprotected(task)
        elif reason in DEPLOYED and self._protection.holds(task):
            task = None
        if task is not None and ecs._task_is_active(task["taskArn"], task):
            self._begin_stop(task, reason)
        return responses.json_response({"task": ecs._sanitize(task or {})})

    def _begin_stop(self, task: dict[str, Any], reason: str) -> None:
        by_service = task.get("group", "").startswith("service:") and not reason.startswith("Task stopped by user")
        with concurrency.resource_lock("ecs-task", task["taskArn"]):
            task["desiredStatus"] = "STOPPED"
            task["lastStatus"] = "STOPPING"
            task["stoppingAt"] = ecs._iso()
            task["stopCode"] = "ServiceSchedulerInitiated" if by_service else "UserInitiated"
            task["stoppedReason"] = _service_reason(task, reason) if by_service else reason
            ecs._bump_task_version(task)
        _refresh(task)
        announce(task)
        concurrency.spawn_background(self._finish_stop, task, thread_name="stop-task")

    def _finish_stop(self, task: dict[str, Any]) -> None:
        for container, name in zip(task["containers"], list(task.get("_docker_ids") or []), strict=False):
            try:
                container["exitCode"] = self._containers.get(name).stop()
            except NotFoundError:
                continue
        with concurrency.resource_lock("ecs-task", task["taskArn"]):
            task["lastStatus"] = "STOPPED"
            task["stoppedAt"] = task["executionStoppedAt"] = ecs._iso()
            for container in task["containers"]:
                container["lastStatus"] = "STOPPED"
            ecs._bump_task_version(task)
        self.clean_up(task, None)
        _refresh(task)
        announce(task)

    def clean_up(self, task: dict[str, Any], client: object, extra_container: object = None) -> None:
        """Remove a task's containers, also after an exit by itself, when MiniStack lets the others run on."""
        self._clean_up(task, client or _Client(self._containers), extra_container)

    # Deploying

    def complete_deployment(self, cluster: str, service_key: str, expected_deployment_id: str | None = None) -> None:
        """Let a deployment wait for the protected tasks that it replaces, as ECS does."""
        service: dict[str, Any] | None = ecs._services.get(service_key)
        if service is None or not any(self._protection.holds(task) for task in _replaced(service)):
            self._complete(cluster, service_key, expected_deployment_id=expected_deployment_id)

    def go_on(self, task: dict[str, Any]) -> None:
        """Go on with a deployment that has waited for a task."""
        service = service_of(task)
        if service is None:
            return
        _, _, _, region, account, _ = task["taskArn"].split(":", 5)
        cluster = ecs._cluster_name_from_arn(task["clusterArn"])
        with responses.request_scope(account, region):
            self.complete_deployment(cluster, f"{cluster}/{service['serviceName']}")

    # Replacing

    def back_off(self, task: dict[str, Any], digest_resolution_failed: bool = False) -> None:
        """Replace a failed task at once, and one that keeps failing young after a growing pause, as ECS does."""
        service = f"{task.get('clusterArn')}/{task.get('group')}"
        age = time.time() - _epoch(task.get("startedAt") or task.get("createdAt"))
        failures = self._failures[service] = self._failures.get(service, 0) + 1 if age < SHORT_LIFE_SECONDS else 1
        delay = min(2 ** (failures - 1) - 1, LONGEST_BACKOFF_SECONDS)
        account, region = responses.get_account_id(), responses.get_region()

        def replace() -> None:
            with responses.request_scope(account, region):
                self._replace(task, digest_resolution_failed)

        if delay:
            timer = threading.Timer(delay, replace)
            timer.daemon = True
            timer.start()
        else:
            replace()


class _Client:
    """A docker client with nothing but containers."""

    def __init__(self, containers: Containers) -> None:
        self.containers = containers


def announce(task: Mapping[str, Any]) -> None:
    """Put a task's state on the event bus, as ECS does."""
    detail = json.dumps(ecs._sanitize(dict(task)), default=str)
    put_event("aws.ecs", "ECS Task State Change", detail, [task["taskArn"]])


def put_event(source: str, detail_type: str, detail: str, resources: list[str]) -> None:
    """Put an event of AWS's own on the default bus, which the API refuses from outside."""
    entry = {"Source": source, "DetailType": detail_type, "Detail": detail, "Resources": resources}
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def _announcing(mark: Callable[..., bool]) -> Callable[..., bool]:
    def marked(arn: str, task: dict[str, Any], *arguments: Any, **keywords: Any) -> bool:
        changed = mark(arn, task, *arguments, **keywords)
        if changed:
            announce(task)
        return changed

    return marked


def _replaced(service: dict[str, Any]) -> list[dict[str, Any]]:
    """The running tasks of deployments before the newest."""
    primary = ecs._primary_deployment(service)
    tasks: list[dict[str, Any]] = [task for task in tasks_of(service) if ecs._task_is_active(task["taskArn"], task)]
    return [task for task in tasks if ecs._deployment_for_task(service, task) is not primary]


def _service_reason(task: Mapping[str, Any], reason: str) -> str:
    """The words ECS uses, so that filters on them work."""
    deployment = task.get("_deployment_id") or "ecs-svc/0"
    return f"Scaling activity initiated by deployment {deployment}" if reason == "Service scaling down" else reason


def _refresh(task: Mapping[str, Any]) -> None:
    cluster = ecs._cluster_name_from_arn(task.get("clusterArn", ""))
    if cluster:
        ecs._recount_cluster(cluster)
        ecs._refresh_service_state(cluster, task.get("group", ""))


def _epoch(iso: str | None) -> float:
    return ecs._ts_to_epoch(iso) if iso else time.time()
