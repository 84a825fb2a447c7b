"""Scale-in protection, which MiniStack only pretends to have: asked for by a task's agent or through the ECS API."""

import time
from collections.abc import Mapping
from typing import Any

from fargate_workers_toolkit.local.emulator.ministack_parts import ecs, responses

DEFAULT_MINUTES = 120

Request = Mapping[str, Any]
Task = dict[str, Any]


class TaskProtection:
    """Remembers which tasks must not be scaled in, and until when."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def install(self) -> None:
        ecs._ACTION_MAP["UpdateTaskProtection"] = self.update
        ecs._ACTION_MAP["GetTaskProtection"] = self.get

    def answer_agent(self, task_id: str, request: Request) -> dict[str, Any]:
        """The agent's `task-protection/v1/state`, as a task reaches it at $ECS_AGENT_URI."""
        task = next((task for task in _all_tasks() if task["taskArn"].endswith(f"/{task_id}")), None)
        if task is None:
            return {"failure": {"Reason": "MISSING"}}
        if not task.get("group", "").startswith("service:"):
            return {"failure": {"Arn": task["taskArn"], "Reason": "TASK_NOT_VALID"}}
        if "ProtectionEnabled" in request:
            minutes = float(request.get("ExpiresInMinutes", DEFAULT_MINUTES))
            self._set(task["taskArn"], enabled=bool(request["ProtectionEnabled"]), minutes=minutes)
        return {"protection": self._state(task["taskArn"])}

    def update(self, request: Request) -> Any:
        minutes = float(request.get("expiresInMinutes", DEFAULT_MINUTES))
        for arn in request["tasks"]:
            self._set(arn, enabled=bool(request["protectionEnabled"]), minutes=minutes)
        return self.get(request)

    def get(self, request: Request) -> Any:
        arns: list[str] = request.get("tasks") or []
        states = [self._state(arn) for arn in arns]
        tasks = [{name[0].lower() + name[1:]: value for name, value in state.items()} for state in states]
        return responses.json_response({"protectedTasks": tasks, "failures": []})

    def unprotected(self, task: Task) -> Task | None:
        """The task itself, or another of its service where it is protected; None while all are."""
        if not self._is_protected(task):
            return task
        others = (other for other in _all_tasks() if other.get("group") == task.get("group"))
        return next((other for other in others if _is_running(other) and not self._is_protected(other)), None)

    def _set(self, arn: str, *, enabled: bool, minutes: float) -> None:
        self._until[arn] = time.time() + minutes * 60 if enabled else 0

    def _is_protected(self, task: Task) -> bool:
        return self._until.get(task["taskArn"], 0) > time.time()

    def _state(self, arn: str) -> dict[str, Any]:
        until = self._until.get(arn, 0)
        protected = until > time.time()
        expires = {"ExpirationDate": int(until)} if protected else {}
        return {"TaskArn": arn, "ProtectionEnabled": protected, **expires}


def _is_running(task: Task) -> bool:
    return task["lastStatus"] == "RUNNING" and ecs._task_is_active(task["taskArn"], task)


def _all_tasks() -> list[Task]:
    return [task for _, task in ecs._tasks.all_items()]
