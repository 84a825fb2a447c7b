"""The worker that tests start as a process: its effect is a line in a file, and it can be held in the middle."""

import os
import time
from pathlib import Path

from fargate_workers_runtime import Message, run

FOLDER = Path(os.environ["TEST_FOLDER"])


def handle(message: Message) -> None:
    (FOLDER / f"started-{message.body['order_id']}-{message.attempt}").touch()
    while (FOLDER / "hold").exists():
        time.sleep(0.005)
    with (FOLDER / "effects").open("a") as effects:
        effects.write(f"{message.body['order_id']}\n")


if __name__ == "__main__":
    run(handle, idempotency_key="/order_id")
