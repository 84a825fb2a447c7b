"""PutMetricData and GetMetricData for clients whose clocks know nothing of compressed minutes, with metric math."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fargate_workers_toolkit.aws_behaviour import Series
from fargate_workers_toolkit.local.emulator.clock import Clock
from fargate_workers_toolkit.local.emulator.cloudwatch.datapoints import Datapoints, Query, Span, is_returned, period_of
from fargate_workers_toolkit.local.emulator.ministack_parts import cloudwatch

Request = dict[str, Any]

# A day of minutes: more than one query of minutes can be answered with.
LONGEST_MINUTES = 1440


class MetricData:
    """Translates moments: three minutes ago on a client's clock is three minutes of the clock ago.

    Args:
        clock: The clock of the embedded AWS.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._datapoints = Datapoints(clock)
        self._put = cloudwatch._put_metric_data
        self._get = cloudwatch._get_metric_data

    def install(self) -> None:
        """Put it into MiniStack."""
        cloudwatch._put_metric_data = self.put
        cloudwatch._get_metric_data = self.get

    def put(self, form: Mapping[str, Any], request: Request, *protocol: bool) -> Any:
        """Store datapoints."""
        for datum in request.get("MetricData", []):
            if datum.get("Timestamp") is not None:
                minute = self._clock.minute_shown(cloudwatch._parse_ts(datum["Timestamp"]))
                datum["Timestamp"] = self._clock.begin_of(min(max(minute, 0), self._clock.minute))
        return self._put(form, request, *protocol)

    def get(self, form: Mapping[str, Any], request: Request, is_cbor: bool, is_json: bool = False) -> Any:
        """Read metrics. The form of old clients is left to MiniStack, which knows minutes of the wall clock only."""
        queries: list[Query] = request.get("MetricDataQueries", [])
        if not queries:
            return self._get(form, request, is_cbor, is_json)
        newest_first = request.get("ScanBy") != "TimestampAscending"
        results = [
            self._result(query, *self._read(query, queries, request), newest_first=newest_first)
            for query in queries
            if is_returned(query)
        ]
        if is_cbor:
            return cloudwatch._cbor_ok(
                {"MetricDataResults": [cloudwatch._cbor_metric_data_result(result) for result in results]}
            )
        return cloudwatch._json_ok({"MetricDataResults": results})

    def _read(self, query: Query, queries: Sequence[Query], request: Request) -> tuple[list[Span], Series]:
        """A metric in its own periods, an expression in those of what it is made of."""
        if "MetricStat" in query:
            stat = query["MetricStat"]
            spans = self._spans(request, period=int(stat["Period"]))
            return spans, self._datapoints.single(stat["Metric"], stat["Stat"], spans) if spans else []
        spans = self._spans(request, period=period_of(queries))
        return spans, self._datapoints.combined(queries, spans)[query["Id"]] if spans else []

    def _spans(self, request: Request, *, period: int) -> list[Span]:
        """The periods from StartTime to before EndTime that have begun, as far as there was a clock."""
        minutes = max(period // 60, 1)
        start, end = (cloudwatch._parse_ts(request[name]) for name in ("StartTime", "EndTime"))
        first = self._clock.minute_shown(start // period * period)
        last = min(self._clock.minute_shown(math.ceil(end / 60) * 60), self._clock.minute + 1)
        first = max(first, last - LONGEST_MINUTES, 0)
        return [range(begin, begin + minutes) for begin in range(first, last, minutes)]

    def _result(self, query: Query, spans: Sequence[Span], series: Series, *, newest_first: bool) -> dict[str, Any]:
        pairs = zip(spans, series, strict=True)
        found = [(self._clock.shown(span.start), value) for span, value in pairs if value is not None]
        found.sort(reverse=newest_first)
        return {
            "Id": query["Id"],
            "Label": query.get("Label", query["Id"]),
            "Timestamps": [cloudwatch._ts_iso(moment) for moment, _ in found],
            "Values": [value for _, value in found],
            "StatusCode": "Complete",
        }
