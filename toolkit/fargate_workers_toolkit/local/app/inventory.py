"""The resources of a deployed app that people look for, with the names that commands take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.text import Text

from fargate_workers_toolkit.templates import Assembly

#: What people send to, look into or call, and the word for it.
KINDS = {
    "AWS::S3::Bucket": "bucket",
    "AWS::SQS::Queue": "queue",
    "AWS::SNS::Topic": "topic",
    "AWS::DynamoDB::GlobalTable": "table",
    "AWS::DynamoDB::Table": "table",
    "AWS::ECS::Cluster": "cluster",
    "AWS::ECS::Service": "service",
    "AWS::Lambda::Function": "function",
    "AWS::Scheduler::Schedule": "schedule",
}


@dataclass(frozen=True, kw_only=True)
class Item:
    """One resource.

    Args:
        kind: The word for its type.
        path: Its construct path.
        name: The name that CloudFormation gave it.
    """

    kind: str
    path: str
    name: str


class Named(Protocol):
    """The names that CloudFormation gave, as `Deployed` has them."""

    def physical_id(self, path: str, *, type: str) -> str:
        """Return the name of the resource at a construct path."""
        ...


def items_of(assembly: Assembly, deployed: Named) -> list[Item]:
    """List the resources that people send to, look into or call.

    Args:
        assembly: The stacks that run.
        deployed: Has their names.

    Returns:
        The resources, ordered by kind and path.
    """
    order = list(dict.fromkeys(KINDS.values()))
    items = [
        Item(
            kind=KINDS[resource.type],
            path=resource.path,
            name=deployed.physical_id(resource.path, type=resource.type),
        )
        for resource in assembly.resources()
        if resource.type in KINDS
    ]
    return sorted(items, key=lambda item: (order.index(item.kind), item.path))


def show(items: Sequence[Item], console: Console) -> None:
    """Print two lines for each resource, none of them folded, so that names can be copied.

    Args:
        items: The resources.
        console: Receives the lines.
    """
    width = max((len(item.kind) for item in items), default=0)
    for item in items:
        console.print(Text.assemble((item.kind.ljust(width), "dim"), f"  {item.path}"), soft_wrap=True)
        console.print(Text(f"{'':{width}}  {item.name}", style="bold"), soft_wrap=True)
