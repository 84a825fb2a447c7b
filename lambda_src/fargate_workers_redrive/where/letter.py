"""What a filter asks of a dead letter."""

from collections.abc import Mapping
from typing import Protocol


class Letter(Protocol):
    """A dead letter as a filter sees it."""

    @property
    def id(self) -> str:
        """Its id among the dead letters."""
        ...

    @property
    def body(self) -> str:
        """Its body."""
        ...

    @property
    def reason(self) -> str:
        """Why it was given up."""
        ...

    @property
    def error(self) -> str:
        """The error, in the worker's words."""
        ...

    @property
    def group(self) -> str | None:
        """The group whose order it belongs to."""
        ...

    @property
    def died_at(self) -> float:
        """When it was given up, in seconds since 1970."""
        ...

    @property
    def receives(self) -> int:
        """How often it was delivered before."""
        ...

    @property
    def original_id(self) -> str:
        """Its id before it died."""
        ...

    @property
    def attributes(self) -> Mapping[str, str]:
        """The sender's attributes, as text."""
        ...
