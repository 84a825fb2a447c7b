"""Deployments side by side: servers start on threads of their own, and an answer about a stack waits for its end."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from fargate_workers_toolkit.local.emulator.ministack_parts import app, cloudformation, stacks

SERVICE = "cloudformation"

#: What starts a server, for which other stacks need not wait.
STARTING_SERVERS = ("AWS::MSK::Cluster", "AWS::MSK::ServerlessCluster", "AWS::RDS::DBCluster", "AWS::RDS::DBInstance")

#: How long an answer waits for the end of a deployment, which the CDK CLI would next look for in five seconds.
WAIT_SECONDS = 20.0
LOOK_SECONDS = 0.05


def install() -> None:
    """Put it into MiniStack."""
    runs_on_a_thread = stacks._runs_on_worker_thread

    def on_a_thread(kind: str) -> bool:
        return kind in STARTING_SERVERS or runs_on_a_thread(kind)

    stacks._runs_on_worker_thread = on_a_thread
    answer = app.SERVICE_HANDLERS[SERVICE]

    async def handle(method: str, path: str, headers: Mapping[str, str], body: bytes, query: Any) -> Any:
        request = parse_qs(body.decode(errors="replace"))
        if request.get("Action") == ["DescribeStacks"]:
            await _end_of_deployment(request.get("StackName", [""])[0])
        return await answer(method, path, headers, body, query)

    app.SERVICE_HANDLERS[SERVICE] = handle


async def _end_of_deployment(stack: str) -> None:
    """Returns when a stack is at rest, by its name or id."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WAIT_SECONDS
    while _is_in_progress(stack) and loop.time() < deadline:
        await asyncio.sleep(LOOK_SECONDS)


def _is_in_progress(stack: str) -> bool:
    return any(
        str(known.get("StackStatus", "")).endswith("_IN_PROGRESS")
        for known in cloudformation._stacks.values()
        if stack in (known.get("StackName"), known.get("StackId"))
    )
