"""The code of PostgreSQL's own in a driver's exception.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

import sys
from collections.abc import Iterator

LOCK_NOT_AVAILABLE = "55P03"
READ_ONLY = "25006"

#: The transaction was ended for the sake of another: serialization_failure, deadlock_detected.
_CONFLICTS = ("40001", "40P01")

#: The server ends, starts, or has no room (admin_shutdown, crash_shutdown, cannot_connect_now, too_many_connections);
#: and the class of lost connections.
_OUTAGES = ("57P01", "57P02", "57P03", "53300", "08")


def sqlstate(error: BaseException) -> str | None:
    """The code of the error, or of the one that it stands for; None if it has none.

    Args:
        error: An exception of psycopg, asyncpg or SQLAlchemy, or anything else.
    """
    for each in _causes(error):
        for name in ("sqlstate", "pgcode"):
            if isinstance(code := getattr(each, name, None), str):
                return code
    return None


def is_conflict(error: BaseException) -> bool:
    """Whether the database has ended a transaction for the sake of another.

    Args:
        error: Any exception.
    """
    return sqlstate(error) in _CONFLICTS


def is_outage(error: BaseException) -> bool:
    """Whether a connection could not be made, or was lost.

    Args:
        error: Any exception.
    """
    code = sqlstate(error)
    if code is not None:
        return code.startswith(_OUTAGES)
    return any(isinstance(each, _lost_connections()) for each in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what SQLAlchemy or a `raise … from` put inside of it."""
    for _ in range(8):  # a chain may be a circle
        yield error
        inside = getattr(error, "orig", None) or error.__cause__
        if not isinstance(inside, BaseException):
            return
        error = inside


def _lost_connections() -> tuple[type[BaseException], ...]:
    """Exceptions without a code, of the libraries that are loaded."""
    kinds: list[type[BaseException]] = [ConnectionError]
    for module, name in (
        ("psycopg", "OperationalError"),
        ("psycopg_pool", "PoolTimeout"),
        ("asyncpg", "InterfaceError"),
    ):
        if (loaded := sys.modules.get(module)) is not None:
            kinds.append(getattr(loaded, name))
    return tuple(kinds)
