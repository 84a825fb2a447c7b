"""What librdkafka's clients are made with. Names and defaults: librdkafka's CONFIGURATION.md.

https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from fargate_workers_runtime.brokers.kafka.iam_token import TokenSigner
from fargate_workers_runtime.brokers.kafka.settings import KafkaSettings

#: A request that is not answered after so many seconds has failed.
REQUEST_SECONDS = 10

#: The longest that a broker keeps a fetch for which there is no record: an idle partition costs two requests a second.
FETCH_WAIT_MILLISECONDS = 500

#: A process that does not poll for so many seconds is dead: the thread that polls does nothing else.
_SILENT_SECONDS = 60


def connection_options(settings: KafkaSettings, servers: str, *, signer: TokenSigner | None) -> dict[str, Any]:
    """The options of every client: where the cluster is, and how to authenticate."""
    options: dict[str, Any] = {
        "bootstrap.servers": servers,
        "client.id": "fargate-workers",
        "socket.timeout.ms": REQUEST_SECONDS * 1000,
        "socket.keepalive.enable": True,
        "log_level": 4,
    }
    if settings.authentication == "tls":
        options["security.protocol"] = "SSL"
    elif signer is not None:
        options |= {
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": "OAUTHBEARER",
            "oauth_cb": partial(_token, signer),
        }
    return options


def _token(signer: TokenSigner, _config: str) -> tuple[str, float]:
    return signer.token()


def consumer_options(
    settings: KafkaSettings,
    connection: Mapping[str, Any],
    *,
    on_commit: Callable[..., None],
    on_error: Callable[..., None],
) -> dict[str, Any]:
    """The options of the consumer."""
    options: dict[str, Any] = {
        **connection,
        "group.id": settings.group,
        "group.protocol": settings.group_protocol,
        "auto.offset.reset": settings.start,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "max.poll.interval.ms": max(_SILENT_SECONDS, settings.session_timeout) * 1000,
        # A missing topic is an error at once, not an empty one that is created.
        "allow.auto.create.topics": False,
        "fetch.wait.max.ms": FETCH_WAIT_MILLISECONDS,
        "queued.max.messages.kbytes": 16 * 1024,
        "on_commit": on_commit,
        "error_cb": on_error,
    }
    if settings.group_protocol == "classic":
        # With `consumer`, the broker decides these.
        options |= {
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": settings.session_timeout * 1000,
            "heartbeat.interval.ms": max(100, min(3000, settings.session_timeout * 1000 // 6)),
        }
    return options
