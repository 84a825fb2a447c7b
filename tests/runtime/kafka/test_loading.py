"""Kafka is loaded by those who use it, and its absence is one sentence."""

import subprocess
import sys
from pathlib import Path

RUNTIME = Path(__file__).parents[3] / "worker_image"


def output_of(program: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(RUNTIME), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return answer.stdout.strip()


def test_a_worker_without_kafka_does_not_load_it() -> None:
    program = """
import sys
import fargate_workers_runtime.entry_points.worker
import fargate_workers_runtime.testing
print([name for name in sys.modules if "kafka" in name])
"""
    assert output_of(program) == "[]"


def test_a_missing_client_names_the_extra() -> None:
    program = """
import sys
sys.modules["confluent_kafka"] = None
from fargate_workers_runtime.extras import MissingExtra
from fargate_workers_runtime.opening import open_broker
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry import Metrics
try:
    open_broker(Settings(worker_name="Apply", broker="kafka"), Metrics("Apply"))
except MissingExtra as error:
    print(error)
"""
    assert "fargate-workers-runtime[kafka]" in output_of(program)
