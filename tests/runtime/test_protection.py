"""Task scale-in protection: by the age of the oldest handler, so that a deployment ends whatever else arrives."""

import http.server
import json
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fargate_workers_runtime import Message
from fargate_workers_runtime.handlers.gate import Gate
from fargate_workers_runtime.process.protection import Protection, ecs_agent
from fargate_workers_runtime.process.protection_share import SharedProtection
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry.metrics import Metrics
from fargate_workers_runtime.testing import MemoryQueue
from fargate_workers_runtime.worker import Worker
from tests.patience import PATIENCE

Eventually = Callable[[Callable[[], object]], None]

DRAIN, LONGEST, STOP_TIMEOUT = 105, 900, 120


class Ecs:
    """The service's side, by a clock that is turned by hand: it stops a task that is not protected."""

    def __init__(self, refusal: Callable[[bool], str | Exception | None] = lambda _on: None) -> None:
        self.now = 0.0
        self.refusal = refusal
        self.asked: list[tuple[float, bool]] = []
        self.protected_until = 0.0

    def put(self, enabled: bool, minutes: int) -> str | None:
        self.asked.append((self.now, enabled))
        reason = self.refusal(enabled)
        if isinstance(reason, Exception):
            raise reason
        if reason is None:
            self.protected_until = self.now + minutes * 60 if enabled else 0.0
        return reason

    @property
    def protects(self) -> bool:
        return self.now < self.protected_until

    @property
    def wishes(self) -> list[bool]:
        return [enabled for _, enabled in self.asked]


class Task:
    """A task under protection, second by second: each handler begins at its moment and takes so many seconds."""

    def __init__(self, ecs: Ecs, work: Iterable[tuple[float, float]]) -> None:
        self.ecs = ecs
        self.protection = Protection(ecs.put, drain=DRAIN, longest=LONGEST, clock=lambda: ecs.now)
        self.work = sorted(work)
        self.running: dict[object, float] = {}
        self.begun: list[float] = []
        self.look_at = 0.0

    def until(self, moment: float) -> None:
        while self.ecs.now < moment and self.look_at is not None:
            self.second()
            self.ecs.now += 1

    def until_unprotected(self, *, limit: float) -> float:
        """When a deployment can stop the task; the moment itself if at once."""
        while self.ecs.protects:
            assert self.ecs.now < limit, "the deployment does not end"
            self.second()
            self.ecs.now += 1
        return self.ecs.now

    def second(self) -> None:
        now, woken = self.ecs.now, False
        for call in [call for call, end in self.running.items() if end <= now]:
            del self.running[call]
            self.protection.end(call)
            woken = True
        while self.work and self.work[0][0] <= now:
            _, seconds = self.work.pop(0)
            if not self.protection.resting:  # the queue keeps it for another task
                call = object()
                self.protection.begin(call)
                woken = True
                self.running[call] = now + seconds
                self.begun.append(now)
        if woken or now >= self.look_at:
            seconds_to_next = self.protection.look()
            assert seconds_to_next is not None
            self.look_at = now + seconds_to_next


def trickle(*, every: float, seconds: float, until: float, begin: float = 0) -> list[tuple[float, float]]:
    return [(begin + number * every, seconds) for number in range(int((until - begin) / every))]


# Which work protects


@pytest.mark.parametrize(
    "work",
    [
        trickle(every=1, seconds=1, until=3600),  # a backlog of short work, then one message after the other
        trickle(every=20, seconds=0.01, until=3600),
        trickle(every=10, seconds=100, until=3600),  # ten at once, each of which drains
    ],
    ids=["back to back", "trickle", "overlapping"],
)
def test_work_that_drains_never_asks(work: list[tuple[float, float]]) -> None:
    ecs = Ecs()
    Task(ecs, work).until(3700)
    assert ecs.asked == []


def test_a_handler_that_would_outlive_the_stop_is_protected_until_it_ends() -> None:
    ecs = Ecs()
    task = Task(ecs, [(10, 600), *trickle(every=5, seconds=1, until=1200)])
    task.until(1200)
    assert ecs.asked == [(10 + DRAIN, True), (10 + 600, False)]


def test_each_that_becomes_old_is_covered_to_its_end() -> None:
    ecs = Ecs()
    task = Task(ecs, trickle(every=300, seconds=LONGEST, until=2000))
    while ecs.now < 2700:
        task.second()
        ends = [end for end in task.running.values() if ecs.now - (end - LONGEST) >= DRAIN]
        assert all(ecs.protected_until >= end for end in ends)
        ecs.now += 1
    task.until(3000)
    assert ecs.wishes == [True] * 6 + [False]


def test_where_handlers_outlast_the_drain_the_next_ones_are_protected_from_their_begin() -> None:
    ecs = Ecs()
    task = Task(ecs, [(0, 200), (300, 200), (600, 200), (900, 200)])
    task.until(1200)
    assert [moment for moment, wanted in ecs.asked if wanted] == [DRAIN, 300 + DRAIN, 600, 900]
    assert [moment for moment, wanted in ecs.asked if not wanted] == [200, 500, 800, 1100]


def test_after_some_short_ones_handlers_drain_again() -> None:
    ecs = Ecs()
    task = Task(ecs, [(0, 200), (300, 200), *trickle(begin=600, every=10, seconds=1, until=700), (800, 100)])
    task.until(700)
    before = len(ecs.asked)
    task.until(1000)
    assert len(ecs.asked) == before, "the newest handlers end within the drain"


def test_one_long_handler_among_many_short_ones_protects_itself_alone() -> None:
    ecs = Ecs()
    task = Task(ecs, [*trickle(every=10, seconds=1, until=1000), (1005, 300), (1400, 50)])
    task.until(1500)
    assert ecs.asked == [(1005 + DRAIN, True), (1305, False)]


def test_one_that_runs_on_after_a_freeze_is_protected_anew() -> None:
    ecs = Ecs()
    task = Task(ecs, [(0, 10_000)])
    task.until(200)
    ecs.now += 2 * LONGEST  # the process stood still, and the protection has expired
    assert not ecs.protects
    task.until(ecs.now + 31)
    assert ecs.protects


# A deployment


def test_a_deployment_under_a_trickle_of_short_work_stops_the_task_at_once() -> None:
    ecs = Ecs()
    task = Task(ecs, trickle(every=2, seconds=1, until=4000))
    task.until(1000)
    assert task.until_unprotected(limit=1000) == 1000


def test_a_deployment_beside_long_work_ends_with_that_work() -> None:
    ecs = Ecs()
    task = Task(ecs, [(0, 800), *trickle(every=2, seconds=1, until=4000)])
    task.until(200)
    assert task.until_unprotected(limit=4000) == 801


@pytest.mark.parametrize("every", [7, 60, 250])
def test_a_deployment_under_a_trickle_of_long_work_ends_within_stop_timeout_and_longest_handler(every: int) -> None:
    deploys_at = 1000
    ecs = Ecs(lambda on: "DEPLOYMENT_BLOCKED" if on and ecs.now >= deploys_at else None)
    task = Task(ecs, trickle(every=every, seconds=500, until=20_000))
    task.until(deploys_at)
    assert ecs.protects
    ended = task.until_unprotected(limit=20_000)
    assert ended <= deploys_at + STOP_TIMEOUT + 500
    task.until(ended + 300)
    assert any(began >= ended - 1 for began in task.begun), "it takes work again, as long as it is not stopped"


def test_without_a_word_from_ecs_a_deployment_ends_after_an_hour_of_unbroken_protection() -> None:
    ecs = Ecs()
    task = Task(ecs, trickle(every=60, seconds=500, until=20_000))
    task.until(1000)
    assert task.until_unprotected(limit=20_000) <= 3600 + STOP_TIMEOUT + 500
    task.until(ecs.now + 300)
    assert ecs.protects, "and protects the next ones"


def test_rest_is_said_once_and_ends_when_the_task_is_idle(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    ecs = Ecs(lambda on: "DEPLOYMENT_BLOCKED" if on else None)
    task = Task(ecs, [(0, 400), (150, 10), (420, 1)])
    task.until(110)
    assert task.protection.resting
    task.until(500)
    assert not task.protection.resting
    assert task.begun == [0, 420]
    said = [record.message for record in caplog.records if record.message.startswith("protection_rest")]
    assert said == ["protection_rest", "protection_rest_ended"]


# Refusals


@pytest.mark.parametrize("answer", ["ThrottlingException", "HTTP 500", TimeoutError(), ValueError(), RuntimeError()])
def test_what_is_refused_or_not_answered_is_asked_again_in_seconds(answer: str | Exception) -> None:
    ecs = Ecs(lambda _on: answer)
    task = Task(ecs, [(0, 800)])
    task.until(DRAIN + 20)
    assert len(ecs.asked) >= 4
    task.until(700)
    moments = [moment for moment, _ in ecs.asked]
    assert max(later - earlier for earlier, later in pairwise(moments)) <= 31
    ecs.refusal = lambda _on: None
    task.until(732)
    assert ecs.protects
    task.until(802)
    assert not ecs.protects


def test_protection_that_may_be_on_is_taken_off_at_once_although_the_answers_were_lost() -> None:
    ecs = Ecs(lambda on: TimeoutError() if on else None)
    task = Task(ecs, [(0, 300)])
    task.until(302)
    assert ecs.asked[-1] == (300, False)
    task.until(900)
    assert ecs.asked[-1] == (300, False)


def test_a_refusal_to_end_it_is_asked_again() -> None:
    ecs = Ecs(lambda on: None if on else "ThrottlingException")
    task = Task(ecs, [(0, 200)])
    task.until(240)
    assert ecs.wishes.count(False) > 3
    ecs.refusal = lambda _on: None
    task.until(300)
    assert not ecs.protects


def test_a_task_that_no_service_owns_stops_asking() -> None:
    ecs = Ecs(lambda _on: "TASK_NOT_VALID")
    protection = Protection(ecs.put, drain=0, longest=LONGEST, clock=lambda: ecs.now)
    protection.begin(object())
    assert protection.look() is None
    assert ecs.wishes == [True]


# In the worker


def test_a_worker_that_rests_hands_back_what_has_not_begun_and_goes_on_when_idle(eventually: Eventually) -> None:
    ecs = Ecs(lambda on: "DEPLOYMENT_BLOCKED" if on else None)
    protection = Protection(ecs.put, drain=DRAIN, longest=LONGEST, clock=lambda: ecs.now)
    go_on = threading.Event()
    handled: list[str] = []

    def handle(message: Message) -> None:
        if message.body["id"] == "long":
            go_on.wait()
        handled.append(message.body["id"])

    queue = MemoryQueue([{"id": "long"}])
    settings = Settings(worker_name="test", queue_url="memory", receive_wait=0, health_file=None, concurrency=2)
    worker = Worker(
        handle,
        gate=Gate(),
        broker=queue,
        settings=settings,
        metrics=Metrics("test", write=lambda _line: None),
        protection=protection,
    )
    thread = threading.Thread(target=worker.run)
    thread.start()
    eventually(lambda: protection.running_since)
    ecs.now = DRAIN
    protection.look()
    assert protection.resting
    queue.send({"id": "short"})
    assert handled == []
    go_on.set()
    eventually(lambda: handled == ["long", "short"])
    worker.request_stop("test")
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_the_watch_asks_by_itself_and_survives_whatever_the_agent_does(eventually: Eventually) -> None:
    asked: list[bool] = []

    def put(enabled: bool, _minutes: int) -> str | None:
        asked.append(enabled)
        if len(asked) == 1:
            raise RuntimeError
        return None

    protection = Protection(put, drain=0, longest=LONGEST)
    release = threading.Event()

    def handle() -> None:
        with protection.running():
            release.wait()

    protection.start()
    thread = threading.Thread(target=handle)
    thread.start()
    eventually(lambda: asked[:2] == [True, True])
    release.set()
    eventually(lambda: asked == [True, True, False])
    protection.stop()
    thread.join(PATIENCE)
    protection.thread.join(PATIENCE)
    assert not protection.thread.is_alive()


def test_the_watch_protects_what_is_expected_to_be_long_without_waiting_for_its_next_look(
    eventually: Eventually,
) -> None:
    ecs = Ecs()
    protection = Protection(ecs.put, drain=DRAIN, longest=LONGEST, clock=lambda: ecs.now)
    for _ in range(2):
        with protection.running():
            ecs.now += 2 * DRAIN
    protection.start()
    with protection.running():
        eventually(lambda: ecs.wishes == [True])
    eventually(lambda: ecs.wishes == [True, False])
    protection.stop()
    protection.thread.join(10)
    assert not protection.thread.is_alive()


# Several processes


def test_of_several_processes_only_the_last_that_needs_it_takes_the_protection_off(tmp_path: Path) -> None:
    asked: list[bool] = []

    def put(wanted: bool, _minutes: int) -> None:
        asked.append(wanted)

    first, second = (SharedProtection(put, tmp_path / "busy") for _ in range(2))
    first(True, 16)
    second(True, 16)
    first(False, 16)
    assert asked == [True, True]
    second(False, 16)
    assert asked == [True, True, False]
    assert not first.left_on
    first(True, 16)
    first(False, 16)
    assert asked == [True, True, False, True, False]


def test_what_a_dead_process_left_on_is_taken_off_by_the_next(tmp_path: Path) -> None:
    """Also while a child of the dead one lives on, which inherited its open files."""
    read, write = os.pipe()
    lives, says = os.pipe()
    dying = os.fork()
    if dying == 0:
        SharedProtection(lambda _wanted, _minutes: None, tmp_path / "busy")(True, 16)
        if os.fork() == 0:
            os.close(write)
            os.write(says, b"!")
            os.read(read, 1)  # until the test has ended
            os._exit(0)
        os.read(lives, 1)
        os.kill(os.getpid(), signal.SIGKILL)
    for end in (read, lives, says):
        os.close(end)
    os.waitpid(dying, 0)
    asked: list[bool] = []
    put = SharedProtection(lambda wanted, _minutes: asked.append(wanted), tmp_path / "busy")
    next_process = Protection(put, drain=DRAIN, longest=LONGEST, left_on=put.left_on)
    next_process.look()
    next_process.look()
    os.close(write)
    assert asked == [False]
    assert not put.left_on


# The agent


class Agent(http.server.BaseHTTPRequestHandler):
    answer: ClassVar[tuple[int, bytes]] = (200, b'{"protection": {"ProtectionEnabled": true}}')
    promised: ClassVar[int | None] = None
    requests: ClassVar[list[tuple[str, dict[str, Any]]]] = []

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append((self.path, body))
        status, answer = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(self.promised or len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    Agent.requests.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Agent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_agent_is_asked_as_ecs_documents_it_and_past_any_proxy(agent: str) -> None:
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
        ((200, b'{"failure": {"Arn": "a", "Reason": "TASK_NOT_VALID"}}'), "TASK_NOT_VALID"),
        ((200, b'{"failures": [{"arn": "a", "reason": "DEPLOYMENT_BLOCKED"}]}'), "DEPLOYMENT_BLOCKED"),
        ((200, b'{"protectedTasks": [], "failures": []}'), None),
        ((400, b'{"error": {"Arn": "a", "Code": "AccessDeniedException"}}'), "AccessDeniedException"),
        ((500, b'{"error": {"Arn": "a", "Message": "m"}}'), "unknown"),
        ((429, b"Too Many Requests"), "HTTP 429"),
        ((502, b""), "HTTP 502"),
    ],
)
def test_a_refusal_is_its_reason(
    agent: str, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, bytes], reason: str | None
) -> None:
    monkeypatch.setattr(Agent, "answer", answer)
    assert ecs_agent(agent)(True, 16) == reason


@pytest.mark.parametrize("answer", [(200, b"{}"), (200, b"[]"), (200, b'"no"'), (500, b"{}"), (500, b"[1]")])
def test_an_answer_cut_short_or_of_another_form_is_asked_again(
    agent: str, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, bytes]
) -> None:
    monkeypatch.setattr(Agent, "answer", answer)
    monkeypatch.setattr(Agent, "promised", 100)
    now = 0.0
    protection = Protection(ecs_agent(agent), drain=1, longest=LONGEST, clock=lambda: now)
    protection.begin(object())
    now = 1.0
    seconds = protection.look()
    assert seconds is not None
    now += seconds
    protection.look()
    assert len(Agent.requests) == 2
