"""Every line of an environment file that may change can change: nothing that is held goes, no data is replaced."""

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import Environment as CdkEnvironment
from aws_cdk.assertions import Template
from pydantic import BaseModel

from environments.environment import Environment, load_environments
from environments.schema import schema
from fargate_workers import WorkerCluster, set_availability_zones
from stacks.order_pipeline import OrderPipeline
from tests.checks.cloudformation_types import replacing, values

ROOT = Path(__file__).parents[2]

# What a change must not replace: it holds data, an address, or whom to tell.
STAYS = {
    "AWS::DynamoDB::GlobalTable",
    "AWS::EC2::Subnet",
    "AWS::EC2::VPC",
    "AWS::ECS::Cluster",
    "AWS::ECS::Service",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::ElastiCache::SubnetGroup",
    "AWS::ElastiCache::User",
    "AWS::ElastiCache::UserGroup",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
}

# Key -> another value than dev's. Each change is looked at in both directions.
OTHERS: dict[str, Any] = {
    "architecture": "x86_64",
    "container_insights": False,
    "production": True,
    "reserve_concurrency": True,
    "log_retention_days": 90,
    "min_tasks": 2,
    "max_tasks": 7,
    "pacing": "latency",
    "spot_from": 2,
    "alert_emails": ("a@acme.com", "b@acme.com"),
    "mutes": ({"name": "Nightly", "cron": "0 2 * * *", "minutes": 60},),
    "access_log_bucket": None,
    "replica_bucket_arn": None,
    "replica_key_arn": None,
    "network.nat_gateways": 2,
    "cache.node_type": "cache.m7g.large",
    "cache.multi_az": False,
    "cache.snapshot_retention_days": 0,
    "removal.allow_data_loss": False,
    "removal.confirm": "",
    "deletion_protection": True,
    "queue_systems.function_timeout_seconds": 20,
    "tags": {"owner": "somebody"},
}
# What has to change with it.
TOGETHER: dict[str, dict[str, Any]] = {
    "replica_bucket_arn": {"replica_key_arn": None},
    "replica_key_arn": {"replica_bucket_arn": None},
    "removal.allow_data_loss": {"removal.confirm": ""},
    "removal.confirm": {"removal.allow_data_loss": False},
    "deletion_protection": {"removal.allow_data_loss": False, "removal.confirm": ""},
}
# One may be added; none may go.
ADDED = {"network.availability_zones": ("eu-west-1a", "eu-west-1b", "eu-west-1c")}
# Each has a stack of its own, which is destroyed before the line goes.
SWITCHED = {
    "queue_systems.database": "Database",
    "queue_systems.function": "Function",
    "queue_systems.kafka": "Kafka",
    "queue_systems.redis_list": "RedisList",
    "queue_systems.redis_stream": "RedisStream",
}
# What is looked at beside another variant than dev itself.
BASES = {
    "network.nat_gateways": "network.mode",
    "queue_systems.function_timeout_seconds": "queue_systems.function",
}
NO_SPOT = "spot_from left out"
# Said to be final in the schema and in docs/environments.md.
FINAL = {"account": "210615730189", "region": "us-east-1", "network.mode": "nat"}


def keys(model: type[BaseModel] = Environment, prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, f"{prefix}{name}.")
        elif prefix or name != "name":
            yield f"{prefix}{name}"


@dataclass(frozen=True)
class Deployed:
    """The templates of an environment by the names of their stacks, the environment's own name left out."""

    templates: Mapping[str, dict[str, Any]]

    def exports(self) -> set[str]:
        return {
            f"{stack}:{name}"
            for stack, template in self.templates.items()
            for name, output in template.get("Outputs", {}).items()
            if "Export" in output
        }

    def resources(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {
            (stack, logical_id): resource
            for stack, template in self.templates.items()
            for logical_id, resource in template["Resources"].items()
            if resource["Type"] in STAYS
        }


def changed(base: Environment, name: str, changes: Mapping[str, Any]) -> Environment:
    written = base.model_dump() | {"name": name}
    for key, value in changes.items():
        *section, last = key.split(".")
        target = written[section[0]] if section else written
        target[last] = value
    if written["removal"]["confirm"]:
        written["removal"]["confirm"] = name
    return Environment.model_validate(written)


def grouped(keys: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The keys that change in one variant, by each of them: no property of a resource depends on more than one."""
    alone = {*TOGETHER, *BASES}
    others = [key for key in keys if key not in alone]
    groups = [(key,) for key in keys if key in alone] + [tuple(others[at : at + 3]) for at in range(0, len(others), 3)]
    return {key: group for group in groups for key in group}


@pytest.fixture(scope="module")
def synthesize(context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Deployed]:
    """Dev and all its variants, synthesized in one go."""
    folder = tmp_path_factory.mktemp("cdk.out")
    (dev,) = load_environments(ROOT / "environments", "dev")
    groups = grouped(OTHERS)
    variants = {"": {}}
    for key, value in OTHERS.items():
        variants.setdefault(groups[key][0], {}).update({key: value} | TOGETHER.get(key, {}))
    variants |= {key: {key: value} for key, value in ADDED.items()} | {key: {key: True} for key in SWITCHED}
    variants["queue_systems.function_timeout_seconds"] |= {"queue_systems.function": True}
    variants[NO_SPOT] = {"spot_from": None}
    variants["network.mode"] = {"network.mode": "nat"}
    variants["network.nat_gateways"] |= {"network.mode": "nat"}
    stages = {key: f"e{number}" for number, key in enumerate(variants)}
    app = App(outdir=str(folder), context=context)
    for key, changes in variants.items():
        OrderPipeline(app, environment=changed(dev, stages[key], changes))
    app.synth()

    @cache
    def read(key: str) -> Deployed:
        key = groups.get(key, (key,))[0]
        stage = folder / f"assembly-{stages[key]}"
        artifacts = json.loads((stage / "manifest.json").read_text())["artifacts"].values()
        stacks = [each["properties"] for each in artifacts if each["type"] == "aws:cloudformation:stack"]
        return Deployed(
            {
                stack["stackName"].split("-")[1]: json.loads(
                    as_if_called_dev(stages[key], (stage / stack["templateFile"]).read_text())
                )
                for stack in stacks
            }
        )

    return read


def as_if_called_dev(name: str, template: str) -> str:
    text = re.sub(rf"\b{name}(?![0-9])", "dev", template)
    return re.sub(r"(?<=\bdevdatareadmodel)[0-9a-f]{8}", "<hash of the path>", text)


def differences(old: Deployed, new: Deployed) -> list[str]:
    """What CloudFormation would refuse to do, or do by replacing."""
    found = [f"{export} is exported no longer" for export in sorted(old.exports() - new.exports())]
    after = new.resources()
    for place, resource in old.resources().items():
        if place not in after:
            found.append(f"{place} goes")
            continue
        before, now = resource.get("Properties", {}), after[place].get("Properties", {})
        found += [
            f"{place} is replaced: {path}"
            for path in replacing(resource["Type"])
            if values(before, path) != values(now, path)
        ]
    return found


def test_each_key_of_the_file_is_looked_at() -> None:
    assert set(keys()) == {*OTHERS, *ADDED, *SWITCHED, *FINAL}


@pytest.mark.parametrize("key", OTHERS)
def test_a_key_can_change_and_change_back(key: str, synthesize: Callable[[str], Deployed]) -> None:
    base = BASES.get(key, "")

    assert differences(synthesize(base), synthesize(key)) == []
    assert differences(synthesize(key), synthesize(base)) == []


def test_the_first_task_on_spot_replaces_nothing_since_ecs_changes_the_way_of_launching(
    synthesize: Callable[[str], Deployed],
) -> None:
    # In place since June 2025; CloudFormation's schema calls it conditional.
    # https://aws.amazon.com/about-aws/whats-new/2025/05/amazon-ecs-capacity-provider-configuration-ecs/
    for found in (differences(synthesize(""), synthesize(NO_SPOT)), differences(synthesize(NO_SPOT), synthesize(""))):
        assert {line.split(": ")[1] for line in found} == {"LaunchType"}


@pytest.mark.parametrize("key", ADDED)
def test_what_is_added_moves_nothing(key: str, synthesize: Callable[[str], Deployed]) -> None:
    assert differences(synthesize(""), synthesize(key)) == []


def test_the_final_mode_is_final_for_a_reason(synthesize: Callable[[str], Deployed]) -> None:
    assert differences(synthesize(""), synthesize("network.mode"))


@pytest.mark.parametrize("key", SWITCHED)
def test_a_queue_system_comes_in_a_stack_of_its_own_and_moves_nothing(
    key: str, synthesize: Callable[[str], Deployed]
) -> None:
    without, switched_on = synthesize(""), synthesize(key)

    assert differences(without, switched_on) == []
    assert switched_on.templates.keys() - without.templates.keys() == {SWITCHED[key]}
    rest = Deployed({name: each for name, each in switched_on.templates.items() if name != SWITCHED[key]})
    # What the others export to it alone may go after it.
    assert [each for each in differences(rest, without) if not each.endswith("is exported no longer")] == []


@pytest.mark.parametrize("key", FINAL)
def test_what_is_final_says_so_in_schema_and_document(key: str) -> None:
    *section, last = key.split(".")
    written = json.loads(schema())
    properties = written["$defs"]["Network"]["properties"] if section else written["properties"]
    said = properties[last]["description"] + (properties["account"]["description"] if last == "region" else "")
    document = (ROOT / "docs" / "environments.md").read_text(encoding="utf-8")

    assert "inal" in said or last == "account"
    assert f"| `{key}` | final" in document


@pytest.mark.parametrize("key", [*OTHERS, *ADDED, *SWITCHED])
def test_the_document_says_what_each_change_does(key: str) -> None:
    document = (ROOT / "docs" / "environments.md").read_text(encoding="utf-8")

    assert f"| `{key}` | " in document
    assert f"| `{key}` | final" not in document


@pytest.mark.parametrize("mode", ["nat", "endpoints", "public"])
def test_a_further_zone_leaves_the_first_ones_where_they_are(mode: str, context: dict[str, Any]) -> None:
    zones = [f"eu-west-1{letter}" for letter in "abcdef"]
    found = []
    for count in (1, 2, 3, 6):
        app = App(context=context)
        set_availability_zones(app, zones[:count], account="240615730189", region="eu-west-1")
        stack = Stack(app, "Stack", env=CdkEnvironment(account="240615730189", region="eu-west-1"))
        WorkerCluster(stack, "Cluster", network=mode, availability_zones=zones[:count])  # pyright: ignore[reportArgumentType]
        subnets = Template.from_stack(stack).find_resources("AWS::EC2::Subnet")
        found.append({name: subnet["Properties"]["CidrBlock"] for name, subnet in subnets.items()})

    for fewer, more in pairwise(found):
        assert fewer.items() <= more.items()

    given_out = sum(ipaddress.ip_network(cidr).num_addresses for cidr in found[-1].values())
    assert given_out <= 2**16 // 2
