"""Task scale-in protection: asked for on edges, off the hot path, and given up quietly where it does not apply."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fargate_workers_runtime.protection import BUSY_HOLD, IDLE_HOLD, Protection, ecs_agent
from fargate_workers_runtime.protection_share import shared

Eventually = Callable[[Callable[[], object]], None]


class Agent(http.server.BaseHTTPRequestHandler):
    answer: ClassVar[tuple[int, dict[str, Any]]] = (200, {"protection": {"ProtectionEnabled": True}})
    requests: ClassVar[list[tuple[str, dict[str, Any]]]] = []

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append((self.path, body))
        status, answer = self.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def agent() -> Iterator[str]:
    Agent.requests.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Agent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_agent_is_asked_as_ecs_documents_it(agent: str) -> None:
    put = ecs_agent(agent)
    assert put(True, 16) is None
    assert put(False, 16) is None
    assert Agent.requests == [
        ("/task-protection/v1/state", {"ProtectionEnabled": True, "ExpiresInMinutes": 16}),
        ("/task-protection/v1/state", {"ProtectionEnabled": False}),
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((200, {"failure": {"Arn": "a", "Reason": "TASK_NOT_VALID"}}), "TASK_NOT_VALID"),
        ((400, {"error": {"Arn": "a", "Code": "AccessDeniedException", "Message": "m"}}), "AccessDeniedException"),
    ],
)
def test_a_refusal_is_its_reason(
    agent: str, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, dict[str, Any]], reason: str
) -> None:
    monkeypatch.setattr(Agent, "answer", answer)
    assert ecs_agent(agent)(True, 16) == reason


class Puts:
    """Remembers what was asked, and answers as told."""

    def __init__(self, reason: str | Exception | None = None) -> None:
        self.asked: list[bool] = []
        self.reason = reason

    def __call__(self, enabled: bool, _minutes: int) -> str | None:
        self.asked.append(enabled)
        if isinstance(self.reason, Exception):
            raise self.reason
        return self.reason


def test_work_protects_and_rest_ends_it(eventually: Eventually) -> None:
    puts = Puts()
    protection = Protection(puts, minutes=16, busy_hold=0, idle_hold=0)
    protection.start()
    protection.set_busy(True)
    eventually(lambda: puts.asked == [True])
    protection.set_busy(False)
    eventually(lambda: puts.asked == [True, False])
    protection.stop()


def test_work_shorter_than_the_hold_never_asks(eventually: Eventually) -> None:
    puts = Puts()
    protection = Protection(puts, minutes=16, busy_hold=60, idle_hold=0)
    protection.start()
    protection.set_busy(True)
    protection.set_busy(False)
    protection.stop()
    eventually(lambda: not protection._thread.is_alive())
    assert puts.asked == []
    assert (BUSY_HOLD, IDLE_HOLD) == (5, 30)


def test_protection_is_renewed_before_it_expires_even_in_a_short_pause(eventually: Eventually) -> None:
    puts = Puts()
    protection = Protection(puts, minutes=0, busy_hold=0, idle_hold=60)
    protection.start()
    protection.set_busy(True)
    eventually(lambda: len(puts.asked) > 1)
    protection.set_busy(False)
    before = len(puts.asked)
    eventually(lambda: len(puts.asked) > before + 1)
    assert all(puts.asked)
    protection.stop()


def test_a_task_that_no_service_owns_stops_asking(eventually: Eventually) -> None:
    puts = Puts("TASK_NOT_VALID")
    protection = Protection(puts, minutes=16, busy_hold=0, idle_hold=0)
    protection.start()
    protection.set_busy(True)
    eventually(lambda: not protection._thread.is_alive())
    assert puts.asked == [True]


@pytest.mark.parametrize("reason", ["DEPLOYMENT_BLOCKED", TimeoutError(), ValueError()])
def test_a_refusal_or_silence_is_asked_again_at_the_next_renewal(
    reason: str | Exception, eventually: Eventually
) -> None:
    puts = Puts(reason)
    protection = Protection(puts, minutes=0, busy_hold=0, idle_hold=0)
    protection.start()
    protection.set_busy(True)
    eventually(lambda: len(puts.asked) > 1)
    protection.stop()


def test_of_several_processes_only_the_last_to_become_idle_takes_the_protection_off(tmp_path: Path) -> None:
    asked: list[bool] = []

    def put(busy: bool, _minutes: int) -> None:
        asked.append(busy)

    first, second = (shared(put, tmp_path / "busy") for _ in range(2))
    first(True, 16)
    second(True, 16)
    first(False, 16)
    assert asked == [True, True]
    second(False, 16)
    assert asked == [True, True, False]
    first(True, 16)
    first(False, 16)
    assert asked == [True, True, False, True, False]
