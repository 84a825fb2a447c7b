"""What nothing else in an account and region is called: the stack's name and the construct's path within it."""

from typing import cast
from weakref import WeakKeyDictionary

from aws_cdk import Names, Stack
from constructs import Construct

from fargate_workers.cloudformation.names.plain_text import dimension
from fargate_workers.cloudformation.pseudo_parameters import stack_of

# Per scope and not per construct: each of the three questions is a round trip to the CDK's Node process.
_places: WeakKeyDictionary[Construct, str] = WeakKeyDictionary()


def qualify(scope: Construct, id: str) -> str:
    """`shop-Workers/Invoices/Orders` for the construct Orders within Invoices in the stack shop-Workers.

    Metrics go by it, so characters that CloudWatch does not take are replaced.
    """
    place = _places.get(scope)
    if place is None:
        path = "" if isinstance(scope, Stack) else Names.stack_relative_construct_path(scope)
        place = _places[scope] = "/".join(filter(None, (stack_of(scope).stack_name, path)))
    return dimension(f"{place}/{id}")


def qualified_name(construct: Construct) -> str:
    """The qualified name of a construct that exists; see `qualify`."""
    return qualify(cast("Construct", construct.node.scope), construct.node.id)
