"""What a server must be to keep messages: a primary, new enough, that evicts nothing."""

import logging
from collections.abc import Mapping
from typing import Any

import redis

from fargate_workers_runtime.errors import SettingsError

_log = logging.getLogger(__name__)

#: The scripts state their flags, which older servers do not read.
_OLDEST = 7


def check_server(client: redis.Redis, *, address: str) -> None:
    """Refuse a server that would lose messages, as far as it shows what it is.

    Args:
        client: A client of the server.
        address: The variable that names the server, for the error.

    Raises:
        SettingsError: It is a replica, may evict keys, or is too old.
    """
    hello = _hello(client)
    if hello.get("role", "master") != "master":
        raise SettingsError(f"{address} is a replica, which takes no writes; make it the primary endpoint.")
    version = str(hello.get("version", _OLDEST))
    if int(version.partition(".")[0]) < _OLDEST:
        raise SettingsError(f"{address} is a server of version {version}; make it Valkey, or Redis 7 or later.")
    policy = _eviction(client)
    if policy is None:
        _log.warning("eviction_unknown", extra={"fields": {"server": address}})
    elif policy != "noeviction":
        raise SettingsError(
            f"{address} is a server that evicts keys when its memory is full ({policy}), and with them messages; "
            "make it one whose maxmemory-policy is noeviction."
        )


def check_type(client: redis.Redis, key: str, kind: str, *, variable: str) -> None:
    """Refuse a key that holds something else.

    Args:
        client: A client of the server.
        key: The name of the key.
        kind: Redis's word for what it must hold, if it exists.
        variable: The variable that names the key, for the error.

    Raises:
        SettingsError: The key holds another kind of value.
    """
    found = _text(client.type(key))
    if found not in (kind, "none"):
        raise SettingsError(f"{variable} is {key!r}, which is a {found} on the server; name a {kind}, or no key yet.")


def _hello(client: redis.Redis) -> Mapping[str, Any]:
    """What any client may ask: https://valkey.io/commands/hello/."""
    untyped: Any = client
    answer: Any = untyped.execute_command("HELLO")
    pairs: Any = answer.items() if hasattr(answer, "items") else zip(answer[::2], answer[1::2], strict=True)
    return {_text(name): _text(value) for name, value in pairs}


def _eviction(client: redis.Redis) -> str | None:
    """The server's policy; None where it does not show it, or not to this user. ElastiCache has no CONFIG to ask."""
    try:
        about: Any = client.info("memory")  # pyright: ignore[reportUnknownMemberType]
    except redis.ResponseError:
        return None
    return about.get("maxmemory_policy")


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
