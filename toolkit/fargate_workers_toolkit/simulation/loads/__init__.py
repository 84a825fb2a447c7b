"""What is sent to a queue, second by second."""

from fargate_workers_toolkit.simulation.loads.built_in import BUILT_IN, WORK_SECONDS, built_in, steady
from fargate_workers_toolkit.simulation.loads.files import load_from_file
from fargate_workers_toolkit.simulation.loads.load import Counts, Load

__all__ = ["BUILT_IN", "WORK_SECONDS", "Counts", "Load", "built_in", "load_from_file", "steady"]
