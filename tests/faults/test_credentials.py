"""The endpoint from which a task gets its role's credentials, and what becomes of a worker when it does not answer."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.utils import ContainerMetadataFetcher

from tests.faults.rig import Rig, until


class Agent(ThreadingHTTPServer):
    """The ECS agent's credentials endpoint. What it gives runs out in a minute, so that each request asks anew."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.answers = True
        self.asked = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": "",
            "AWS_SECRET_ACCESS_KEY": "",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{self.server_port}/",
        }


class _Answer(BaseHTTPRequestHandler):
    server: Agent

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(200 if self.server.answers else 500)
        self.end_headers()
        expires = datetime.now(UTC) + timedelta(minutes=1)
        credentials = {"AccessKeyId": "testing", "SecretAccessKey": "testing", "Token": "testing"}
        self.wfile.write(json.dumps({**credentials, "Expiration": expires.isoformat()}).encode())

    def log_message(self, *_: Any) -> None:
        pass


def _be_quick() -> None:
    ContainerMetadataFetcher.SLEEP_TIME = 0.05


@pytest.fixture
def agent() -> Iterator[Agent]:
    agent = Agent()
    yield agent
    agent.shutdown()
    agent.server_close()


@pytest.mark.fault(43)
def test_credentials_that_run_out_are_refreshed_as_soon_as_their_endpoint_answers(rig: Rig, agent: Agent) -> None:
    worker = rig.start("first", prepare=_be_quick, **agent.environment)
    rig.send("1")
    until(lambda: rig.empty)
    assert agent.asked > 1
    agent.answers = False
    until(lambda: worker.logged().count("receive_failed") >= 2)
    assert {line["error"] for line in worker.log() if "error" in line} == {"CredentialRetrievalError"}
    message = rig.send("2")
    agent.answers = True
    until(lambda: rig.empty)
    assert message.approximate_receive_count == 1
    assert worker.exit_code is None


@pytest.mark.fault(43)
def test_a_worker_that_gets_no_credentials_at_its_start_says_so_and_is_replaced(rig: Rig, agent: Agent) -> None:
    agent.answers = False
    worker = rig.start("first", prepare=_be_quick, **agent.environment)
    assert worker.ended() == 1
    assert [line["error"] for line in worker.log()] == ["CredentialRetrievalError"]
