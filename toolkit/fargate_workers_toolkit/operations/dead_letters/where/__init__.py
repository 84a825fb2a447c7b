"""The filter of dead letters, as a command takes it; the redrive function reads the same, and has its home."""

import re
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

    @staticmethod
    def of_reason(reason: str) -> str:
        r"""The text of the filter that takes the letters of one reason.

            >>> Filter.of_reason("no *")
            'reason == "no \\*"'

        Args:
            reason: The reason, in which nothing stands for anything else.
        """
        literal = re.sub(r'([\\*"])', r"\\\1", reason)
        return f'reason == "{literal}"'

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
