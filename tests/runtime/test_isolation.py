"""A message that may have killed its process runs alone."""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from fargate_workers_runtime import Message
from fargate_workers_runtime.brokers.broker import DeadLetter, Delivery, Failure
from fargate_workers_runtime.claims import Claims
from fargate_workers_runtime.handlers.gate import Gate
from fargate_workers_runtime.pipeline.attempting.isolation import Isolation, Turn, place, unanswered
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry.metrics import Metrics
from fargate_workers_runtime.testing import MemoryClaims, MemoryQueue
from fargate_workers_runtime.worker import Worker
from tests.patience import PATIENCE

Eventually = Callable[[Callable[[], object]], None]


def received(count: int, since_first: float | None) -> Delivery:
    return Delivery(id="m", text="{}", token="r", receive_count=count, since_first=since_first)


def suspicion(count: int, since_first: float | None, *, released: int = 0) -> int:
    return unanswered(received(count, since_first), released=released, lease=120)


def test_a_first_delivery_is_no_suspect() -> None:
    assert suspicion(1, 0.0) == 0


def test_what_comes_back_when_its_lease_ends_was_never_answered() -> None:
    assert suspicion(2, 121) == 1
    assert suspicion(5, 4 * 121) == 4


def test_what_comes_back_sooner_failed_or_was_released() -> None:
    assert suspicion(2, 2) == 0
    assert suspicion(3, 6) == 0


def test_what_this_process_answered_is_not_counted() -> None:
    assert suspicion(2, 500, released=1) == 0
    assert suspicion(3, 500, released=1) == 1


def test_as_many_releases_as_deaths_do_not_hide_them() -> None:
    assert suspicion(4, 2 * 121) == 2
    assert suspicion(7, 3 * 121) == 3
    assert suspicion(8, 3 * 121) == 0


def test_attempts_under_back_off_are_not_taken_for_deaths() -> None:
    waited = 0.0
    for count in range(2, 9):
        waited += 2.0 ** (count - 1)  # the longest that each back-off can be
        assert suspicion(count, waited) == 0


def test_a_queue_that_does_not_say_since_when_is_believed() -> None:
    assert suspicion(1, None) == 0
    assert suspicion(3, None) == 2
    assert suspicion(3, None, released=2) == 0


def isolation_of(
    *,
    most: int = 10,
    seconds: float = 60,
    crowded: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> Isolation:
    isolation = Isolation(most=most, seconds=seconds, crowded=crowded, clock=clock)
    isolation.started()
    return isolation


def expect(isolation: Isolation, *suspects: str, known: int = 0, group: str | None = None) -> None:
    """Suspects that go in the order of their first letters."""
    for suspect in suspects:
        isolation.expect(suspect, group=group or suspect, known=known, at=ord(suspect[0]))


def begins(
    isolation: Isolation, turns: list[Turn], suspect: str | None = None, *, deaths: int = 0, may_leave: bool = True
) -> threading.Thread:
    """A thread that begins a handler, and ends it at once."""

    def body() -> None:
        turn = isolation.begin(suspect, deaths=deaths, may_leave=may_leave)
        turns.append(turn)
        if turn == "now":
            isolation.end(suspect)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    return thread


def test_a_suspect_waits_for_what_runs_and_whatever_else_comes_is_handed_back() -> None:
    isolation = isolation_of()
    turns: list[Turn] = []
    assert isolation.begin() == "now"
    expect(isolation, "first", "second")
    suspect = begins(isolation, turns, "first")
    while isolation.alone is None:
        suspect.join(0.001)
    for other in (begins(isolation, turns), begins(isolation, turns, "second")):
        other.join(PATIENCE)
    assert turns == ["release", "release"]
    isolation.end()
    suspect.join(PATIENCE)
    assert turns == ["release", "release", "now"]
    assert isolation.begin() == "now"


def test_what_the_queue_would_give_up_waits_for_the_suspect_instead() -> None:
    isolation = isolation_of()
    turns: list[Turn] = []
    expect(isolation, "first")
    assert isolation.begin("first") == "now"
    last = begins(isolation, turns, may_leave=False)
    last.join(0.02)
    assert turns == []
    isolation.end("first")
    last.join(PATIENCE)
    assert turns == ["now"]


def test_what_the_queue_would_give_up_begins_in_its_order_one_alone_after_the_other() -> None:
    for order in itertools.permutations("abc"):
        isolation = isolation_of()
        began: list[str] = []
        expect(isolation, *order)

        def run(suspect: str, isolation: Isolation = isolation, began: list[str] = began) -> None:
            isolation.begin(suspect, may_leave=False)
            began.append(suspect)
            isolation.end(suspect)

        threads = [threading.Thread(target=run, args=(suspect,), daemon=True) for suspect in order]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert began == ["a", "b", "c"]


def test_of_two_suspects_each_goes_first_at_one_of_two_deliveries() -> None:
    for first, second in itertools.permutations(range(1, 7), 2):
        before = [
            place(Delivery(id="a", text="", token="", receive_count=first + later))
            < place(Delivery(id="b", text="", token="", receive_count=second + later))
            for later in (0, 1)
        ]
        assert sorted(before) == [False, True]


def test_whoever_the_claims_know_to_have_died_more_often_goes_last_and_its_group_with_it() -> None:
    isolation = isolation_of()
    expect(isolation, "b")
    expect(isolation, "a", known=2)
    expect(isolation, "c", known=2, group="g")
    expect(isolation, "d", group="g")
    assert isolation.begin("a") == "release"
    assert isolation.begin("d") == "release"
    assert isolation.fewest_deaths_beside("a") == 0
    assert isolation.begin("b") == "now"
    isolation.end("b")
    assert isolation.fewest_deaths_beside("a") == 2
    assert isolation.begin("a") == "now"
    isolation.end("a")
    assert isolation.fewest_deaths_beside("d") is None
    assert isolation.begin("d") == "now"


def test_whoever_is_not_first_leaves_its_thread_to_what_waits_for_one() -> None:
    isolation = isolation_of(crowded=lambda: True)
    expect(isolation, "a", "b")
    assert [isolation.begin("b", may_leave=False) for _ in range(3)] == ["behind"] * 3
    # The first lets those begin that are no suspects, once.
    assert [isolation.begin("a", may_leave=False) for _ in range(2)] == ["behind", "now"]


def test_only_one_that_died_twice_waits_for_what_another_claim_holds_up_and_not_for_ever() -> None:
    now = [0.0]
    isolation = isolation_of(seconds=60, clock=lambda: now[0])
    expect(isolation, "a", "b")
    isolation.rest("a")
    assert isolation.begin("b", may_leave=False) == "now"
    isolation.end("b")
    expect(isolation, "c", known=2)
    turns: list[Turn] = []
    thread = begins(isolation, turns, "c", may_leave=False)
    thread.join(0.05)
    assert turns == []
    now[0] = 60
    thread.join(PATIENCE)
    assert turns == ["now"]


def test_a_suspect_that_does_not_get_on_holds_up_nobody_for_ever() -> None:
    now = [0.0]
    isolation = isolation_of(seconds=60, clock=lambda: now[0])
    expect(isolation, "a", "b")
    turns: list[Turn] = []
    thread = begins(isolation, turns, "b", may_leave=False)
    thread.join(0.05)
    assert turns == []
    assert isolation.receives == 0
    now[0] = 60
    thread.join(PATIENCE)
    assert turns == ["now"]


def test_a_process_receives_its_first_message_alone() -> None:
    isolation = Isolation(most=10, seconds=60)
    assert isolation.receives == 1
    isolation.started()
    assert isolation.receives is None


def test_nothing_is_received_while_a_suspect_is_about_to_begin() -> None:
    isolation = isolation_of()
    expect(isolation, "first")
    assert isolation.receives == 0
    isolation.rest("first")
    assert isolation.receives is None
    expect(isolation, "second")
    isolation.forget("second")
    assert isolation.receives is None


def test_after_a_suspect_ten_messages_are_received_one_by_one() -> None:
    isolation = isolation_of()
    expect(isolation, "first")
    isolation.begin("first")
    assert isolation.receives == 0
    isolation.end("first")
    for _ in range(10):
        assert isolation.receives == 1
        isolation.begin()
        isolation.end()
    assert isolation.receives is None


def test_a_suspect_that_takes_long_has_company_after_a_while_and_a_sure_one_has_not() -> None:
    now = [0.0]
    isolation = isolation_of(seconds=60, clock=lambda: now[0])
    expect(isolation, "long")
    assert isolation.begin("long", deaths=1) == "now"
    now[0] = 59
    assert isolation.begin() == "release"
    now[0] = 60
    assert isolation.begin() == "now"
    isolation.end()
    isolation.end("long")
    expect(isolation, "sure")
    assert isolation.begin("sure", deaths=3) == "now"
    now[0] = 10_000
    assert isolation.begin() == "release"


def test_a_suspect_does_not_wait_for_long_handlers_for_ever_but_a_sure_one_does() -> None:
    isolation = isolation_of(seconds=0.01)
    assert isolation.begin() == "now"  # a long one
    turns: list[Turn] = []
    expect(isolation, "some")
    begins(isolation, turns, "some", deaths=1).join(PATIENCE)
    assert turns == ["now"]
    expect(isolation, "sure")
    sure = begins(isolation, turns, "sure", deaths=3)
    sure.join(0.05)
    assert turns == ["now"]
    isolation.end()
    sure.join(PATIENCE)
    assert turns == ["now", "now"]


def test_a_stop_wakes_whoever_waits() -> None:
    isolation = isolation_of()
    isolation.begin()
    turns: list[Turn] = []
    expect(isolation, "first")
    thread = begins(isolation, turns, "first", deaths=3)
    isolation.stop()
    thread.join(PATIENCE)
    assert turns == ["release"]


def test_suspicion_that_proves_wrong_again_and_again_ends_and_what_did_not_run_proves_nothing() -> None:
    isolation = isolation_of(most=3)
    for number in range(10):
        expect(isolation, str(number))
        isolation.begin(str(number))
        isolation.rest(str(number))
        isolation.end(str(number), ran=False)
        isolation.forget(str(number))
    for number in range(3):
        assert isolation.suspects(1)
        expect(isolation, str(number))
        isolation.begin(str(number))
        isolation.end(str(number))
    assert not isolation.suspects(5)


class Connection:
    """What a process reaches its queue by; nothing passes any more once it is cut, and nothing is under way then."""

    def __init__(self, queue: MemoryQueue) -> None:
        self._queue = queue
        self._passing = threading.Lock()
        self._cut = False
        self.holds_nothing: Callable[[], bool] = lambda: False
        self.idle = threading.Event()
        self.capabilities = queue.capabilities

    def cut(self) -> None:
        with self._passing:
            self._cut = True

    def receive(self, limit: int, *, wait: int, lease: int) -> list[Delivery]:
        idle = self.holds_nothing()
        with self._passing:
            received = [] if self._cut else self._queue.receive(limit, wait=wait, lease=lease)
        if idle and not received:
            self.idle.set()
        return received

    def acknowledge(self, deliveries: Sequence[Delivery]) -> list[Failure]:
        with self._passing:
            return [] if self._cut else self._queue.acknowledge(deliveries)

    def extend(self, deliveries: Sequence[Delivery], seconds: int) -> list[Failure]:
        with self._passing:
            return [] if self._cut else self._queue.extend(deliveries, seconds)

    def release(self, releases: Sequence[tuple[Delivery, int]]) -> list[Failure]:
        with self._passing:
            return [] if self._cut else self._queue.release(releases)

    def dead_letter(self, letters: Sequence[DeadLetter]) -> list[Failure]:
        with self._passing:
            return [] if self._cut else self._queue.dead_letter(letters)


class MortalClaims:
    """Claims as one process reaches them: once it is killed, its threads go no further."""

    def __init__(self, claims: MemoryClaims, *, killed: threading.Event, over: threading.Event) -> None:
        self._claims, self._killed, self._over = claims, killed, over

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._claims, name)

        def call(*positional: Any, **named: Any) -> Any:
            if self._killed.is_set():
                self._over.wait()
                raise ConnectionError("this process is gone")
            return method(*positional, **named)

        return call


class Stand:
    """A queue on a clock of its own, and processes that a killer ends, one after the other."""

    def __init__(
        self, bodies: Iterable[dict[str, str]], *, fifo: bool, claims: bool = True, max_receive_count: int = 100
    ) -> None:
        self.now = 0.0
        self.claims = MemoryClaims(clock=lambda: self.now) if claims else None
        self.begun = 0  # by the killer
        self.queue = MemoryQueue(fifo=fifo, clock=lambda: self.now, max_receive_count=max_receive_count)
        self._settings = replace(SETTINGS, max_receive_count=max_receive_count)
        for number, body in enumerate(bodies):
            self.queue.send(body, group_id=body.get("group", str(number)) if fifo else None)
        self.handled: list[str] = []
        self.over = threading.Event()
        self._dead: list[Worker] = []

    def live(self, *, starts: bool = False) -> bool:
        """One process on what is visible; False if the killer ended it.

        Args:
            starts: It is careful with its first message, as every new process, and not amid its work.
        """
        killed = threading.Event()
        beside = threading.Semaphore(0)
        connection = Connection(self.queue)

        def handle(message: Message) -> None:
            if message.body["does"] == "die":
                self.begun += 1
                beside.acquire(timeout=0.05)  # its neighbours have begun, if it has any
                connection.cut()
                killed.set()
            beside.release()
            if killed.wait(0.1):
                self.over.wait()  # its threads go no further, as in a process that is gone
            else:
                self.handled.append(message.body["id"])

        worker = Worker(
            handle,
            gate=Gate(),
            broker=connection,
            settings=self._settings,
            claims=cast("Claims", MortalClaims(self.claims, killed=killed, over=self.over)) if self.claims else None,
            metrics=Metrics("test", write=lambda _line: None),
        )
        connection.holds_nothing = lambda: worker.inbox.taken == 0
        thread = threading.Thread(target=lambda: worker.run(until_empty=not starts), daemon=True)
        thread.start()
        hangs_at = time.monotonic() + 60
        while thread.is_alive() and not killed.is_set():
            assert time.monotonic() < hangs_at, "the process neither ends nor dies"
            thread.join(0.005)
            if starts and connection.idle.is_set():
                worker.request_stop("nothing is visible")
        if killed.is_set():
            self._dead.append(worker)
        return not killed.is_set()

    def close(self) -> None:
        """Let the threads of the dead end; nobody waits for them, since they reach neither queue nor claims."""
        self.over.set()
        for worker in self._dead:
            worker.request_stop("the test is over")


SETTINGS = Settings(
    worker_name="test",
    receive_wait=0,
    stop_timeout=16,  # the threads of the dead give up after a second
    health_file=None,
    max_attempts=7,
    concurrency=10,
)


@pytest.mark.parametrize("fifo", [False, True])
@pytest.mark.fault(49)
def test_the_neighbours_of_a_killer_are_handled_and_the_killer_is_given_up(fifo: bool) -> None:
    bodies = [{"id": "killer", "does": "die"}, *({"id": str(number), "does": "work"} for number in range(9))]
    stand = Stand(bodies, fifo=fifo)
    for _ in range(40):
        if stand.queue.empty:
            break
        stand.live()
        stand.now += max(5, stand.queue.seconds_to_next or 0)
    stand.close()
    # One whose acknowledgement had not been sent when its process died may have been handled twice.
    assert set(stand.handled) == {str(number) for number in range(9)}
    (letter,) = stand.queue.dead_letters
    assert "killer" in letter.delivery.text
    assert letter.reason == "kills its process"
    assert stand.begun == 7


@pytest.mark.parametrize("starts", [False, True], ids=["amid work", "at a start"])
@pytest.mark.parametrize("claims", [False, True], ids=["no claims", "claims"])
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
@pytest.mark.fault(49)
def test_the_neighbours_of_a_killer_are_handled_where_the_queue_allows_five_deliveries(
    fifo: bool, claims: bool, starts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.pipeline.attempting.turns._CLEAR_SECONDS", 0.01)
    bodies = [{"id": "killer", "does": "die"}, *({"id": str(number), "does": "work"} for number in range(9))]
    stand = Stand(bodies, fifo=fifo, claims=claims, max_receive_count=5)
    for _ in range(40):
        if stand.queue.empty:
            break
        stand.live(starts=starts)
        stand.now += max(5, stand.queue.seconds_to_next or 0)
    stand.close()
    assert set(stand.handled) == {str(number) for number in range(9)}
    (letter,) = stand.queue.dead_letters
    assert "killer" in letter.delivery.text
    assert stand.begun == 5


def test_what_stands_behind_a_killer_in_its_group_spends_no_deliveries_on_the_starts_that_it_ends() -> None:
    bodies = [{"id": "killer", "does": "die"}, *({"id": str(number), "does": "work"} for number in range(9))]
    stand = Stand([{**body, "group": "a"} for body in bodies], fifo=True, max_receive_count=5)
    for _ in range(40):
        if stand.queue.empty:
            break
        stand.live(starts=True)
        stand.now += max(5, stand.queue.seconds_to_next or 0)
    stand.close()
    assert set(stand.handled) == {str(number) for number in range(9)}
    assert stand.begun == 5


def test_without_claims_nothing_proves_a_killer_and_the_queue_gives_it_up() -> None:
    bodies = [{"id": "killer", "does": "die"}, *({"id": str(number), "does": "work"} for number in range(3))]
    stand = Stand(bodies, fifo=False, claims=False)
    for _ in range(15):
        stand.live()
        stand.now += max(5, stand.queue.seconds_to_next or 0)
    stand.close()
    assert set(stand.handled) == {"0", "1", "2"}
    assert stand.queue.dead_letters == []
    assert stand.begun > 7


def test_a_message_that_the_claims_know_to_have_died_runs_alone_whatever_time_and_deliveries_say() -> None:
    stand = Stand([{"id": str(number), "does": "work"} for number in range(5)], fifo=False)
    assert stand.claims
    unlucky = stand.queue.stored[0].id
    for number in range(8):  # beside a killer, each time
        stand.claims.claim(unlucky, owner=str(number), seconds=0, message_id=unlucky)
        stand.now += 5
    stand.now += 5
    assert stand.live()
    stand.close()
    assert [letter.delivery.id for letter in stand.queue.dead_letters] == [unlucky]


def test_three_deaths_that_the_claims_know_of_let_a_message_run_alone(caplog: pytest.LogCaptureFixture) -> None:
    stand = Stand([{"id": str(number), "does": "work"} for number in range(5)], fifo=False)
    assert stand.claims
    unlucky = stand.queue.stored[0].id
    for number in range(3):
        stand.claims.claim(unlucky, owner=str(number), seconds=0, message_id=unlucky)
        stand.now += 5
    assert stand.live()
    stand.close()
    assert set(stand.handled) == {str(number) for number in range(5)}
    assert caplog.messages.count("runs_alone") == 1
