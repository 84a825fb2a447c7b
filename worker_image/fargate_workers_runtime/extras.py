"""Optional packages, imported where they are used; the error of a missing one is one sentence."""

from collections.abc import Generator
from contextlib import contextmanager

#: The extra that brings each package.
_EXTRAS = {"confluent_kafka": "kafka", "psycopg": "postgres", "psycopg_pool": "postgres", "redis": "redis"}


class MissingExtra(ModuleNotFoundError):  # noqa: N818  it names what is missing
    """A package that an extra brings is missing or too old; the text is one sentence that names the extra."""


@contextmanager
def extra() -> Generator[None]:
    """A block that imports what an extra brings.

    Raises:
        MissingExtra: The package cannot be imported.
    """
    try:
        yield
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        lacks = "is missing" if error.name == package and isinstance(error, ModuleNotFoundError) else "is too old"
        raise MissingExtra(
            f"The package {package} {lacks}; install fargate-workers-runtime[{_EXTRAS[package]}].",
            name=package,
        ) from error
