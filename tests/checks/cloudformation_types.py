"""What CloudFormation's own schemas say of a resource type: what cannot change, and what names it."""

from collections.abc import Iterator
from functools import cache
from typing import Any

REGION = "us-east-1"


@cache
def _schema(type_name: str) -> dict[str, Any]:
    # Not above: it takes a second, in each of the processes that collect tests.
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    return dict(PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, type_name).schema)


def replacing(type_name: str) -> list[str]:
    """The properties whose change replaces the resource, or may."""
    schema = _schema(type_name)
    paths = [*schema.get("createOnlyProperties", ()), *schema.get("conditionalCreateOnlyProperties", ())]
    return [path.removeprefix("/properties/") for path in paths]


def names(type_name: str) -> set[str]:
    """The properties that give the resource a name of one's own."""
    schema = _schema(type_name)
    kind = type_name.rsplit("::", 1)[1]
    own = {path.removeprefix("/properties/") for path in schema.get("primaryIdentifier", ())}
    own |= {path for path in replacing(type_name) if path.endswith("Name") and kind.endswith(path.removesuffix("Name"))}
    given = set(schema["properties"]) - {
        path.removeprefix("/properties/") for path in schema.get("readOnlyProperties", ())
    }
    return {path for path in own & given if path.endswith(("Name", "Id", "Identifier"))}


def values(properties: dict[str, Any], path: str) -> list[Any]:
    """What stands at `path`, whose `*` is each element of a list."""
    return list(_values(properties, path.split("/")))


def _values(value: Any, path: list[str]) -> Iterator[Any]:
    if not path:
        yield value
    elif path[0] == "*" and isinstance(value, list):
        for element in value:
            yield from _values(element, path[1:])
    elif isinstance(value, dict) and path[0] in value:
        yield from _values(value[path[0]], path[1:])
