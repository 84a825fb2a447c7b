"""Tell the CDK what it would otherwise ask AWS."""

from collections.abc import Sequence

from constructs import Construct


def set_availability_zones(scope: Construct, zones: Sequence[str], *, account: str, region: str) -> None:
    """Let `zones` be what the CDK knows of a region, so that a new network in it needs no look-up.

    `scope` is an app, a stage or a stack which has no children yet. Only stacks with a concrete account and region
    would look up; without this, `cdk synth` asks AWS once and keeps the answer in cdk.context.json.
    """
    scope.node.set_context(f"availability-zones:account={account}:region={region}", list(zones))
