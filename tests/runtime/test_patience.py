"""How often a message was attempted, by what this process saw and what is proven of others."""

import pytest

from fargate_workers_runtime.pipeline.attempting.patience import Memory, Seen, attempts, reason

NEW = Seen()


def test_a_first_delivery_is_the_first_attempt() -> None:
    for fifo in (False, True):
        assert attempts(NEW, receive_count=1, claimed=None, ordered=fifo) == 1
        assert attempts(NEW, receive_count=1, claimed=1, ordered=fifo) == 1


def test_without_claims_a_standard_queues_deliveries_count_but_for_those_handed_back_unworked() -> None:
    assert attempts(NEW, receive_count=4, claimed=None, ordered=False) == 4
    assert attempts(Seen(released=2, unworked=2), receive_count=4, claimed=None, ordered=False) == 2
    assert attempts(Seen(released=3, failures=2, unworked=1), receive_count=4, claimed=None, ordered=False) == 3


def test_a_fifo_queues_deliveries_do_not_count() -> None:
    assert attempts(NEW, receive_count=40, claimed=None, ordered=True) == 1
    assert attempts(Seen(failures=3), receive_count=1, claimed=None, ordered=True) == 4


@pytest.mark.parametrize("fifo", [False, True])
def test_a_claim_counts_a_messages_attempts_wherever_they_were_also_those_in_hand(fifo: bool) -> None:
    assert attempts(NEW, receive_count=40, claimed=3, ordered=fifo) == 3
    assert attempts(NEW, receive_count=2, claimed=4, ordered=fifo) == 4


def test_what_the_store_forgot_is_remembered_here() -> None:
    assert attempts(Seen(failures=3), receive_count=1, claimed=1, ordered=True) == 4


def test_a_reason_claims_no_failures_that_nobody_saw() -> None:
    assert reason(3, seen=Seen(failures=3), claimed=None) == "failed 3 times"
    assert reason(3, seen=Seen(failures=1), claimed=3) == "failed 3 times"
    assert reason(3, seen=Seen(failures=1), claimed=None) == "failed, and was delivered 3 times"


def test_a_process_remembers_what_it_saw_of_a_message_until_it_ends() -> None:
    memory = Memory()
    memory.failed("a")
    memory.released("a", worked=True)
    memory.released("a", worked=False)
    memory.held("a")
    assert memory.of("a") == Seen(failures=1, released=2, unworked=1, held=1)
    assert memory.of("b") == Seen()
    memory.ended("a")
    assert memory.of("a") == Seen()


def test_its_memory_does_not_grow_for_ever() -> None:
    memory = Memory()
    for number in range(10_001):
        memory.failed(str(number))
    assert memory.of("0") == Seen()
    assert memory.of("1") == Seen(failures=1)
