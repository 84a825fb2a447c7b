"""What is sent and what goes wrong: the same for the same seed, and something of everything that is asked for."""

import random
from typing import Any

from tests.chaos.orders import Order, orders, sending
from tests.chaos.plan import FAULTS, Attack, attacks


def planned(*faults: str, **changed: Any) -> list[Attack]:
    whole: dict[str, Any] = {"messages": 20_000, "processes": 4, "visibility": 10, "longest": 30, "store": "DynamoDB"}
    return attacks(faults, **{**whole, "seed": 1, **changed})


def made(**changed: Any) -> list[Order]:
    whole: dict[str, Any] = {"fifo": True, "faults": FAULTS, "transact": True, "most_failures": 2}
    return orders(2000, **{**whole, **changed}, chosen=random.Random(1))


def steps(plan: list[Attack]) -> list[tuple[str, str]]:
    """What is done, and to whom."""
    return [
        (step.what, ",".join([str(step.arguments.get("service", "")), *step.arguments.get("operations", [])]))
        for attack in plan
        for step in attack.steps
    ]


def test_a_seed_makes_the_same_choices_again() -> None:
    assert planned(*FAULTS) == planned(*FAULTS)
    assert planned(*FAULTS) != planned(*FAULTS, seed=2)
    assert made() == made()
    assert made(faults=sorted(FAULTS)) == made(faults=sorted(FAULTS, reverse=True))
    assert [message for _, message in sending(made(), chosen=random.Random(1))] == [
        message for _, message in sending(made(), chosen=random.Random(1))
    ]


def test_every_attack_is_in_the_plan_that_asks_for_it_alone() -> None:
    kinds = {
        "kill": {("kill", "")},
        "sigterm": {("stop", "")},
        "freeze": {("freeze", "")},
        "outage": {("outage", "SQS")},
        "operations": {
            ("outage", f"SQS,{operation}")
            for operation in ("DeleteMessage", "ChangeMessageVisibility", "SendMessage", "ReceiveMessage")
        },
        "downstream": {("downstream", "")},
    }
    for fault, expected in kinds.items():
        assert set(steps(planned(fault))) == expected
    claims = set(steps(planned("claims")))
    assert ("outage", "DynamoDB") in claims
    assert len(claims) == 2
    assert steps(planned("claims", store="none")) == []
    for quiet in {*FAULTS} - {*kinds, "claims"}:
        assert planned(quiet) == []


def test_a_small_run_has_something_of_everything() -> None:
    everything = {what for what, _ in steps(planned(*FAULTS, messages=200))}
    assert everything == {"kill", "stop", "freeze", "outage", "downstream"}


def test_intensity_makes_more_attacks() -> None:
    assert len(planned("kill", intensity=3)) == 3 * len(planned("kill"))


def test_one_outage_is_as_long_as_asked_and_the_others_shorter_than_a_lease() -> None:
    seconds = [step.arguments["seconds"] for attack in planned("outage", "operations") for step in attack.steps]
    assert seconds.count(30) == 1
    assert max(second for second in seconds if second != 30) <= 10 / 4


def test_a_freeze_outlasts_the_visibility_timeout() -> None:
    seconds = [step.arguments["seconds"] for attack in planned("freeze") for step in attack.steps]
    assert len(seconds) == 8
    assert min(seconds) > 10


def test_attacks_come_in_order_and_leave_the_beginning_and_the_end_alone() -> None:
    places = [attack.at for attack in planned(*FAULTS)]
    assert places == sorted(places)
    assert 0.03 <= places[0] < places[-1] <= 0.9


def test_every_kind_of_order_is_sent_by_the_fault_that_asks_for_it() -> None:
    assert {order.does for order in made()} == {
        "plain", "transact", "flaky", "doomed", "slow", "overrun", "deaf", "block", "refuse", "not JSON", "wrong shape",
        "kill", "kill twice",
    }  # fmt: skip
    assert {order.does for order in made(faults=())} == {"plain", "transact"}
    assert {order.does for order in made(faults=(), transact=False)} == {"plain"}
    assert {order.does for order in made(faults=["slow"], transact=False)} == {"plain", "slow"}


def test_flaky_orders_succeed_in_the_end() -> None:
    fails = {order.fails for order in made() if order.does == "flaky"}
    assert fails == {1, 2}
    assert {order.fails for order in made() if order.does != "flaky"} == {0}


def test_orders_that_are_sent_twice_come_again_later_and_are_not_deduplicated_by_the_queue() -> None:
    sent = [(order.key, message) for order, message in sending(made(), chosen=random.Random(1))]
    twice = [order for order in made() if order.times == 2]
    assert len(sent) == 2000 + len(twice)
    assert twice
    assert len({message["deduplication_id"] for _, message in sent}) == len(sent)
    firsts = [message["deduplication_id"] for _, message in sent if message["deduplication_id"].endswith("-1")]
    assert firsts == [f"o-{number}-1" for number in range(2000)]


def test_a_standard_queue_has_no_groups() -> None:
    assert {order.group for order in made(fifo=False)} == {None}
    assert len({order.group for order in made()}) == 80
