"""Scheduled task: how many videos there are, and how many thumbnails."""

import json
import os

from fargate_workers_runtime import Task, run_task
from fargate_workers_runtime.clients import s3_client


def handle(_: Task) -> None:
    """Write the report next to the thumbnails; a repeated run writes it again."""
    thumbnails = os.environ["THUMBNAILS"]
    counts = {"videos": _count(os.environ["VIDEOS"], ".mp4"), "thumbnails": _count(thumbnails, ".png")}
    s3_client().put_object(Bucket=thumbnails, Key="report.json", Body=json.dumps(counts).encode())


def _count(bucket: str, suffix: str) -> int:
    pages = s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sum(item.get("Key", "").endswith(suffix) for page in pages for item in page.get("Contents", []))


if __name__ == "__main__":
    run_task(handle)
