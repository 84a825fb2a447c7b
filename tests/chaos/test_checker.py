"""The judge is judged first: histories are forged, and it must see what is wrong in each of them, and nothing else."""

import dataclasses
from typing import Any

import pytest

from tests.chaos.checker import MEANINGS, Fault, Observed, Outcome, Verdict, check, table
from tests.chaos.history import Event
from tests.chaos.orders import Order
from tests.chaos.weather import Outage

DELETE, HEARTBEAT = "DeleteMessage", "ChangeMessageVisibility"


def order(key: str = "o", does: Any = "plain", **options: Any) -> Order:
    return Order(key=key, does=does, **options)


def happened(*lines: str) -> list[Event]:
    """Events, as `10 effect 1 o m`: when, what, by which process, of which key and message."""
    events = [line.split() for line in lines]
    return [
        Event(float(at), what, int(process), *rest)  # type: ignore[arg-type]
        for at, what, process, *rest in events
    ]


def story(
    id: str = "m",
    *deliveries: tuple[float, int],
    deleted: float | None = None,
    moved: float | None = None,
    changes: tuple[tuple[float, int], ...] = (),
    **changed: Any,
) -> dict[str, Any]:
    """A message's story. `changes` of visibility are those of its last delivery."""
    told: list[Any] = [[at, f"worker-{process}", True, []] for at, process in deliveries]
    if told:
        told[-1][3] = [list(change) for change in changes]
    return {
        "id": id,
        "body": "",
        "group": None,
        "number": 0,
        "reason": "",
        "original": "",
        "sent_at": 0.0,
        "sent_by": "",
        "heard": True,
        "again": 0,
        "deliveries": told,
        "visible_at": 0.0,
        "deleted_at": deleted,
        "moved_at": moved,
        **changed,
    }


def letter(reason: str, *, at: float = 50, by: str = "worker-1", of: str = "m", **changed: Any) -> dict[str, Any]:
    told = story(of, sent_by=by) if by == "SQS" else story(f"letter-{of}-{at}", sent_by=by, original=of)
    return {**told, "reason": reason, "sent_at": at, "moved_at": None, **changed}


def judged(*lines: str, orders: tuple[Order, ...] = (order(),), **seen: Any) -> Verdict:
    seen.setdefault("messages", [story("m", (1, 1), deleted=99)])
    key_of = {message["id"]: message.get("key", "o") for message in seen["messages"]}
    seen["letters"] = [{**each, "body": orders[0].body} for each in seen.get("letters", ())]
    return check(Observed(orders={each.key: each for each in orders}, key_of=key_of, events=happened(*lines), **seen))


def faults(verdict: Verdict) -> list[Fault]:
    return [finding.fault for finding in verdict.findings]


def outcome(verdict: Verdict) -> Outcome:
    return verdict.outcomes["o"]


DONE = ("2 begun 1 o m", "3 effect 1 o m", "4 recorded 1 o")


# Lost, or left


def test_an_effect_once_is_done() -> None:
    verdict = judged(*DONE)
    assert (outcome(verdict), verdict.good) == ("done", True)


def test_no_effect_and_nowhere_is_lost() -> None:
    verdict = judged("2 begun 1 o m", "3 killed 1")
    assert (outcome(verdict), faults(verdict)) == ("lost", ["lost"])
    assert faults(judged(messages=[story("m", (1, 1), deleted=2)])) == ["lost"]


def test_no_effect_and_in_the_queue_is_queued() -> None:
    verdict = judged("2 begun 1 o m", "3 killed 1", messages=[story("m", (1, 1))])
    assert (outcome(verdict), faults(verdict)) == ("queued", ["queued"])


def test_a_message_left_beside_an_effect_is_no_fault() -> None:
    """It was sent twice, and the second is not settled yet; what its process hid is another rule's matter."""
    assert judged(*DONE, messages=[story("m", (1, 1), deleted=99), story("n")]).good


def test_effects_of_poison_and_of_strangers_are_unwanted() -> None:
    poison = judged(*DONE, orders=(order(does="wrong shape"),))
    assert faults(poison) == ["unwanted"]
    stranger = judged(*DONE, "5 begun 1 x y", "6 effect 1 x y")
    assert faults(stranger) == ["unwanted"]
    assert faults(judged(*DONE, exact={"z": 1})) == ["unwanted"]


# Repeated, with claims


def test_two_effects_are_repeated() -> None:
    again = ("12 begun 2 o m", "13 effect 2 o m")
    assert faults(judged("2 begun 1 o m", "3 effect 1 o m", *again)) == ["repeated"]
    assert faults(judged("2 begun 1 o m", "3 effect 1 o m", "12 begun 1 o m", "13 effect 1 o m")) == ["repeated"]


def test_a_handler_that_begins_after_the_record_is_repeated_even_without_an_effect() -> None:
    assert faults(judged(*DONE, "5 begun 2 o m", "6 raised 2 o m")) == ["repeated"]
    assert faults(judged("2 begun 1 o m", "3 effect 1 o m", "5 begun 2 o m", recorded={"o": 4.0})) == ["repeated"]


@pytest.mark.parametrize("end", ["killed", "frozen"])
def test_the_window_is_a_death_or_a_freeze_between_effect_and_record(end: str) -> None:
    again = ("22 begun 2 o m", "23 effect 2 o m", "24 recorded 2 o")
    verdict = judged("2 begun 1 o m", "3 effect 1 o m", f"4 {end} 1", *again)
    assert (outcome(verdict), verdict.good) == ("window", True)


def test_a_death_before_the_effect_was_made_leaves_one_effect() -> None:
    verdict = judged("2 begun 1 o m", "3 killed 1", "22 begun 2 o m", "23 effect 2 o m", "24 recorded 2 o")
    assert (outcome(verdict), verdict.good) == ("done", True)


def test_a_death_after_the_record_explains_nothing() -> None:
    again = ("22 begun 2 o m", "23 effect 2 o m")
    assert faults(judged(*DONE, "5 killed 1", *again)) == ["repeated"]
    assert faults(judged(*DONE, "5 frozen 1", "20 thawed 1", *again)) == ["repeated"]


def test_the_death_of_another_process_explains_nothing() -> None:
    first = ("2 begun 1 o m", "3 effect 1 o m")
    assert faults(judged(*first, "4 killed 3", "22 begun 2 o m", "23 effect 2 o m")) == ["repeated"]
    assert faults(judged("1 frozen 1", "1.5 thawed 1", *first, "22 begun 2 o m", "23 effect 2 o m")) == ["repeated"]


def test_a_handler_frozen_amid_its_work_may_make_its_effect_late() -> None:
    other = ("22 begun 2 o m", "23 effect 2 o m", "24 recorded 2 o")
    verdict = judged("2 begun 1 o m", "3 frozen 1", *other, "30 thawed 1", "31 effect 1 o m")
    assert (outcome(verdict), verdict.good) == ("window", True)


def test_a_handler_that_begins_after_a_thaw_has_no_excuse() -> None:
    frozen = ("3 frozen 1", "22 begun 2 o m", "23 effect 2 o m", "24 recorded 2 o", "30 thawed 1")
    assert faults(judged(*frozen, "30.2 begun 1 o m", "30.3 effect 1 o m")) == ["repeated"]


def test_one_thread_for_each_freeze_may_have_stood_before_its_handler() -> None:
    frozen = ("3 frozen 1", "22 begun 2 o m", "23 effect 2 o m", "24 recorded 2 o", "30 thawed 1")
    assert judged(*frozen, "30.01 begun 1 o m", "30.3 effect 1 o m").good
    other = ("30.01 begun 1 p n", "30.3 effect 1 p n", "30.4 recorded 1 p")
    two = judged(*frozen, *other, "30.02 begun 1 o m", "30.5 effect 1 o m", orders=(order(), order("p")))
    assert faults(two) == ["repeated"]


def test_an_effect_joined_to_its_record_has_no_window() -> None:
    killed = ("2 begun 1 o m", "3 killed 1", "12 begun 2 o m")
    assert faults(judged(*killed, exact={"o": 2}, recorded={"o": 13.0})) == ["repeated"]
    assert judged(*killed, exact={"o": 1}, recorded={"o": 13.0}).good


def test_claims_that_did_not_answer_excuse_an_effect_that_was_not_recorded() -> None:
    lines = ("2 begun 1 o m", "3 effect 1 o m", "12 begun 2 o n", "13 effect 2 o n", "14 recorded 2 o")
    away = Outage(service="DynamoDB", kind="error", begins=2.5, ends=11.5)
    verdict = judged(*lines, outages=[away])
    assert (outcome(verdict), verdict.good) == ("unrecorded", True)
    short = dataclasses.replace(away, ends=6)
    assert faults(judged(*lines, outages=[short])) == ["repeated"]
    assert faults(judged(*lines, outages=[dataclasses.replace(away, service="SQS")])) == ["repeated"]


# Repeated, without claims

TWICE = ("2 begun 1 o m", "3 effect 1 o m", "12 begun 2 o m", "13 effect 2 o m")


def redelivered(**changed: Any) -> list[dict[str, Any]]:
    return [story("m", (1, 1), (11.5, 2), deleted=14, **changed)]


def test_without_claims_a_message_that_could_have_been_acknowledged_does_not_run_again() -> None:
    assert faults(judged(*TWICE, claims="none", messages=redelivered())) == ["repeated"]


def test_without_claims_a_second_message_of_the_producer_runs() -> None:
    lines = (*TWICE[:2], "12 begun 2 o n", "13 effect 2 o n")
    messages = [story("m", (1, 1), deleted=4), story("n", (11, 2), deleted=14)]
    assert judged(*lines, claims="none", messages=messages).good


def test_without_claims_a_death_or_a_freeze_before_the_delete_explains_it() -> None:
    for interruption in ("5 killed 1", "5 frozen 1"):
        lines = (*TWICE[:2], interruption, *TWICE[2:])
        assert judged(*lines, claims="none", messages=redelivered()).good
    late = (*TWICE[:2], *TWICE[2:], "20 killed 1")
    assert faults(judged(*late, claims="none", messages=redelivered())) == ["repeated"]


def test_without_claims_an_outage_explains_it_if_it_outlasts_the_lease() -> None:
    def away(operation: str, ends: float) -> list[Outage]:
        return [Outage(service="SQS", kind="hang", begins=2.5, ends=ends, operations=[operation])]

    assert judged(*TWICE, claims="none", messages=redelivered(), outages=away(DELETE, 11)).good
    assert faults(judged(*TWICE, claims="none", messages=redelivered(), outages=away(DELETE, 6))) == ["repeated"]
    assert judged(*TWICE, claims="none", messages=redelivered(), outages=away(HEARTBEAT, 11)).good


def test_without_claims_a_copy_that_sqs_delivers_again_runs() -> None:
    assert judged(*TWICE, claims="none", messages=redelivered(again=1)).good


# Dead letters


def test_a_healthy_order_does_not_belong_in_the_dead_letter_queue() -> None:
    for reason, by in (("failed 4 times", "worker-1"), ("", "SQS"), ("not JSON", "worker-1")):
        lines = ("2 begun 1 o m", "3 raised 1 o m")
        messages = [story("m", (1, 1), moved=50)]
        assert faults(judged(*lines, messages=messages, letters=[letter(reason, by=by)])) == ["healthy dead-lettered"]
    redriven = judged(*DONE, letters=[letter("failed 4 times", moved_at=60)])
    assert faults(redriven) == ["healthy dead-lettered"]


def test_an_order_that_failed_as_often_as_it_may_is_dead_with_that_reason() -> None:
    failed = [line for at in range(4) for line in (f"{at * 3 + 2} begun 1 o m", f"{at * 3 + 3} raised 1 o m")]
    assert judged(*failed, letters=[letter("failed 4 times")]).good
    assert faults(judged(*failed, orders=(order(does="doomed"),), letters=[letter("failed 5 times")])) == [
        "reason untrue"
    ]
    assert faults(judged(*failed[:6], orders=(order(does="doomed"),), letters=[letter("failed 4 times")])) == [
        "reason untrue"
    ]


def test_an_attempt_that_died_may_be_counted_as_a_failure_or_not() -> None:
    failed = [line for at in range(4) for line in (f"{at * 3 + 2} begun 1 o m", f"{at * 3 + 3} raised 1 o m")]
    died = ("20 begun 1 o m", "21 killed 1")
    doomed = (order(does="doomed"),)
    assert judged(*failed[:6], *died, orders=doomed, letters=[letter("failed 4 times", by="worker-2")]).good
    assert judged(*failed, *died, orders=doomed, letters=[letter("failed 4 times", by="worker-2")]).good


def test_a_failure_whose_process_died_at_once_may_be_known_to_nobody() -> None:
    failed = [line for at in range(5) for line in (f"{at * 3 + 2} begun {at} o m", f"{at * 3 + 3} raised {at} o m")]
    doomed = (order(does="doomed"),)
    for said in ("failed 4 times", "failed 5 times"):
        assert judged(*failed, "3.5 killed 0", orders=doomed, letters=[letter(said, by="worker-4")]).good
    late = judged(*failed, "4.5 killed 0", orders=doomed, letters=[letter("failed 4 times", by="worker-4")])
    assert faults(late) == ["reason untrue", "too many attempts"]


@pytest.mark.parametrize(
    ("does", "reason"), [("refuse", "refused"), ("not JSON", "not JSON"), ("wrong shape", "schema: /does/required")]
)
def test_poison_says_why(does: Any, reason: str) -> None:
    assert outcome(judged(orders=(order(does=does),), letters=[letter(reason)])) == "dead"
    assert judged(orders=(order(does=does),), letters=[letter(reason)]).good
    for other, by in (("", "SQS"), ("", "worker-1"), ("failed 5 times", "worker-1"), ("too large", "worker-1")):
        assert faults(judged(orders=(order(does=does),), letters=[letter(other, by=by)])) == ["reason untrue"]


def test_a_message_that_kills_its_process_is_dead_when_it_was_tried_often_enough() -> None:
    killer = (order(does="kill"),)
    tried = [story("m", *((at, at) for at in range(1, 6)), moved=50)]
    assert judged(orders=killer, messages=tried, letters=[letter("", by="SQS")], max_receives=5).good
    assert judged(orders=killer, messages=tried, letters=[letter("ended its process 4 times")]).good
    early = judged(orders=killer, messages=tried, letters=[letter("", by="SQS")], max_receives=6)
    assert faults(early) == ["reason untrue"]
    assert faults(judged(orders=killer, messages=tried, letters=[letter("failed 9 times")])) == ["reason untrue"]
    assert faults(judged(orders=killer, messages=tried, letters=[letter("")])) == ["reason untrue"]


def test_a_letter_of_nobody_is_seen() -> None:
    assert faults(judged(*DONE, letters=[letter("not JSON", of="unknown")])) == ["reason untrue"]


def test_two_letters_of_one_message_need_an_excuse() -> None:
    poison = (order(does="not JSON"),)
    twice = [letter("not JSON", at=10), letter("not JSON", at=20, by="worker-2")]
    assert faults(judged(orders=poison, letters=twice)) == ["letter twice"]
    unheard = [{**twice[0], "heard": False}, twice[1]]
    assert judged(orders=poison, letters=unheard).good
    assert judged("12 killed 1", orders=poison, letters=twice).good
    assert judged("12 frozen 1", "19 thawed 1", orders=poison, letters=twice).good
    assert faults(judged("25 killed 1", orders=poison, letters=twice)) == ["letter twice"]
    assert faults(judged("12 killed 2", orders=poison, letters=twice)) == ["letter twice"]
    deletes = Outage(service="SQS", kind="error", begins=9, ends=19, operations=[DELETE])
    assert judged(orders=poison, letters=twice, outages=[deletes]).good
    sends = dataclasses.replace(deletes, operations=["SendMessage"])
    assert faults(judged(orders=poison, letters=twice, outages=[sends])) == ["letter twice"]
    early = [{**twice[0], "sent_at": 3}, {**twice[1], "sent_at": 30}]
    for_the_lease = dataclasses.replace(deletes, begins=4, ends=12)
    assert judged(orders=poison, letters=early, outages=[for_the_lease]).good
    for_a_moment = dataclasses.replace(deletes, begins=4, ends=5)
    assert faults(judged(orders=poison, letters=early, outages=[for_a_moment])) == ["letter twice"]


# Attempts


def test_no_message_fails_more_often_than_it_may() -> None:
    failed = [line for at in range(5) for line in (f"{at * 3 + 2} begun 1 o m", f"{at * 3 + 3} raised 1 o m")]
    assert judged(*failed[:8], "30 begun 1 o m", "31 effect 1 o m").good
    assert faults(judged(*failed, "30 begun 1 o m", "31 effect 1 o m")) == ["too many attempts"]


def test_a_death_between_the_last_failure_and_the_letter_gives_one_more() -> None:
    failed = [line for at in range(4) for line in (f"{at * 3 + 2} begun 1 o m", f"{at * 3 + 3} raised 1 o m")]
    more, done = ("20 begun 2 o m", "21 raised 2 o m"), ("30 begun 2 o m", "31 effect 2 o m")
    assert judged(*failed, "13 killed 1", *more, *done).good
    assert faults(judged(*failed, "22 killed 1", *more, *done)) == ["too many attempts"]
    assert faults(judged(*failed, "13 killed 1", *more, "23 begun 2 o m", "24 raised 2 o m", *done)) == [
        "too many attempts"
    ]


def test_a_letter_that_could_not_be_sent_or_a_copy_that_sqs_kept_gives_one_more() -> None:
    failed = [line for at in range(4) for line in (f"{at * 3 + 2} begun 1 o m", f"{at * 3 + 3} raised 1 o m")]
    lines = (*failed, "30 begun 2 o m", "31 raised 2 o m", "32 begun 2 o m", "33 effect 2 o m")
    held = [story("m", (10.5, 1), (29, 2), deleted=34)]
    away = Outage(service="SQS", kind="error", begins=10, ends=20, operations=["SendMessage"])
    assert faults(judged(*lines, messages=held)) == ["too many attempts"]
    assert judged(*lines, messages=held, outages=[away]).good
    assert faults(judged(*lines, messages=held, outages=[dataclasses.replace(away, ends=13)])) == ["too many attempts"]
    assert judged(*lines, messages=[{**held[0], "again": 1}]).good


def test_a_claim_counts_for_all_messages_of_an_order() -> None:
    lines = ("2 begun 1 o m", "3 raised 1 o m", "4 begun 1 o m", "5 raised 1 o m")
    other = ("6 begun 1 o n", "7 raised 1 o n", "8 begun 1 o n", "9 raised 1 o n")
    seen: dict[str, Any] = {"orders": (order(does="doomed", times=2),), "letters": [letter("failed 4 times")]}
    messages = [story("m", (1, 1), deleted=51), story("n", (5, 1), deleted=52)]
    assert judged(*lines, *other, messages=messages, **seen).good
    assert faults(judged(*lines, *other[:2], messages=messages, **seen)) == ["reason untrue"]


def test_without_claims_each_process_counts_for_itself() -> None:
    failed = [
        line
        for process in (1, 2)
        for at in range(3)
        for line in (
            f"{process * 20 + at * 3 + 2} begun {process} o m",
            f"{process * 20 + at * 3 + 3} raised {process} o m",
        )
    ]
    done = ("90 begun 2 o m", "91 effect 2 o m")
    assert judged(*failed, *done, claims="none").good
    third = ("31 begun 2 o m", "32 raised 2 o m")
    doomed: dict[str, Any] = {"orders": (order(does="doomed"),), "letters": [letter("failed 4 times", by="worker-2")]}
    assert judged(*failed, *third, claims="none", **doomed).good
    assert faults(judged(*failed, *third, **doomed)) == ["reason untrue", "too many attempts"]
    assert faults(judged(*failed, *done)) == ["too many attempts"]
    more = [line for at in (30, 33) for line in (f"{at} begun 1 o m", f"{at + 1} raised 1 o m")]
    assert faults(judged(*failed, *more, *done, claims="none")) == ["too many attempts"]


def test_without_claims_deliveries_may_be_said_in_place_of_failures() -> None:
    doomed, tried = (order(does="doomed"),), [story("m", (1, 1), (5, 2), (9, 1), moved=50)]
    said = [letter("failed, and was delivered 3 times")]
    assert judged(orders=doomed, messages=tried, letters=said, claims="none").good
    assert faults(judged(orders=doomed, messages=tried, letters=said)) == ["reason untrue"]
    wrong = [letter("failed, and was delivered 4 times")]
    assert faults(judged(orders=doomed, messages=tried, letters=wrong, claims="none")) == ["reason untrue"]
    assert faults(judged(messages=tried, letters=said, claims="none")) == ["healthy dead-lettered"]


def test_a_refused_message_is_tried_once() -> None:
    poison = (order(does="refuse"),)
    lines = ("2 begun 1 o m", "3 raised 1 o m", "22 begun 2 o m", "23 raised 2 o m")
    seen: dict[str, Any] = {"orders": poison, "letters": [letter("refused", by="worker-2")]}
    messages = [story("m", (1, 1), (21, 2), deleted=51)]
    assert faults(judged(*lines, messages=messages, **seen)) == ["too many attempts"]
    assert judged(*lines[:2], "4 killed 1", *lines[2:], messages=messages, **seen).good
    away = Outage(service="SQS", kind="hang", begins=2, ends=12)
    assert judged(*lines, messages=messages, outages=[away], **seen).good


# Order


def grouped(*positions: int) -> tuple[Order, ...]:
    return tuple(order(f"o{position}", group="g", position=position) for position in positions)


def test_the_first_effects_of_a_group_come_in_the_order_of_its_messages() -> None:
    first = ("2 begun 1 o1 m1", "3 effect 1 o1 m1", "4 recorded 1 o1")
    second = ("5 begun 1 o2 m2", "6 effect 1 o2 m2", "7 recorded 1 o2")
    assert judged(*first, *second, orders=grouped(1, 2), messages=[]).good
    assert faults(judged(*first, *second, orders=grouped(2, 1), messages=[])) == []
    swapped = judged(
        "2 begun 1 o2 m2", "3 effect 1 o2 m2", "5 begun 1 o1 m1", "6 effect 1 o1 m1", orders=grouped(1, 2), messages=[]
    )
    assert faults(swapped) == ["out of order"]


def test_other_groups_and_redriven_orders_do_not_wait() -> None:
    swapped = ("2 begun 1 o2 m2", "3 effect 1 o2 m2", "5 begun 1 o1 m1", "6 effect 1 o1 m1")
    apart = (order("o1", group="g", position=1), order("o2", group="h", position=2))
    assert judged(*swapped, orders=apart, messages=[]).good
    assert judged(*swapped, orders=grouped(1, 2), messages=[], healed_at=4).good


def test_an_effect_joined_to_its_record_has_its_place_too() -> None:
    seen: dict[str, Any] = {"orders": grouped(1, 2), "messages": [], "exact": {"o1": 1}}
    lines = ("2 begun 1 o1 m1", "5 begun 1 o2 m2", "6 effect 1 o2 m2")
    assert judged(*lines, recorded={"o1": 3.0}, **seen).good
    assert faults(judged(*lines, recorded={"o1": 8.0}, **seen)) == ["out of order"]


def test_a_group_does_not_go_on_before_its_poison_has_its_letter() -> None:
    head = Order(key="o", does="refuse", group="g", position=1)
    lines = ("2 begun 1 o m", "3 raised 1 o m", "4 begun 1 o2 m2", "5 effect 1 o2 m2", "6 recorded 1 o2", "7 killed 1")
    again = ("22 begun 2 o m", "23 raised 2 o m")
    seen: dict[str, Any] = {"orders": (head, *grouped(2)), "messages": [story("m", (1, 1), (21, 2), deleted=25)]}
    late = [letter("refused", at=24, by="worker-2")]
    assert faults(judged(*lines, *again, letters=late, **seen)) == ["out of order"]
    early = [letter("refused", at=3.5), *late]
    assert judged(*lines, *again, letters=early, **seen).good


# The end of a process


def test_a_process_that_ends_with_0_leaves_nothing_hidden() -> None:
    asked, ended = "4 asked 1", "5 ended 1 - 0"
    other = ("22 begun 2 o m", "23 effect 2 o m", "24 recorded 2 o")
    hidden = [story("m", (1, 1), (21, 2), deleted=25)]
    assert faults(judged(asked, ended, *other, messages=hidden)) == ["hidden after a clean stop"]
    assert judged(asked, "5 ended 1 - 1", *other, messages=hidden).good
    assert judged("5 killed 1", *other, messages=hidden).good


def test_what_was_handed_back_deleted_or_redelivered_is_not_hidden() -> None:
    lines = ("4 asked 1", "5 ended 1 - 0", "22 begun 2 o m", "23 effect 2 o m", "24 recorded 2 o")
    assert judged(*lines, messages=[story("m", (1, 1), deleted=4.9)]).good
    assert judged(*lines, messages=[story("m", (1, 1), (3, 2), deleted=25)]).good
    for change in ((4.5, 0), (4.5, 7)):
        story_of = story("m", (1, 1))
        story_of["deliveries"][0][3] = [list(change)]
        assert judged(*lines, messages=[{**story_of, "deleted_at": 25}]).good
    heartbeat = story("m", (1, 1))
    heartbeat["deliveries"][0][3] = [[4.5, 10]]
    assert faults(judged(*lines, messages=[{**heartbeat, "deleted_at": 25}])) == ["hidden after a clean stop"]


def test_what_a_process_never_heard_of_it_does_not_hide() -> None:
    lines = ("4 asked 1", "5 ended 1 - 0", "22 begun 2 o m", "23 effect 2 o m", "24 recorded 2 o")
    unheard = story("m", (1, 1), deleted=25)
    unheard["deliveries"][0][2] = False
    assert judged(*lines, messages=[unheard]).good


def test_an_outage_up_to_the_end_excuses_what_could_not_be_said() -> None:
    lines = ("14 asked 1", "15 ended 1 - 0", "22 begun 2 o m", "23 effect 2 o m", "24 recorded 2 o")
    hidden = [story("m", (13, 1), (21, 2), deleted=25)]
    until_the_end = Outage(service="SQS", kind="error", begins=10, ends=16)
    assert judged(*lines, messages=hidden, outages=[until_the_end]).good
    over = dataclasses.replace(until_the_end, ends=11)
    assert faults(judged(*lines, messages=hidden, outages=[over])) == ["hidden after a clean stop"]
    claims = dataclasses.replace(until_the_end, service="DynamoDB")
    assert faults(judged(*lines, messages=hidden, outages=[claims])) == ["hidden after a clean stop"]


def test_a_process_that_was_asked_to_stop_ends_with_0_in_time() -> None:
    assert judged(*DONE, exits={1: 0}).good
    assert faults(judged(*DONE, exits={1: 0, 2: 1, 3: None})) == ["wrong exit", "wrong exit"]


# For people


def test_the_table_has_a_line_for_everything() -> None:
    verdict = judged("2 begun 1 o m", "3 effect 1 o m", "12 begun 2 o m", "13 effect 2 o m")
    shown = table(verdict, [("seconds", 3)])
    for what, count in verdict.counts.items():
        assert f"{count:>8}  {what} " in shown
    assert set(verdict.counts) == set(MEANINGS)
    assert verdict.counts["repeated"] == 1
    assert "3  seconds" in shown
    assert [finding.subject for finding in verdict.of("repeated")] == ["o"]


def test_a_process_whose_handler_heeds_no_cancellation_is_replaced_by_its_own_end() -> None:
    deaf = ("3 begun 1 other n", "4 deaf 1 other n", *DONE)
    orders = (order(), order("other"))
    messages = [story("m", (1, 1), deleted=99), story("n", (3, 1), (40, 2), deleted=99, key="other")]
    done = ("40 begun 2 other n", "41 effect 2 other n", "42 recorded 2 other")
    assert judged(*deaf, *done, orders=orders, messages=messages, exits={1: 1}).good
    assert faults(judged(*deaf, *done, orders=orders, messages=messages, exits={1: None})) == ["wrong exit"]
    assert faults(judged(*deaf, *done, orders=orders, messages=messages, exits={1: 1, 2: 1})) == ["wrong exit"]
