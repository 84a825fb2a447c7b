"""The zones of a region as context, in place of a look-up."""

from collections.abc import Sequence

from constructs import Construct


def set_availability_zones(scope: Construct, zones: Sequence[str], *, account: str, region: str) -> None:
    """Set the zones that the CDK knows of a region, so that a new network in it needs no look-up.

    Only stacks with a concrete account and region would look up; without this, `cdk synth` asks AWS once and keeps the
    answer in cdk.context.json.

    Args:
        scope: An app, a stage or a stack that has no children yet.
        zones: The names of the zones.
        account: The account's number.
        region: The region.
    """
    scope.node.set_context(f"availability-zones:account={account}:region={region}", list(zones))
