"""The driver of a connection, chosen by its class. No library is imported that the handler has not imported."""

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from fargate_workers_runtime.sql.drivers.driver import AsyncDriver, Driver

_PACKAGE = __package__

#: Of each kind of connection: its module, its class, and the file and class of its driver.
_DRIVERS = (
    ("psycopg", "Connection", "psycopg_driver", "PsycopgDriver"),
    ("psycopg", "AsyncConnection", "psycopg_driver", "PsycopgAsyncDriver"),
    ("sqlalchemy", "Connection", "sqlalchemy_driver", "SqlAlchemyDriver"),
    ("sqlalchemy.orm", "Session", "sqlalchemy_driver", "SqlAlchemyDriver"),
    ("asyncpg", "Connection", "asyncpg_driver", "AsyncpgDriver"),
    ("asyncpg.pool", "PoolConnectionProxy", "asyncpg_driver", "AsyncpgDriver"),
)


def driver_of(connection: object) -> Driver | AsyncDriver:
    """The driver of a connection that the handler has opened.

    Args:
        connection: The connection.

    Raises:
        TypeError: It is none that is known.
    """
    make = _found.get(type(connection)) or _find(connection)
    return make(connection)


#: What was found for a class before.
_found: dict[type, Callable[[Any], Driver | AsyncDriver]] = {}


def _find(connection: object) -> Callable[[Any], Driver | AsyncDriver]:
    for kind, file, driver in _known():
        if isinstance(connection, kind):
            make = _found[type(connection)] = getattr(import_module(f"{_PACKAGE}.{file}"), driver)
            return make
    raise TypeError(
        f"{type(connection).__module__}.{type(connection).__qualname__} is no connection that is known here; pass one "
        "of psycopg 3, psycopg's AsyncConnection, SQLAlchemy's Connection or Session, or asyncpg's."
    )


def _known() -> Iterator[tuple[type, str, str]]:
    for module, name, file, driver in _DRIVERS:
        if (loaded := sys.modules.get(module)) is not None:
            yield getattr(loaded, name), file, driver
