"""Memory before user code, of a worker that asks MSK for its servers and signs in with IAM: the largest of them."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "tests" / "runtime" / "programs" / "kafka_with_iam.py"
ARN = "arn:aws:kafka:eu-west-1:123456789012:cluster/events/0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0-1"

#: What docs/benchmarks.md promises.
MOST_MEGABYTES = 65


class Msk(BaseHTTPRequestHandler):
    """The MSK API, as far as a worker asks it."""

    def do_GET(self) -> None:
        answer = json.dumps({"bootstrapBrokerStringSaslIam": "127.0.0.1:1"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged."""


@pytest.fixture
def msk() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Msk) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux shows the memory in /proc")
def test_a_worker_with_iam_takes_no_more_than_is_promised(msk: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "worker_image"),
        "AWS_ENDPOINT_URL_KAFKA": msk,
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "NO_PROXY": "127.0.0.1",
        "WORKER_NAME": "memory",
        "BROKER": "kafka",
        "KAFKA_CLUSTER_ARN": ARN,
        "KAFKA_TOPIC": "orders",
        "KAFKA_GROUP": "apply",
        "KAFKA_DEAD_LETTER_TOPIC": "orders.dead",
        "VISIBILITY_TIMEOUT_SECONDS": "30",
    }
    ended = subprocess.run(
        [sys.executable, str(PROGRAM)], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("megabytes ")]
    assert 20 < float(line.removeprefix("megabytes ")) <= MOST_MEGABYTES
