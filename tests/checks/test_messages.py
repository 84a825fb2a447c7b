"""What makes a Python CDK app slow is counted, so that it cannot creep in: messages between Python and Node."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from benchmarks.synth.messages import Messages, counting
from stacks.environment import load_environments
from stacks.order_pipeline import OrderPipeline

ROOT = Path(__file__).parents[2]
MOST_MESSAGES_PER_RESOURCE = 1.2


@pytest.fixture(scope="module")
def synthesis(context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Messages, int]:
    """The messages it takes to build and synthesize production, and the number of resources that come of it."""
    folder = tmp_path_factory.mktemp("cdk.out")
    (production,) = load_environments(ROOT / "environments", "prod")
    with counting() as messages:
        app = App(outdir=str(folder), context=context)
        OrderPipeline(app, environment=production)
        app.synth()
    templates = [json.loads(path.read_text()) for path in folder.glob("assembly-prod/*.template.json")]
    return messages, sum(len(template["Resources"]) for template in templates)


def test_a_resource_costs_at_most_one_message_and_a_fifth(synthesis: tuple[Messages, int]) -> None:
    messages, resources = synthesis

    assert messages.total / resources <= MOST_MESSAGES_PER_RESOURCE, (messages.total, resources, messages.by_kind())


def test_node_never_has_to_ask_python_back(synthesis: tuple[Messages, int]) -> None:
    messages, _ = synthesis

    assert messages.callbacks == 0


def test_synthesis_is_one_message(synthesis: tuple[Messages, int]) -> None:
    messages, _ = synthesis

    assert messages.count("invoke", "synth") == 1
