"""Queue worker: give a thumbnail to the partner, who takes only so many a second."""

import os

from fargate_workers_runtime import Message, run
from fargate_workers_runtime.clients import s3_client

SCHEMA = {
    "type": "object",
    "properties": {"thumbnail": {"type": "string", "minLength": 1}},
    "required": ["thumbnail"],
    "additionalProperties": False,
}


def handle(message: Message) -> None:
    """Copy the thumbnail into the partner's bucket."""
    s3, key = s3_client(), message.body["thumbnail"]
    content = s3.get_object(Bucket=os.environ["THUMBNAILS"], Key=key)["Body"].read()
    s3.put_object(Bucket=os.environ["PARTNER"], Key=key, Body=content, ContentType="image/png")


if __name__ == "__main__":
    run(handle, schema=SCHEMA, idempotency_key="/thumbnail")
