"""Run task: a video has arrived; make its thumbnail, and queue it for the partner."""

import json
import os
from pathlib import PurePosixPath

from fargate_workers_runtime import Task, run_task
from fargate_workers_runtime.clients import s3_client, sqs_client
from thumbnails.picture import HEIGHT, WIDTH, picture_of


def handle(task: Task) -> None:
    """Make the thumbnail of the object that the task was started for."""
    if task.object is None:
        raise ValueError("OBJECT_BUCKET is not set; start this task with an ObjectCreatedTask.")
    s3, video = s3_client(), task.object
    beginning = f"bytes=0-{WIDTH * HEIGHT - 1}"
    content = s3.get_object(Bucket=video.bucket, Key=video.key, Range=beginning)["Body"].read()
    key = str(PurePosixPath(video.key).with_suffix(".png"))
    s3.put_object(Bucket=os.environ["THUMBNAILS"], Key=key, Body=picture_of(content), ContentType="image/png")
    sqs_client().send_message(QueueUrl=os.environ["DELIVER_QUEUE_URL"], MessageBody=json.dumps({"thumbnail": key}))


if __name__ == "__main__":
    run_task(handle)
