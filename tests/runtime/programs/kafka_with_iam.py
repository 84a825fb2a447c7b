"""A worker on Kafka with IAM up to its first token: prints the megabytes of its memory, and ends.

Its cluster's servers are asked for as in a task; nobody listens on them.
"""

import os
import threading
from pathlib import Path

from fargate_workers_runtime import run
from fargate_workers_runtime.brokers.kafka.iam_token import TokenSigner

signed = threading.Event()
sign = TokenSigner.token


def token(signer: TokenSigner) -> tuple[str, float]:
    made = sign(signer)
    signed.set()
    return made


def measure() -> None:
    signed.wait()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    print("megabytes", pages * os.sysconf("SC_PAGE_SIZE") / 1e6, flush=True)
    os._exit(0)


if __name__ == "__main__":
    TokenSigner.token = token  # type: ignore[method-assign]
    threading.Thread(target=measure, daemon=True).start()
    run(lambda _message: None)
