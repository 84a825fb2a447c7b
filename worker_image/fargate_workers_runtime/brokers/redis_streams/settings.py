"""The settings of a stream, read once at the edge."""

from collections.abc import Mapping
from dataclasses import dataclass

from fargate_workers_runtime.errors import SettingsError
from fargate_workers_runtime.redis import hash_tag
from fargate_workers_runtime.settings import number, text


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """The settings of a stream, which the construct sets as variables.

    Attributes:
        name: STREAM_NAME, the stream's key.
        group: STREAM_GROUP, the consumer group that the worker belongs to.
        dead_letters: STREAM_DEAD_LETTERS, the dead-letter stream's key, in the same hash slot. Default: none; a message
            that is given up is released.
        retain: STREAM_RETAIN_SECONDS, how long an entry may wait for the slowest group. Default: 0, the stream has one
            group, and an entry is deleted when it has ended.
        max_length: STREAM_MAX_LENGTH, the entries that the stream is made for. Default: 0, no limit. The producer of
            this package refuses to send above 90 %.
    """

    name: str
    group: str = ""
    dead_letters: str = ""
    retain: int = 0
    max_length: int = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "StreamSettings":
        """The settings of a worker's stream.

        Args:
            environment: The variables of the process, by name.

        Raises:
            SettingsError: A variable is missing or wrong.
        """
        name, dead_letters = text(environment, "STREAM_NAME"), environment.get("STREAM_DEAD_LETTERS") or ""
        if dead_letters and (dead_letters == name or hash_tag(dead_letters) != hash_tag(name)):
            raise SettingsError(
                f"STREAM_DEAD_LETTERS is {dead_letters!r}, which a cluster may keep apart from {name!r}; "
                f"name it {{{hash_tag(name)}}}:dead, say."
            )
        return cls(
            name=name,
            group=text(environment, "STREAM_GROUP"),
            dead_letters=dead_letters,
            retain=number(environment, "STREAM_RETAIN_SECONDS", cls.retain, 0, 10**9),
            max_length=number(environment, "STREAM_MAX_LENGTH", cls.max_length, 0, 10**12),
        )
