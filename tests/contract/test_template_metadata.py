"""The library records in the template which worker a planner plans for; the toolkit reads it: one contract."""

import json
from pathlib import Path
from typing import Any

import pytest

from fargate_workers_toolkit.simulation.model import PlannerUse
from fargate_workers_toolkit.simulation.reading.services import read_services

KEY = "fargate-workers"


@pytest.fixture(scope="module")
def template(assembly: Path) -> Path:
    (path,) = assembly.glob("assembly-prod/prodWorkers*.template.json")
    return path


@pytest.fixture(scope="module")
def read(template: Path) -> dict[str, PlannerUse | None]:
    """The planner of each service, as the toolkit reads it, by the beginning of the service's logical id."""
    return {service.name.split("Service")[0]: service.planner for service in read_services(template.parent)}


def recorded(template: Path) -> list[dict[str, Any]]:
    resources = json.loads(template.read_text(encoding="utf-8"))["Resources"].values()
    return [found["Metadata"][KEY] for found in resources if KEY in found.get("Metadata", {})]


def test_what_the_library_records_is_what_the_toolkit_reads(template: Path, read: dict[str, PlannerUse | None]) -> None:
    use = read["ApplyOrders"]

    assert use is not None
    assert recorded(template)
    assert all(each == {"planner": {"worker": use.worker, "policy": use.policy}} for each in recorded(template))


def test_a_worker_that_no_function_plans_for_records_nothing(read: dict[str, PlannerUse | None]) -> None:
    assert read["ImportOrders"] is None
