"""Synthesis stays fast because little is said between Python and Node: counted, hence the same on every machine."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from benchmarks.synth.messages import Messages, counting
from stacks.environment import load_environments
from stacks.order_pipeline import OrderPipeline

ROOT = Path(__file__).parents[2]
MOST_PER_RESOURCE = 1.2


@dataclass(frozen=True)
class Counted:
    messages: Messages
    resources: int


@pytest.fixture(scope="module")
def counted(context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Counted:
    folder = tmp_path_factory.mktemp("cdk.out")
    with counting() as messages:
        app = App(outdir=str(folder), context=context)
        for environment in load_environments(ROOT / "environments", "prod"):
            OrderPipeline(app, environment=environment)
        app.synth()
    templates = [json.loads(path.read_text()) for path in folder.rglob("*.template.json")]
    return Counted(messages, sum(len(template["Resources"]) for template in templates))


def test_few_messages_are_sent_for_each_resource(counted: Counted) -> None:
    assert counted.messages.total / counted.resources <= MOST_PER_RESOURCE, counted.messages.sent.most_common(30)


def test_node_never_calls_back_into_python(counted: Counted) -> None:
    assert counted.messages.callbacks == 0


def test_one_message_synthesizes(counted: Counted) -> None:
    assert counted.messages.count("invoke", "synth") == 1
