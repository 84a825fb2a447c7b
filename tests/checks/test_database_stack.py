"""The sample's database in every environment: nothing unacknowledged, and kept or let go as the environment decides."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stage
from aws_cdk import Environment as CdkEnvironment
from cdk_nag import AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks, ServerlessChecks

from environments.environment import Environment, load_environments
from fargate_workers import set_availability_zones
from stacks.database_stack import DatabaseStack
from stacks.platform_stack import PlatformStack

ROOT = Path(__file__).parents[2]
PACKS = (AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks, ServerlessChecks)


def build(app: App, environment: Environment) -> DatabaseStack:
    place = CdkEnvironment(account=environment.account, region=environment.region)
    stage = Stage(app, environment.name, env=place)
    zones = environment.network.availability_zones
    set_availability_zones(stage, zones, account=environment.account, region=environment.region)
    platform = PlatformStack(stage, environment=environment)
    return DatabaseStack(stage, environment=environment, platform=platform)


@pytest.fixture(scope="module")
def built(context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[App, dict[str, dict[str, Any]]]:
    """The app with every environment, and the resources of each environment's stack."""
    app = App(context=context, outdir=str(tmp_path_factory.mktemp("cdk.out")))
    environments = load_environments(ROOT / "environments")
    alone = environments[0].model_copy(
        update={"name": "alone", "cache": environments[0].cache.model_copy(update={"multi_az": False})}
    )
    stacks = {each.name: build(app, each) for each in (*environments, alone)}
    assembly = Path(app.synth().directory)
    found = {
        name: json.loads(next(assembly.rglob(f"{stack.artifact_id}.template.json")).read_text())["Resources"]
        for name, stack in stacks.items()
    }
    return app, found


def only(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = (each for each in resources.values() if each["Type"] == kind)
    return dict(found)


def test_nothing_is_unacknowledged(built: tuple[App, dict[str, dict[str, Any]]]) -> None:
    app, _ = built

    assert [
        (violation.rule_name, [each.construct_path for each in violation.violating_resources])
        for pack in PACKS
        for violation in pack(app).validate_scope(app).violations
    ] == []


def test_an_environment_decides_what_becomes_of_the_data(built: tuple[App, dict[str, dict[str, Any]]]) -> None:
    _, stacks = built
    policies = {name: only(resources, "AWS::RDS::DBCluster")["DeletionPolicy"] for name, resources in stacks.items()}

    assert (policies["prod"], policies["dev"]) == ("RetainExceptOnCreate", "Delete")


def test_an_environment_that_does_without_a_second_node_has_no_standby(
    built: tuple[App, dict[str, dict[str, Any]]],
) -> None:
    _, stacks = built
    instances = {
        name: sum(each["Type"] == "AWS::RDS::DBInstance" for each in resources.values())
        for name, resources in stacks.items()
    }

    assert (instances["prod"], instances["alone"]) == (2, 1)


def test_the_log_of_the_database_is_encrypted_with_the_environments_key(
    built: tuple[App, dict[str, dict[str, Any]]],
) -> None:
    _, stacks = built

    for resources in stacks.values():
        log_groups = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Logs::LogGroup"]
        assert len(log_groups) >= 2
        assert all("KmsKeyId" in each for each in log_groups)
