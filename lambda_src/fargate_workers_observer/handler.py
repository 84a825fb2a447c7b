"""The observer's Lambda handler: once a minute it asks a cache what waits in its streams and lists."""

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from fargate_workers_observer.measuring import Source, source_of
from fargate_workers_observer.publishing import line_of
from fargate_workers_observer.resp import Connection
from fargate_workers_observer.signing import token


class ObservingFailed(Exception):  # noqa: N818 - named for what happened
    """Some sources could not be looked at, and have no metrics of this minute; the others have."""


def handler(event: Mapping[str, Any], context: object) -> None:  # noqa: ARG001 - Lambda passes both
    """Publish what waits in the sources of a rule's input.

    Args:
        event: The input of the rule: `{"sources": [...]}`, each with the fields of a `Stream` or a `List`.
        context: Lambda's context, which is not used.

    Raises:
        ValueError: The event names no sources.
        ObservingFailed: Some sources could not be looked at.
    """
    if "sources" not in event:
        raise ValueError('The event has no "sources"; to look by hand, use the Input of the rule\'s target.')
    with _connection(os.environ) as connection:
        observe(connection, [source_of(fields) for fields in event["sources"]])


def observe(connection: Connection, sources: Sequence[Source]) -> None:
    """Print the measures of some sources, each of which is one round trip.

    Args:
        connection: A connection to the cache.
        sources: The sources.

    Raises:
        ObservingFailed: Some sources could not be looked at; the message names them.
    """
    failures: dict[str, Exception] = {}
    for source in sources:
        try:
            clock, *replies = connection.call([("TIME",), *source.commands()])
            measures = source.measure(replies, now=_seconds(clock))
        except Exception as failure:
            failures[source.source] = failure
            continue
        print(line_of(source.source, measures, now=time.time()))  # noqa: T201  Lambda's way to CloudWatch
    if failures:
        raise ObservingFailed(" ".join(f"{source}: {failure}" for source, failure in failures.items()))


def _connection(environment: Mapping[str, str]) -> Connection:
    user = environment["REDIS_USER"]
    password = token(
        user=user,
        replication_group_id=environment["REDIS_REPLICATION_GROUP_ID"],
        region=environment["AWS_REGION"],
    )
    return Connection(
        environment["REDIS_HOST"],
        int(environment["REDIS_PORT"]),
        tls=environment["REDIS_TLS"] == "true",
        user=user,
        password=password,
    )


def _seconds(clock: Any) -> float:
    """The server's time; this function's, where the server refuses the question."""
    if isinstance(clock, Exception):
        return time.time()
    whole, micro = clock
    return int(whole) + int(micro) / 1_000_000
