"""A proxy in the environment: what is on loopback is asked directly."""

import http.server
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest

from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.scenarios.deployed import Deployed
from fargate_workers_toolkit.templates.assembly import Assembly


class Aws(http.server.BaseHTTPRequestHandler):
    requests: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.requests.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedAws]:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    Aws.requests.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Aws)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield EmbeddedAws(pid=1, port=server.server_port, region="eu-west-1", seconds_per_minute=None)
    server.shutdown()
    server.server_close()


def test_the_launcher_is_asked_directly(aws: EmbeddedAws) -> None:
    assert aws.get("ready") == {}
    assert aws.post("minutes") == {}
    assert Aws.requests == ["/_local/ready", "/_local/minutes"]


def test_the_embedded_aws_is_asked_directly(aws: EmbeddedAws) -> None:
    Deployed(aws, Assembly(stacks=())).client("sqs").list_queues()
    assert Aws.requests == ["/"]
