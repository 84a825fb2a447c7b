"""Every queue system's acceptance run: `fargate-workers local run --scenario scenarios.every_broker:play`."""

from collections.abc import Sequence

from fargate_workers_toolkit.local import Check, RunningSystem
from scenarios.every_broker.orders import sample_orders
from scenarios.every_broker.scenario import Scenario
from scenarios.every_broker.systems import every_system


def play(running: RunningSystem) -> Sequence[Check]:
    """Send one stream of orders through every system, kill a process of each, and return what came of it.

    Args:
        running: The deployed pipeline, with every queue system.
    """
    return Scenario(running, systems=every_system(running), orders=sample_orders()).play()
