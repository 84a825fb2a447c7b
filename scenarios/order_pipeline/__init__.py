"""The order pipeline's acceptance run: `fargate-workers local run --scenario scenarios.order_pipeline:play`."""

from collections.abc import Sequence

from fargate_workers_toolkit.local import Check, RunningSystem
from scenarios.order_pipeline.scenario import Scenario
from scenarios.order_pipeline.system import OrderPipeline
from scenarios.order_pipeline.workload import FURTHER_ROUNDS, further_workload, sample_workload


def play(system: RunningSystem) -> Sequence[Check]:
    """Feed the pipeline, kill a worker, and return what came of it.

    Args:
        system: The deployed pipeline.
    """
    further = map(further_workload, range(1, FURTHER_ROUNDS + 1))
    return Scenario(system=OrderPipeline(system), workload=sample_workload(), further=further).play()
