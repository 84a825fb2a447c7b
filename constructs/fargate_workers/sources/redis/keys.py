"""The keys of a stream or a list in Redis. All of one source have one hash tag, hence one slot of a cluster. Pure.

https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
"""

import re

from fargate_workers.errors import ConfigurationError

_NAME = re.compile(r"[a-zA-Z0-9._-]{1,100}")


def key_of(id: str, name: str) -> str:
    """The key of a stream or a list, with its name as the hash tag.

    >>> key_of("Orders", "orders")
    '{orders}'

    Args:
        id: The id of the construct, for the error.
        name: The name.

    Raises:
        ConfigurationError: The name has other characters than letters, digits, dots, hyphens and underscores.
    """
    if _NAME.fullmatch(name) is None:
        raise ConfigurationError(
            f'{id}: name is "{name}"; use up to 100 letters, digits, dots, hyphens and underscores. Braces are put '
            "around it."
        )
    return f"{{{name}}}"


def check_group_name(id: str, name: str) -> None:
    """Check the name of a consumer group.

    Args:
        id: The id of the stream, for the error.
        name: The name.

    Raises:
        ConfigurationError: The name has other characters than letters, digits, dots, hyphens and underscores.
    """
    if _NAME.fullmatch(name) is None:
        raise ConfigurationError(
            f'{id}: the consumer group is called "{name}"; use up to 100 letters, digits, dots, hyphens and '
            "underscores."
        )


def dead_letters_of(key: str) -> str:
    """The key of the dead letters of a stream or a list."""
    return f"{key}:dead"


def later_of(key: str, group: str) -> str:
    """The key of what a group of a stream has released until its next attempt; the runtime names it so."""
    return f"{key}:later:{group}"


def leases_of(key: str) -> str:
    """The key of what is taken out of a list and has not ended; the runtime names it so."""
    return f"{key}:leases"
