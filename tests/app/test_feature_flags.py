"""Every feature flag the CDK recommends is decided in cdk.json; where we decide differently, it says why here."""

import json
import tarfile
from pathlib import Path

import aws_cdk

ROOT = Path(__file__).parents[2]

DECIDED_DIFFERENTLY = {
    # True adds a custom-resource Lambda to every VPC; the default group is unused and acknowledged instead.
    "@aws-cdk/aws-ec2:restrictDefaultSecurityGroup": False,
    # "weak" lets a producer be deleted under its consumers; "strong" makes CloudFormation refuse.
    "@aws-cdk/core:defaultCrossStackReferences": "strong",
}


def recommended_flags() -> dict[str, object]:
    assert aws_cdk.__file__ is not None
    (archive,) = Path(aws_cdk.__file__).parent.glob("_jsii/aws-cdk-lib@*.jsii.tgz")
    with tarfile.open(archive) as tar:
        flags = tar.extractfile("package/recommended-feature-flags.json")
        assert flags is not None
        return dict(json.load(flags))


def test_cdk_json_decides_every_recommended_flag() -> None:
    context = json.loads((ROOT / "cdk.json").read_text())["context"]

    assert context == recommended_flags() | DECIDED_DIFFERENTLY
