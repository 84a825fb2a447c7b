"""The logical ids of everything that holds data are frozen: a new id means a new, empty resource in place of the old.

`make snapshots` adds the ids of new resources to `data_logical_ids.json` and leaves every other line alone. To change
or remove one needs a migration, written down in the changelog.
"""

import json
from pathlib import Path

import pytest

HOLDS_DATA = {
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::KMS::Key",
    "AWS::MSK::Cluster",
    "AWS::MSK::Topic",
    "AWS::RDS::DBCluster",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
}
FILE = Path(__file__).parent / "data_logical_ids.json"
ROOT = Path(__file__).parents[2]
ENVIRONMENTS = sorted(file.stem for file in (ROOT / "environments").glob("*.toml"))
STACKS = [(environment, stack) for environment in ENVIRONMENTS for stack in ("Platform", "Data", "Workers")]
STACKS += [("local-brokers", stack) for stack in ("Database", "Function", "Kafka", "RedisList", "RedisStream")]


@pytest.mark.parametrize(("environment", "stack"), STACKS)
def test_what_holds_data_keeps_its_logical_id(
    assembly: Path, environment: str, stack: str, pytestconfig: pytest.Config
) -> None:
    prefix = environment.replace("-", "") + stack
    (path,) = (assembly / f"assembly-{environment}").glob(f"{prefix}????????.template.json")
    resources = json.loads(path.read_text())["Resources"]
    holding_data = {
        logical_id: resource["Type"] for logical_id, resource in resources.items() if resource["Type"] in HOLDS_DATA
    }

    frozen: dict[str, dict[str, str]] = json.loads(FILE.read_text())
    if pytestconfig.getoption("update_snapshots"):
        frozen[stack] = {**holding_data, **frozen.get(stack, {})}
        FILE.write_text(json.dumps(frozen, indent=2, sort_keys=True) + "\n")

    gone = frozen[stack].keys() - holding_data.keys()
    new = holding_data.keys() - frozen[stack].keys()
    assert not gone, f"{stack} of {environment} loses {sorted(gone)} with its data: that needs a migration"
    assert not new, f"{stack} of {environment} holds data in {sorted(new)}: `make snapshots` freezes the ids"
    assert holding_data == frozen[stack]
