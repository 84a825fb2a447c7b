"""What waits in a stream or a list: asked and reckoned as the observer does, and the metrics that it publishes."""

from collections.abc import Mapping
from typing import Any

from fargate_workers_observer.measuring import Source
from fargate_workers_observer.metric_names import OBSERVER_NAMESPACE
from fargate_workers_observer.resp import RedisError
from fargate_workers_toolkit.operations.errors import OperationsError
from fargate_workers_toolkit.operations.sources.redis.connecting import RedisServer
from fargate_workers_toolkit.operations.sources.source import Depth

_METRICS = {"waiting": "Waiting", "in_flight": "InFlight", "dead_letters": "DeadLetters", "oldest": "OldestAge"}


class MeasuredSource:
    """A stream or a list, measured as the observer does.

    Args:
        server: The server.
        measured: What the observer asks of it.
    """

    def __init__(self, server: RedisServer, measured: Source) -> None:
        self._server = server
        self._measured = measured

    def depth(self) -> Depth:
        """What a stream's group, or a list, holds now.

        Raises:
            OperationsError: The server cannot be reached, or refuses.
        """
        measured = self._measured
        clock, *answers = self._server.call_all([("TIME",), *measured.commands()])
        try:
            measures = measured.measure(answers, now=int(clock[0]) + int(clock[1]) / 1_000_000)
        except RedisError as error:
            raise OperationsError(f"{measured.source} cannot be looked at: {error}.") from error
        return Depth(
            waiting=int(measures["Waiting"]), in_flight=int(measures["InFlight"]), oldest=measures.get("OldestAge")
        )

    def metrics(self, *, observed: str) -> Mapping[str, Mapping[str, Any]]:
        """The observer's metrics of the source, a minute old, as CloudWatch is asked for them.

        Args:
            observed: The name that the source goes by in metrics. Empty: nobody observes it.
        """
        if not observed:
            return {}
        return {
            key: {
                "Metric": {
                    "Namespace": OBSERVER_NAMESPACE,
                    "MetricName": name,
                    "Dimensions": [{"Name": "Source", "Value": observed}],
                },
                "Period": 60,
                "Stat": "Maximum",
            }
            for key, name in _METRICS.items()
        }
