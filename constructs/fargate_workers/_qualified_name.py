"""What nothing else in an account and region is called: the stack's name and the construct's path within it."""

from weakref import WeakKeyDictionary

from aws_cdk import Names, Stack
from constructs import Construct

# Per scope and not per construct: each of the three questions is a round trip to the CDK's Node process.
_places: WeakKeyDictionary[Construct, str] = WeakKeyDictionary()


def qualify(scope: Construct, id: str) -> str:
    """`shop-Workers/Invoices/Orders` for the construct Orders within Invoices in the stack shop-Workers."""
    place = _places.get(scope)
    if place is None:
        path = Names.stack_relative_construct_path(scope)
        place = _places[scope] = "/".join(filter(None, (Stack.of(scope).stack_name, path)))
    return f"{place}/{id}"
