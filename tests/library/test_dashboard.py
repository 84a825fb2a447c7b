"""A dashboard's row of a function on a queue."""

import json
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from fargate_workers import Alerts, Dashboard, QueueFunction, worker_image


@pytest.fixture(scope="module")
def dashboard(context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("image")
    (folder / "Dockerfile").write_text("FROM scratch\n")
    stack = Stack(App(context=context), "Shop")
    receipts = QueueFunction(
        stack, "Receipts", image=worker_image(folder), command="shop.receipts", alerts=Alerts(stack, "Alerts")
    )
    Dashboard(stack, "Dashboard", workers=[], functions=[receipts])
    found = Template.from_stack(stack).to_json()["Resources"]
    (body,) = (each["Properties"]["DashboardBody"] for each in found.values() if "DashboardBody" in each["Properties"])
    text = "".join(part if isinstance(part, str) else "name" for part in body["Fn::Join"][1])
    return json.dumps(body), json.loads(text)


def test_a_function_has_a_row_of_queue_invocations_and_messages(dashboard: tuple[str, dict[str, Any]]) -> None:
    _, shown = dashboard
    graphs = [widget["properties"] for widget in shown["widgets"] if widget["type"] == "metric"]

    assert [graph["title"] for graph in graphs] == ["Receipts: queue", "Receipts: invocations", "Receipts: messages"]
    assert [metric[1] for metric in graphs[1]["metrics"]] == [
        "ConcurrentExecutions",
        "Invocations",
        "Errors",
        "Throttles",
        "Duration",
    ]
    assert {metric[0] for metric in graphs[1]["metrics"]} == {"AWS/Lambda"}
    assert ["FargateWorkers", "MessagesHandled", "Worker", "Shop/Receipts"] in [
        metric[:4] for metric in graphs[2]["metrics"]
    ]


def test_a_functions_alarms_are_on_top_and_those_of_its_alerts(dashboard: tuple[str, dict[str, Any]]) -> None:
    written, shown = dashboard

    assert shown["widgets"][0]["type"] == "alarm"
    for alarm in ("ReceiptsDeadLetters", "ReceiptsFunctionFailing", "AlertsUndeliveredEvents"):
        assert alarm in written
