"""Synthesis stays fast because little is said between Python and Node: counted, hence the same on every machine."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from benchmarks.synth import system
from benchmarks.synth.messages import Messages, counting
from environments.environment import load_environments
from stacks.order_pipeline import OrderPipeline

ROOT = Path(__file__).parents[2]
# One create per resource makes 1.0; the rest buys CDK objects to build on, and tokens to name them by. Two for each
# queue keep its policy, one for each worker names its log.
MOST_PER_RESOURCE = 2.1
ENVIRONMENTS = 3


@dataclass(frozen=True)
class Counted:
    messages: Messages
    resources: int


@pytest.fixture(scope="module")
def ten_workers(context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Counted:
    folder = tmp_path_factory.mktemp("cdk.out")
    with counting() as messages:
        app = App(outdir=str(folder), context=context)
        for number in range(ENVIRONMENTS):
            system.fargate_workers(system.stage(app, number), workers=10)
        app.synth()
    templates = [json.loads(path.read_text()) for path in folder.rglob("*.template.json")]
    return Counted(messages, sum(len(template["Resources"]) for template in templates))


@pytest.fixture(scope="module")
def order_pipeline(context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Messages:
    with counting() as messages:
        app = App(outdir=str(tmp_path_factory.mktemp("cdk.out")), context=context)
        for environment in load_environments(ROOT / "environments", "prod"):
            OrderPipeline(app, environment=environment)
        app.synth()
    return messages


def test_few_messages_are_sent_for_each_resource(ten_workers: Counted) -> None:
    messages = ten_workers.messages
    assert messages.total / ten_workers.resources <= MOST_PER_RESOURCE, messages.sent.most_common(30)


def test_node_never_calls_back_into_python(order_pipeline: Messages) -> None:
    assert order_pipeline.callbacks == 0


def test_one_message_synthesizes(order_pipeline: Messages) -> None:
    assert order_pipeline.count("invoke", "synth") == 1
