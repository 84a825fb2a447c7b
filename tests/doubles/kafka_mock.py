"""The mock cluster inside of librdkafka, by its C interface: what Python's client does not hand on can be set there.

https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka_mock.h
"""

import ctypes
from pathlib import Path
from typing import Any

import confluent_kafka

_PRODUCER = 0
_REASON_BYTES = 512


class MockCluster:
    """A mock cluster of one broker, for as long as the object is open.

    Args:
        session_timeout: Seconds after which a silent member of a KIP-848 group has left; the mock's own are 30.
        heartbeat_interval: Seconds between two heartbeats of a member.
    """

    def __init__(self, *, session_timeout: float, heartbeat_interval: float) -> None:
        self._library = _library()
        reason = ctypes.create_string_buffer(_REASON_BYTES)
        configuration = self._library.rd_kafka_conf_new()
        self._library.rd_kafka_conf_set(configuration, b"log_level", b"0", reason, _REASON_BYTES)
        self._owner = self._library.rd_kafka_new(_PRODUCER, configuration, reason, _REASON_BYTES)
        assert self._owner, reason.value.decode()
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._owner, 1)
        self._library.rd_kafka_mock_set_group_consumer_session_timeout_ms(self._cluster, int(session_timeout * 1000))
        self._library.rd_kafka_mock_set_group_consumer_heartbeat_interval_ms(
            self._cluster, int(heartbeat_interval * 1000)
        )

    @property
    def servers(self) -> str:
        """Its bootstrap servers."""
        return self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def close(self) -> None:
        """End it."""
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._owner)


def _library() -> Any:
    """The librdkafka that the client came with, with the types of what is called in it."""
    package = Path(confluent_kafka.__file__).parent
    (path,) = [*package.with_name("confluent_kafka.libs").glob("librdkafka*"), *package.glob(".dylibs/librdkafka*")]
    library: Any = ctypes.CDLL(str(path))
    pointer, number = ctypes.c_void_p, ctypes.c_int
    for name, result, arguments in (
        ("rd_kafka_conf_new", pointer, ()),
        (
            "rd_kafka_conf_set",
            number,
            (pointer, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t),
        ),
        ("rd_kafka_new", pointer, (number, pointer, ctypes.c_char_p, ctypes.c_size_t)),
        ("rd_kafka_destroy", None, (pointer,)),
        ("rd_kafka_mock_cluster_new", pointer, (pointer, number)),
        ("rd_kafka_mock_cluster_bootstraps", ctypes.c_char_p, (pointer,)),
        ("rd_kafka_mock_cluster_destroy", None, (pointer,)),
        ("rd_kafka_mock_set_group_consumer_session_timeout_ms", None, (pointer, number)),
        ("rd_kafka_mock_set_group_consumer_heartbeat_interval_ms", None, (pointer, number)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
