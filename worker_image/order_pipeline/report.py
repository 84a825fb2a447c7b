"""Scheduled task: what the bucket holds, as one JSON object at reports/<scheduled time>.json.

    {"scheduled_time": "2026-01-31T12:00:00Z",
     "incoming": {"files": 3, "rows": 240, "bytes": 9876, "unreadable": 0}, "bulk": {...}}

A repeated run writes the same key again. Environment: FILES_BUCKET, SCHEDULE_NAME, SCHEDULED_TIME.
"""

import json
import logging
import os
from dataclasses import asdict, dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from fargate_workers_runtime import PoisonMessage, Task, run_task
from fargate_workers_runtime.clients import s3_client
from fargate_workers_runtime.process import starting
from fargate_workers_runtime.settings import text
from order_pipeline.order_files import Superseded, read_rows

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_log = logging.getLogger(__name__)

PREFIXES = ("incoming", "bulk")


@dataclass(kw_only=True)
class Totals:
    """Sums over the files under one prefix; the rows of an unreadable file count up to the fault."""

    files: int = 0
    rows: int = 0
    bytes: int = 0
    unreadable: int = 0


class Report:
    """Counts the files: a page of the listing at a time, a row of a file at a time, in memory that does not grow."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def handle(self, task: Task) -> None:
        if task.schedule is None:
            raise ValueError("SCHEDULE_NAME is not set; start this task with a ScheduledTask.")
        at = task.schedule.scheduled_time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        report = {"scheduled_time": at, **{prefix: asdict(self._totals(prefix)) for prefix in PREFIXES}}
        key = f"reports/{at}.json"
        self._s3.put_object(
            Bucket=self._bucket, Key=key, Body=json.dumps(report).encode(), ContentType="application/json"
        )
        _log.info("report_written", extra={"fields": {"key": key}})

    def _totals(self, prefix: str) -> Totals:
        totals = Totals()
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=f"{prefix}/")
        for page in pages:
            for found in page.get("Contents", []):
                if not found.get("Key", "").endswith(".csv"):
                    continue
                totals.files += 1
                totals.bytes += found.get("Size", 0)
                self._count_rows(totals, found.get("Key", ""))
        return totals

    def _count_rows(self, totals: Totals, key: str) -> None:
        try:
            for _ in read_rows(self._s3, bucket=self._bucket, key=key):
                totals.rows += 1
        except (PoisonMessage, Superseded):
            totals.unreadable += 1


if __name__ == "__main__":
    with starting():
        report = Report(s3_client(), text(os.environ, "FILES_BUCKET"))
    run_task(report.handle)
