"""The inbox: the order of lines, the threads that wait for them, and the room that is looked for."""

import queue
import threading
from collections.abc import Callable

from fargate_workers_runtime.brokers.broker import Delivery
from fargate_workers_runtime.pipeline.inbox import Inbox, Line, Work
from fargate_workers_runtime.pipeline.leases import Lease

_PATIENCE = 60


def work(name: str, *, group: str | None = None) -> Work:
    delivery = Delivery(id=name, text="{}", token=name, group_id=group)
    return Work(lease=Lease(delivery=delivery, leased_until=1.0, ends_at=1.0))


def inbox_of(*works: Work, ask_for: Callable[[int], int] = lambda _held: 0, glance: float = 0.005) -> Inbox:
    inbox = Inbox(ordered=True, ask_for=ask_for, glance=glance)
    for each in works:
        inbox.put(each)
    return inbox


def name_of(found: tuple[Line, Work] | None) -> str:
    assert found is not None
    return found[1].lease.delivery.id


def test_a_line_goes_on_before_the_next_one_begins() -> None:
    inbox = inbox_of(work("a1", group="a"), work("b"), work("a2", group="a"))
    found = inbox.next()
    assert name_of(found) == "a1"
    assert found is not None
    found = inbox.next(found[0])
    assert name_of(found) == "a2"
    assert found is not None
    assert name_of(inbox.next(found[0])) == "b"


def test_a_group_whose_line_has_ended_begins_a_new_one() -> None:
    inbox = inbox_of(work("a1", group="a"), work("b"))
    found = inbox.next()
    assert found is not None
    inbox.next(found[0])
    inbox.put(work("a2", group="a"))
    assert name_of(inbox.next()) == "a2"


def test_of_handlers_that_wait_every_thread_has_one_at_once() -> None:
    """The threads meet with their messages in hand, which they could not if one of them was not woken."""
    meeting = threading.Barrier(5)
    inbox = inbox_of()
    taken: list[str] = []

    def handle() -> None:
        found = inbox.next()
        meeting.wait(_PATIENCE)
        taken.append(name_of(found))

    threads = [threading.Thread(target=handle, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for name in "abcd":
        inbox.put(work(name))
    meeting.wait(_PATIENCE)
    for thread in threads:
        thread.join(_PATIENCE)
    assert sorted(taken) == ["a", "b", "c", "d"]


def test_a_thread_whose_handler_waited_for_nothing_leaves_the_lines_to_one_that_begins_them() -> None:
    inbox = inbox_of(*(work(str(number)) for number in range(52)), glance=_PATIENCE)
    quick, other = inbox.next(), inbox.next()
    assert quick is not None
    assert other is not None
    taken = take_in_a_thread(inbox, quick[0])

    for _ in range(50):
        other = inbox.next(other[0])
        assert other is not None
    assert taken.empty()

    inbox.leave(other[0])
    inbox.put(work("later"))  # nobody is at work, so that it does not wait for its next look
    assert taken.get(timeout=_PATIENCE) == "later"


def test_a_thread_that_stands_back_begins_a_line_when_the_others_begin_none() -> None:
    inbox = inbox_of(work("quick"), work("slow"), work("next"), glance=0.001)
    quick, slow = inbox.next(), inbox.next()
    assert quick is not None
    assert name_of(slow) == "slow"

    taken = take_in_a_thread(inbox, quick[0])

    assert taken.get(timeout=_PATIENCE) == "next"


def test_a_thread_does_not_stand_back_for_those_that_have_begun_nothing_since() -> None:
    inbox = inbox_of(work("slow"), work("quick"), work("next"), glance=_PATIENCE)
    slow, quick = inbox.next(), inbox.next()
    assert name_of(slow) == "slow"
    assert quick is not None

    assert name_of(inbox.next(quick[0], waited=False)) == "next"


def test_a_thread_whose_handler_may_have_waited_goes_on() -> None:
    inbox = inbox_of(work("first"), work("second"), work("third"), glance=_PATIENCE)
    first, second = inbox.next(), inbox.next()
    assert first is not None
    assert name_of(second) == "second"

    assert name_of(inbox.next(first[0])) == "third"


def take_in_a_thread(inbox: Inbox, line: Line) -> "queue.SimpleQueue[str]":
    """What a thread takes whose work in `line`, which waited for nothing, has ended."""
    taken: queue.SimpleQueue[str] = queue.SimpleQueue()
    thread = threading.Thread(target=lambda: taken.put(name_of(inbox.next(line, waited=False))), daemon=True)
    thread.start()
    return taken


def test_a_thread_that_is_dismissed_takes_what_waits_before_it_ends() -> None:
    inbox = inbox_of(work("a"))
    inbox.dismiss()
    found = inbox.next()
    assert name_of(found) == "a"
    assert found is not None
    assert inbox.next(found[0]) is None


def test_every_thread_that_waits_is_dismissed() -> None:
    inbox = inbox_of()
    ends = [threading.Thread(target=inbox.next, daemon=True) for _ in range(3)]
    for thread in ends:
        thread.start()
    inbox.dismiss()
    for thread in ends:
        thread.join(_PATIENCE)
    assert not any(thread.is_alive() for thread in ends)


def test_what_stays_of_the_lines_that_wait_begins_in_their_order() -> None:
    inbox = inbox_of(work("a"), work("b"), work("c"))
    back = inbox.take_back_ready(unless=lambda each: each.lease.delivery.id != "b")
    assert [each.lease.delivery.id for each in back] == ["b"]
    assert [name_of(inbox.next()), name_of(inbox.next())] == ["a", "c"]


class Waiting:
    """A thread that waits for room: there is some when no more than `most` messages are held."""

    def __init__(self, held: int, *, most: int) -> None:
        self._most = most
        self.asked: list[int] = []
        self.works = [work(str(number)) for number in range(held)]
        self.inbox = inbox_of(*self.works, ask_for=self._ask_for)
        self._reserved: list[int] = []
        self._thread = threading.Thread(target=self._reserve, daemon=True)
        self._thread.start()
        while not self.asked:  # until it waits
            self._thread.join(0.001)

    def reserved(self) -> int:
        self._thread.join(_PATIENCE)
        return self._reserved[0]

    def _ask_for(self, held: int) -> int:
        self.asked.append(held)
        return 1 if held <= self._most else 0

    def _reserve(self) -> None:
        self._reserved.append(self.inbox.reserve(seconds=_PATIENCE))


def test_while_messages_wait_for_a_handler_room_is_looked_for_at_some_ends() -> None:
    waiting = Waiting(40, most=20)
    for each in waiting.works:
        waiting.inbox.next()
        waiting.inbox.end(each)
    assert waiting.reserved() == 1
    assert not {25, 26, 27} & {*waiting.asked}


def test_when_none_waits_for_a_handler_room_is_looked_for_at_each_end() -> None:
    waiting = Waiting(5, most=3)
    for _ in waiting.works:
        waiting.inbox.next()
    for each in waiting.works[:2]:
        waiting.inbox.end(each)
    assert waiting.reserved() == 1
    assert {4, 3} <= {*waiting.asked}
