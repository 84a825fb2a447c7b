"""Scenarios: what `fargate-workers local run` feeds to a deployed app, and what must come of it.

A scenario is a function in a module that the app's folder has:

    # scenario.py, next to cdk.json
    from collections.abc import Iterator

    from fargate_workers_toolkit.local.scenarios import Check, RunningSystem, check


    def play(system: RunningSystem) -> Iterator[Check]:
        queue = system.physical_id("Shop/Orders/Queue/Queue", type="AWS::SQS::Queue")
        with system.step("Send an order"):
            system.client("sqs").send_message(QueueUrl=queue, MessageBody='{"order_id": "1"}')
            system.wait_for(lambda: system.backlog("Shop/Orders/Queue/Queue").total == 0)
        left = system.backlog("Shop/Orders/Queue/DeadLetterQueue").total
        yield check("No order is a dead letter", expected=0, seen=left)

It runs with `fargate-workers local run --scenario scenario:play`.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path

from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local.scenarios.checks import Check, check
from fargate_workers_toolkit.local.scenarios.running_system import RunningSystem

_COMPLETE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")

#: Feeds a deployed app, and yields what it came to. A run without a check fails.
Scenario = Callable[[RunningSystem], Iterable[Check]]


def load(name: str, *, folder: Path) -> Scenario:
    """Import a scenario.

    Args:
        name: `module:function`.
        folder: Where the module is looked for first.

    Raises:
        LocalError: There is no such module, or no such function in it.
    """
    module, _, function = name.partition(":")
    if not module or not function:
        raise LocalError(f"--scenario {name} is no module:function; write, for example, --scenario scenario:play.")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        found: Scenario | None = getattr(import_module(module), function, None)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there; what it imports is not
        raise LocalError(f"--scenario {name}: there is no module {module} in {folder}.") from None
    if not callable(found):
        raise LocalError(f"--scenario {name}: the module {module} has no function {function}.")
    return found


def every_service_runs(system: RunningSystem) -> Iterator[Check]:
    """Check that each stack is deployed and each service has its tasks: the scenario of a run that names none.

    Args:
        system: The deployed app.
    """
    for stack in system.assembly.stacks:
        (found,) = system.client("cloudformation").describe_stacks(StackName=stack.name)["Stacks"]
        status: str = found["StackStatus"]
        yield check(f"{stack.name} is deployed", expected="complete", seen=status, passed=status in _COMPLETE)
    paths = [service.path for service in system.assembly.resources(type="AWS::ECS::Service")]
    with system.step("Wait until every service has its tasks"):
        system.wait_for(lambda: all(service.running == service.desired for service in map(system.service, paths)))
    for path in paths:
        service = system.service(path)
        yield check(f"{path} has its tasks", expected=service.desired, seen=service.running)
