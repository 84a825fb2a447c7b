"""The logical ids of everything that holds data are frozen: a new id means a new, empty resource in place of the old.

There is no command that refreshes `data_logical_ids.json`. Adding a resource adds a line by hand; changing or removing
a line needs a migration, written down in the changelog.
"""

import json
from pathlib import Path

import pytest

HOLDS_DATA = {
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
}
FROZEN: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "data_logical_ids.json").read_text())


@pytest.mark.parametrize("environment", ["local", "dev", "staging", "prod"])
@pytest.mark.parametrize("stack", ["Platform", "Data", "Workers"])
def test_what_holds_data_keeps_its_logical_id(assembly: Path, environment: str, stack: str) -> None:
    (path,) = (assembly / f"assembly-{environment}").glob(f"{environment}{stack}*.template.json")
    resources = json.loads(path.read_text())["Resources"]

    holding_data = {
        logical_id: resource["Type"] for logical_id, resource in resources.items() if resource["Type"] in HOLDS_DATA
    }

    assert holding_data == FROZEN[stack]
