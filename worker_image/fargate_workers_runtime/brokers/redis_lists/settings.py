"""The settings of a list, read once at the edge."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from fargate_workers_runtime.errors import SettingsError
from fargate_workers_runtime.redis import hash_tag
from fargate_workers_runtime.settings import choice, text

DeliveryKind = Literal["at-least-once", "at-most-once"]


@dataclass(frozen=True, kw_only=True)
class ListSettings:
    """The settings of a list, which the construct sets as variables.

    Attributes:
        name: LIST_NAME, the list's key.
        dead_letters: LIST_DEAD_LETTERS, the dead-letter list's key, in the same hash slot. Default: none; a message
            that is given up is released.
        delivery: LIST_DELIVERY, `at-least-once` or `at-most-once`. Default: at-least-once. With at-most-once, a process
            that is killed or frozen loses what it has received.
    """

    name: str
    dead_letters: str = ""
    delivery: DeliveryKind = "at-least-once"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ListSettings":
        """The settings of a worker's list.

        Args:
            environment: The variables of the process, by name.

        Raises:
            SettingsError: A variable is missing or wrong.
        """
        name, dead_letters = text(environment, "LIST_NAME"), environment.get("LIST_DEAD_LETTERS") or ""
        if dead_letters and (dead_letters == name or hash_tag(dead_letters) != hash_tag(name)):
            raise SettingsError(
                f"LIST_DEAD_LETTERS is {dead_letters!r}, which a cluster may keep apart from {name!r}; "
                f"name it {{{hash_tag(name)}}}:dead, say."
            )
        delivery = choice(environment, "LIST_DELIVERY", cls.delivery, get_args(DeliveryKind))
        return cls(name=name, dead_letters=dead_letters, delivery=cast("DeliveryKind", delivery))
