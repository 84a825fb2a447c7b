"""Five rule packs over the stacks of every queue system in every environment: nothing unacknowledged, none stale."""

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from environments.environment import QueueSystems, load_environments
from fargate_workers.compliance import acknowledgements
from stacks.order_pipeline import OrderPipeline
from tests.checks.rule_packs import PACKS, Acknowledged, Finding, Scan, recorder

ROOT = Path(__file__).parents[2]


def build(app: App, **changes: Any) -> None:
    every = QueueSystems(database=True, function=True, kafka=True, redis_stream=True, redis_list=True)
    for environment in load_environments(ROOT / "environments"):
        OrderPipeline(app, environment=environment.model_copy(update={"queue_systems": every, **changes}))


@pytest.fixture(scope="module")
def scan(context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Scan:
    recorded: set[Acknowledged] = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(acknowledgements, "Validations", recorder(recorded))
        app = App(outdir=str(tmp_path_factory.mktemp("cdk.out")), context=context)
        build(app)
    app.synth()
    findings = {
        Finding(violation.rule_name, resource.construct_path)
        for pack in PACKS
        for violation in pack(app).validate_scope(app).violations
        for resource in violation.violating_resources
    }
    return Scan(frozenset(findings), frozenset(recorded))


def test_nothing_is_unacknowledged(scan: Scan) -> None:
    open_findings = {f for f in scan.findings if not any(a.covers(f) for a in scan.acknowledged)}

    assert sorted(open_findings, key=lambda f: (f.rule, f.path)) == []


def test_no_acknowledgement_is_stale(scan: Scan) -> None:
    stale = {a for a in scan.acknowledged if not any(a.covers(f) for f in scan.findings)}

    assert sorted(stale, key=lambda a: (a.rule, a.path)) == []
