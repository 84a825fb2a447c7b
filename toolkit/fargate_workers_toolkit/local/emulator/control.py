"""Requests that are not AWS's: `/_local/...` on the same port, for the launcher's clients and the tasks' agent."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local.emulator.ecs.task_protection import TaskProtection
from fargate_workers_toolkit.local.emulator.events.schedules import Schedules
from fargate_workers_toolkit.local.emulator.minutes import Minutes
from fargate_workers_toolkit.local.emulator.processes.containers import Containers
from fargate_workers_toolkit.local.emulator.rds import Databases

PREFIX = "/_local/"

Application = Callable[[Any, Any, Any], Awaitable[None]]


class Control:
    """An ASGI application around MiniStack's.

    Args:
        application: MiniStack's.
        containers: The running containers.
        protection: The tasks' protection.
        schedules: The schedules that can be invoked.
        minutes: Ends minutes by hand.
        databases: Run statements.
    """

    def __init__(
        self,
        application: Application,
        *,
        containers: Containers,
        protection: TaskProtection,
        schedules: Schedules,
        minutes: Minutes,
        databases: Databases,
    ) -> None:
        self._application = application
        self._containers = containers
        self._protection = protection
        self._schedules = schedules
        self._minutes = minutes
        self._databases = databases

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._application(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        status, answer = await self._answer(scope["method"], scope["path"][len(PREFIX) :].split("/"), body)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    async def _answer(self, method: str, path: list[str], body: bytes) -> tuple[int, object]:
        match method, path:
            case "GET", ["ready"]:
                return 200, {"ready": True}
            case "GET", ["containers"]:
                return 200, [self._describe(container) for container in self._containers.list()]
            case "POST", ["minutes"]:
                return 200, {"minute": await asyncio.to_thread(self._minutes.end)}
            case "POST", ["minutes", "finish"]:
                return 200, await asyncio.to_thread(self._minutes.finish)
            case "POST", ["minutes", "begin"]:
                return 200, {"minute": await asyncio.to_thread(self._minutes.begin)}
            case "POST", ["schedules", group, name, "invocations"]:
                try:
                    return 200, {"tasks": await asyncio.to_thread(self._schedules.fire, group, name)}
                except LocalError as error:
                    return 404, {"message": str(error)}
            case "POST", ["databases", name, "statements"]:
                try:
                    return 200, {"rows": await asyncio.to_thread(self._databases.run, name, body.decode())}
                except LocalError as error:
                    return 400, {"message": str(error)}
            case (("GET" | "PUT"), ["agent", task_id, "task-protection", "v1", "state"]):
                return 200, self._protection.answer_agent(task_id, json.loads(body or b"{}") if method == "PUT" else {})
            case _:
                return 404, {"message": f"No {method} {PREFIX}{'/'.join(path)}."}

    def _describe(self, container: Any) -> dict[str, Any]:
        return {
            "id": container.short_id,
            "name": container.name,
            "pid": container.process.pid,
            "status": container.status,
            "task": container.labels.get("com.amazonaws.ecs.task-arn"),
            "log": str(container.process.log),
        }
