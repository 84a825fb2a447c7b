"""One snapshot per environment and stack, for review: its diff is what a change does to what is deployed.

`make snapshots` refreshes them. Asset hashes are normalised: a changed handler is not a changed template.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension
from syrupy.location import PyTestLocation
from syrupy.types import SnapshotIndex

ASSET_HASH = re.compile(r"[0-9a-f]{64}")
ENVIRONMENTS = sorted(file.stem for file in (Path(__file__).parents[2] / "environments").glob("*.toml"))
STACKS = [(environment, stack) for environment in ENVIRONMENTS for stack in ("Platform", "Data", "Workers")]
# One environment has a stack of each further queue system.
STACKS += [("local-brokers", stack) for stack in ("Database", "Function", "Kafka", "RedisList", "RedisStream")]


class OneFilePerStack(JSONSnapshotExtension):
    """Files named prod-Data.json and so on."""

    @classmethod
    def get_snapshot_name(cls, *, test_location: PyTestLocation, index: SnapshotIndex = 0) -> str:
        return str(index)


def template(assembly: Path, environment: str, stack: str) -> dict[str, Any]:
    (path,) = (assembly / f"assembly-{environment}").glob(
        f"{environment.replace('-', '')}{stack}????????.template.json"
    )
    return dict(json.loads(ASSET_HASH.sub("<asset>", path.read_text())))


@pytest.mark.parametrize(("environment", "stack"), STACKS)
def test_the_template_is_the_reviewed_one(
    assembly: Path, environment: str, stack: str, snapshot: SnapshotAssertion
) -> None:
    assert template(assembly, environment, stack) == snapshot(
        extension_class=OneFilePerStack, name=f"{environment}-{stack}"
    ), "the template differs from its snapshot: read the diff, then refresh with `make snapshots`"
