"""Five rule packs over every environment: nothing unacknowledged, few kinds of acknowledgement, none of them stale."""

import re
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from environments.environment import load_environments
from fargate_workers.compliance import acknowledgements
from stacks.order_pipeline import OrderPipeline
from tests.checks.rule_packs import PACKS, Acknowledged, Finding, Scan, recorder

ROOT = Path(__file__).parents[2]
MOST_KINDS = 6
#: With every further queue system.
MOST_KINDS_OF_ALL = 13


@pytest.fixture(scope="module")
def scan(context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """What the packs find in all environments while no acknowledgement has any effect."""
    recorded: set[Acknowledged] = set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(acknowledgements, "Validations", recorder(recorded))
        app = App(outdir=str(tmp_path_factory.mktemp("cdk.out")), context=context)
        for environment in load_environments(ROOT / "environments"):
            OrderPipeline(app, environment=environment)
    app.synth()  # references between stacks are what they will be only after this
    findings = {
        Finding(violation.rule_name, resource.construct_path)
        for pack in PACKS
        for violation in pack(app).validate_scope(app).violations
        for resource in violation.violating_resources
    }
    return Scan(frozenset(findings), frozenset(recorded))


def test_the_packs_do_find_things_while_nothing_is_acknowledged(scan: Scan) -> None:
    assert scan.findings


def test_nothing_is_unacknowledged(scan: Scan) -> None:
    open_findings = {f for f in scan.findings if not any(a.covers(f) for a in scan.acknowledged)}

    assert sorted(open_findings, key=lambda f: (f.rule, f.path)) == []


def test_no_acknowledgement_is_stale(scan: Scan) -> None:
    stale = {a for a in scan.acknowledged if not any(a.covers(f) for f in scan.findings)}

    assert sorted(stale, key=lambda a: (a.rule, a.path)) == []


def test_there_are_few_kinds_of_acknowledgement(scan: Scan) -> None:
    # The same rule in several packs (HIPAA.Security-X, NIST.800.53.R5-X) is one kind; so are IAM5's granular findings.
    def kinds(*, beside: str) -> set[str]:
        return {
            re.sub(r"\[.*", "", a.rule).rsplit("-", 1)[-1] for a in scan.acknowledged if not a.path.startswith(beside)
        }

    assert len(kinds(beside="local-brokers/")) <= MOST_KINDS, sorted(kinds(beside="local-brokers/"))
    assert len(kinds(beside="/")) <= MOST_KINDS_OF_ALL, sorted(kinds(beside="/"))


def test_every_acknowledgement_gives_its_evidence(scan: Scan) -> None:
    assert [a for a in scan.acknowledged if len(a.reason) < 40] == []


def test_an_environment_may_do_without_the_buckets_it_has_to_name(
    context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    (environment,) = load_environments(ROOT / "environments", "dev")
    without = {"access_log_bucket": None, "replica_bucket_arn": None, "replica_key_arn": None}
    app = App(outdir=str(tmp_path_factory.mktemp("cdk.out")), context=context)
    OrderPipeline(app, environment=environment.model_copy(update=without))
    app.synth()

    assert [v.rule_name for pack in PACKS for v in pack(app).validate_scope(app).violations] == []


@pytest.mark.parametrize("mode", ["nat", "public"])
def test_an_environment_may_choose_another_network(
    mode: Any, context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    (environment,) = load_environments(ROOT / "environments", "dev")
    network = environment.network.model_copy(update={"mode": mode})
    app = App(outdir=str(tmp_path_factory.mktemp("cdk.out")), context=context)
    OrderPipeline(app, environment=environment.model_copy(update={"network": network}))
    app.synth()

    assert [
        (v.rule_name, [r.construct_path for r in v.violating_resources])
        for pack in PACKS
        for v in pack(app).validate_scope(app).violations
    ] == []
