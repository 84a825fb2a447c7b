"""A mistake in the use of a construct is one kind of error, which a caller can tell from a bug."""

import ast
from pathlib import Path

import pytest
from aws_cdk import App, Stack

import fargate_workers
from fargate_workers import ConfigurationError, QueueWorker, Scaling, WorkerCluster
from tests.doubles.stack_facts import image

LIBRARY = Path(fargate_workers.__file__).parent
# Raised and caught in one file, or what Python itself raises for a parameter that does not exist.
OTHERS = {("schedule.py", "ValueError"), ("queue_worker.py", "TypeError"), ("task_options.py", "TypeError")}


def test_a_mistake_is_a_configuration_error_and_still_a_value_error() -> None:
    stack = Stack(App(), "Shop")
    cluster = WorkerCluster(stack, "Cluster", network="endpoints")
    with pytest.raises(ConfigurationError, match="Orders: concurrency is 0"):
        QueueWorker(stack, "Orders", cluster=cluster, image=image(), concurrency=0)
    with pytest.raises(ValueError, match="for_latency"):
        Scaling.for_latency(function=False)


def test_the_library_raises_no_other_error() -> None:
    raised = {(path.name, name) for path in LIBRARY.rglob("*.py") for name in _raised(path)}
    own = {(path, name) for path, name in raised if name in ("ConfigurationError", "NotWorkedOutError")}

    assert own
    assert raised - own == OTHERS


def _raised(path: Path) -> set[str]:
    return {
        node.exc.func.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
    }
