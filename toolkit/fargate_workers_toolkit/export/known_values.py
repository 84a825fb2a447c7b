"""What only a deployment knows, as far as somebody states it: names, addresses and ARNs of what was deployed."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from fargate_workers_toolkit.errors import ExportError
from fargate_workers_toolkit.templates import Reference, Resource, Text, Unknown

_PSEUDO = re.compile(r"AWS::\w+")


class KnownValues:
    """Turns evaluated values of a template into text, and remembers what it could not.

    A value is called `STACK/LOGICAL_ID`, for what `Ref` gives, or `STACK/LOGICAL_ID.Attribute`. What follows from
    another one is not asked for: a queue's name from its URL, a role's ARN from its name and account.

    Args:
        values: Values by those names. Defaults to none.

    Attributes:
        missing: The names of what was asked for and is not known.
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = values or {}
        self.missing: set[str] = set()

    def text(self, value: Any, *, resource: Resource) -> str:
        """The text of an evaluated value; each part that is not known is its name in angle brackets.

        Args:
            value: The value.
            resource: The resource in whose template it stands.
        """
        match value:
            case Text(parts=parts):
                return "".join(self.text(part, resource=resource) for part in parts)
            case Reference(resource=target, attribute=attribute):
                return self._known(target, attribute)
            case Unknown(why=why):
                return self._pseudo(why, resource)
            case _:
                return str(value)

    def named(self, name: str) -> str:
        """The value of a name, or the name in angle brackets.

        Args:
            name: The name.
        """
        if name not in self._values:
            self.missing.add(name)
        return self._values.get(name, f"<{name}>")

    def _known(self, target: Resource, attribute: str | None) -> str:
        name = f"{target.stack}/{target.logical_id}"
        if attribute is None:
            return self.named(name)
        if f"{name}.{attribute}" in self._values:
            return self._values[f"{name}.{attribute}"]
        match target.type, attribute:
            case "AWS::SQS::Queue", "QueueName":
                known = self.named(name)
                return known if known.startswith("<") else known.rpartition("/")[2]
            case "AWS::IAM::Role", "Arn" if account := _place(target)[0]:
                known = self.named(name)
                return known if known.startswith("<") else f"arn:{_partition(target)}:iam::{account}:role/{known}"
            case _:
                return self.named(f"{name}.{attribute}")

    def _pseudo(self, why: str, resource: Resource) -> str:
        """AWS's own parameters follow from the account and region of the stack, where it names them."""
        account, region = _place(resource)
        match _PSEUDO.match(why):
            case re.Match() as match if match[0] == "AWS::URLSuffix" and region:
                return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
            case re.Match() as match if match[0] == "AWS::Partition" and region:
                return _partition(resource)
            case re.Match() as match if match[0] == "AWS::Region" and region:
                return region
            case re.Match() as match if match[0] == "AWS::AccountId" and account:
                return account
            case re.Match() as match:
                return self.named(f"{resource.stack}/{match[0]}")
            case _:
                return self.named(f"{resource.stack}/{resource.logical_id}: {why}")


def read_values(path: Path) -> Mapping[str, str]:
    """Values from a JSON file: an object of texts, by their names.

    Args:
        path: The file.

    Raises:
        ExportError: It cannot be read, or is something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise ExportError(
            f'{path} is not JSON; write, for example, {{"dev-Data/OrdersQueue1A2B": "https://..."}}.'
        ) from None
    if not isinstance(found, dict) or not all(
        isinstance(each, str) for each in cast("dict[str, object]", found).values()
    ):
        raise ExportError(f"{path} is no object of texts; write each value by its name, as the command lists them.")
    return cast("Mapping[str, str]", found)


def region_of(resource: Resource) -> str:
    """The region of a resource's stack; empty where the stack names none.

    Args:
        resource: The resource.
    """
    return _place(resource)[1]


def _place(resource: Resource) -> tuple[str, str]:
    """Account and region of a stack; empty where it names none."""
    account, _, region = resource.home.environment.removeprefix("aws://").partition("/")
    return ("" if "unknown" in account else account, "" if "unknown" in region else region)


def _partition(resource: Resource) -> str:
    region = _place(resource)[1]
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
