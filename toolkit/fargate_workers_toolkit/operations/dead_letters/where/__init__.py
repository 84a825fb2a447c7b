"""The filter of dead letters, as a command takes it; the redrive function reads the same, and has its home."""

from typing import Self

from fargate_workers_redrive import where
from fargate_workers_toolkit.operations.errors import OperationsError

__all__ = ["Filter", "FilterError"]


class FilterError(OperationsError):
    """A filter that cannot be read; the text names the place.

    Args:
        position: Where, counted from 1.
        what: What is wrong there.
    """

    def __init__(self, position: int, what: str) -> None:
        super().__init__(f"--where, at position {position}: {what}")
        self.position = position


class Filter(where.Filter):
    """A filter as it was typed.

    Args:
        text: As it was typed.
        condition: What it means.
    """

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a filter.

        Args:
            text: The filter.

        Raises:
            FilterError: It cannot be read; the text names the place.
        """
        try:
            return super().parse(text)
        except where.FilterError as error:
            raise FilterError(error.position, error.what) from error
