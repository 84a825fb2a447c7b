"""A statement with named values, in the style of each driver."""

import zlib
from collections.abc import Mapping
from string import Formatter
from typing import Any


class Statement:
    """One SQL statement whose values stand in braces.

    Args:
        template: The text; `{key}` stands for the value named `key`.

    Attributes:
        name: What it is called where it is prepared, the same in each process.
        psycopg: The text with `%(key)s`.
        sqlalchemy: The text with `:key`.
        asyncpg: The text with `$1`, `$2`, …

    Example:
        >>> statement = Statement("SELECT {b}, {a}, {b}")
        >>> statement.asyncpg, statement.positional({"a": 1, "b": 2})
        ('SELECT $1, $2, $1', [2, 1])
    """

    def __init__(self, template: str) -> None:
        names = dict.fromkeys(name for _, name, _, _ in Formatter().parse(template) if name)
        self._names = list(names)
        self.name: str = f"fargate_workers_{zlib.crc32(template.encode()):08x}"
        self.psycopg: bytes = template.format(**{name: f"%({name})s" for name in names}).encode()
        self.sqlalchemy: str = template.format(**{name: f":{name}" for name in names})
        self.asyncpg: str = template.format(**{name: f"${place}" for place, name in enumerate(names, 1)})

    def positional(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of `asyncpg`.

        Args:
            values: The values by name.
        """
        return [values[name] for name in self._names]
