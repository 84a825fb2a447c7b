"""The same work as most people begin: boto3, a poll of ten, a pool of threads, a delete for each message."""

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config

SECONDS = float(os.environ["HANDLER_MILLISECONDS"]) / 1000
CONCURRENCY = int(os.environ["CONCURRENCY"])
QUEUE_URL = os.environ["QUEUE_URL"]

sqs = boto3.client("sqs", config=Config(max_pool_connections=CONCURRENCY + 1, read_timeout=40))
room = threading.Semaphore(CONCURRENCY)


def ship(message: dict[str, Any]) -> None:
    try:
        json.loads(message["Body"])
        if SECONDS:
            time.sleep(SECONDS)
        sqs.delete_message(QueueUrl=QUEUE_URL, ReceiptHandle=message["ReceiptHandle"])
    finally:
        room.release()


if __name__ == "__main__":
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        while True:
            received = sqs.receive_message(QueueUrl=QUEUE_URL, MaxNumberOfMessages=10, WaitTimeSeconds=20)
            for message in received.get("Messages", []):
                room.acquire()
                pool.submit(ship, message)
