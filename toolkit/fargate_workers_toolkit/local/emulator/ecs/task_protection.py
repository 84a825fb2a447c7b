"""Scale-in protection, which MiniStack only pretends to have: asked for by a task's agent or through the ECS API."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fargate_workers_toolkit.local.emulator.ministack_parts import ecs, responses

DEFAULT_MINUTES = 120

Request = Mapping[str, Any]
Task = dict[str, Any]


class TaskProtection:
    """Remembers which tasks must not be stopped by their service, and until when.

    Attributes:
        on_end: Called with each task whose protection has ended.
    """

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self.on_end: Callable[[Task], None] = lambda _task: None

    def install(self) -> None:
        """Put it into MiniStack."""
        ecs._ACTION_MAP["UpdateTaskProtection"] = self.update
        ecs._ACTION_MAP["GetTaskProtection"] = self.get

    def answer_agent(self, task_id: str, request: Request) -> dict[str, Any]:
        """Answer the agent's `task-protection/v1/state`, which a task reaches at $ECS_AGENT_URI."""
        task = next((task for task in _all_tasks() if task["taskArn"].endswith(f"/{task_id}")), None)
        if task is None:
            return {"failure": {"Reason": "MISSING"}}
        if not task.get("group", "").startswith("service:"):
            return {"failure": {"Arn": task["taskArn"], "Reason": "TASK_NOT_VALID"}}
        if "ProtectionEnabled" in request:
            minutes = float(request.get("ExpiresInMinutes", DEFAULT_MINUTES))
            if reason := self._set(task, enabled=bool(request["ProtectionEnabled"]), minutes=minutes):
                return {"failure": {"Arn": task["taskArn"], "Reason": reason}}
        return {"protection": self._state(task["taskArn"])}

    def update(self, request: Request) -> Any:
        """Answer UpdateTaskProtection."""
        minutes = float(request.get("expiresInMinutes", DEFAULT_MINUTES))
        failures: list[dict[str, str]] = []
        for arn in request["tasks"]:
            task = next((task for task in _all_tasks() if task["taskArn"] == arn), None)
            enabled = bool(request["protectionEnabled"])
            if reason := "MISSING" if task is None else self._set(task, enabled=enabled, minutes=minutes):
                failures.append({"arn": arn, "reason": reason})
        return self.get(request, failures)

    def get(self, request: Request, failures: Sequence[Mapping[str, str]] = ()) -> Any:
        """Answer GetTaskProtection."""
        arns: list[str] = request.get("tasks") or []
        states = [self._state(arn) for arn in arns]
        tasks = [{name[0].lower() + name[1:]: value for name, value in state.items()} for state in states]
        return responses.json_response({"protectedTasks": tasks, "failures": list(failures)})

    def unprotected(self, task: Task) -> Task | None:
        """Return the task, or another of its service where it is protected; None while all are."""
        if not self.holds(task):
            return task
        return next((other for other in _others(task) if _is_running(other) and not self.holds(other)), None)

    def holds(self, task: Task) -> bool:
        """Return whether a task's service may not stop it."""
        return self._until.get(task["taskArn"], 0) > time.time()

    def _set(self, task: Task, *, enabled: bool, minutes: float) -> str | None:
        """Returns the reason if it is refused."""
        if enabled and self._is_blocked(task):
            return "DEPLOYMENT_BLOCKED"
        self._until[task["taskArn"]] = time.time() + minutes * 60 if enabled else 0
        if enabled:
            timer = threading.Timer(minutes * 60, self._look_at, (task,))
            timer.daemon = True
            timer.start()
        else:
            self._look_at(task)
        return None

    def _is_blocked(self, task: Task) -> bool:
        """Whether more tasks would be protected, while a deployment is under way, than the service shall have."""
        service = service_of(task)
        deployment = ecs._primary_deployment(service) if service else None
        if service is None or deployment is None or deployment.get("rolloutState") != "IN_PROGRESS":
            return False
        protected = sum(_is_running(other) and self.holds(other) for other in _others(task))
        return protected + 1 > service.get("desiredCount", 0)

    def _look_at(self, task: Task) -> None:
        if not self.holds(task):
            self.on_end(task)

    def _state(self, arn: str) -> dict[str, Any]:
        until = self._until.get(arn, 0)
        protected = until > time.time()
        expires = {"ExpirationDate": int(until)} if protected else {}
        return {"TaskArn": arn, "ProtectionEnabled": protected, **expires}


def _is_running(task: Task) -> bool:
    return task["lastStatus"] == "RUNNING" and ecs._task_is_active(task["taskArn"], task)


def _others(task: Task) -> list[Task]:
    """The other tasks of its service."""
    service = service_of(task)
    return [other for other in tasks_of(service) if other is not task] if service else []


def tasks_of(service: Mapping[str, Any]) -> list[Task]:
    """Return every task of a service that is still known, running or not."""
    group, cluster = f"service:{service['serviceName']}", service["clusterArn"]
    return [task for task in _all_tasks() if (task.get("group"), task.get("clusterArn")) == (group, cluster)]


def service_of(task: Task) -> dict[str, Any] | None:
    """Return the service that a task belongs to."""
    name, cluster = task.get("group", "").removeprefix("service:"), task.get("clusterArn")
    services: list[dict[str, Any]] = [service for _, service in ecs._services.all_items()]
    return next((each for each in services if (each["serviceName"], each["clusterArn"]) == (name, cluster)), None)


def _all_tasks() -> list[Task]:
    return [task for _, task in ecs._tasks.all_items()]
