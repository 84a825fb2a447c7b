"""What holds for every choice: more is never cheaper, limits name what breaks first, lines of Python fit."""

import ast
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fargate_workers_toolkit.choosing import Workload, choose
from fargate_workers_toolkit.errors import ChoosingError

WORKLOADS = st.builds(
    Workload,
    messages_a_day=st.floats(1, 1e9),
    size=st.floats(1, 300_000),
    ordering=st.sampled_from(["none", "key", "total"]),
    replay=st.sampled_from([0.0, 86_400.0, 604_800.0]),
    readers=st.integers(1, 5),
    latency=st.sampled_from([None, 0.05, 1.0, 60.0]),
    losing=st.sampled_from(["never", "rarely"]),
    sending=st.sampled_from(["batched", "single"]),
    handler_seconds=st.floats(0.001, 100),
    peak=st.floats(1, 50),
    keys=st.floats(1, 1e6),
)


def dollars(workload: Workload) -> dict[tuple[str, str], float]:
    return {(offer.system.key, offer.worker.key): offer.dollars for offer in choose(workload).offers}


def assert_never_cheaper(less: Workload, more: Workload) -> None:
    before, after = dollars(less), dollars(more)
    assert {key: (before[key], after[key]) for key in before if after[key] < before[key] * (1 - 1e-9)} == {}


@settings(max_examples=200, deadline=None)
@given(WORKLOADS, st.floats(1, 10))
def test_more_messages_are_never_cheaper(workload: Workload, times: float) -> None:
    assert_never_cheaper(workload, replace(workload, messages_a_day=workload.messages_a_day * times))


@settings(max_examples=100, deadline=None)
@given(WORKLOADS, st.floats(1, 3))
def test_a_longer_handler_and_a_longer_replay_are_never_cheaper(workload: Workload, times: float) -> None:
    assert_never_cheaper(workload, replace(workload, handler_seconds=workload.handler_seconds * times))
    assert_never_cheaper(workload, replace(workload, replay=workload.replay * times))


@settings(max_examples=100, deadline=None)
@given(WORKLOADS)
def test_a_reader_more_and_single_sends_are_never_cheaper(workload: Workload) -> None:
    assert_never_cheaper(workload, replace(workload, readers=workload.readers + 1))
    assert_never_cheaper(replace(workload, sending="batched"), replace(workload, sending="single"))


@settings(max_examples=100, deadline=None)
@given(WORKLOADS, st.floats(1, 10))
def test_more_messages_remove_no_obstacle(workload: Workload, times: float) -> None:
    def possible(each: Workload) -> set[str]:
        return {offer.system.key for offer in choose(each).possible}

    assert possible(replace(workload, messages_a_day=workload.messages_a_day * times)) <= possible(workload)


@settings(max_examples=100, deadline=None)
@given(WORKLOADS)
def test_a_possible_offer_is_within_every_limit_and_its_python_can_be_parsed(workload: Workload) -> None:
    for offer in choose(workload).possible:
        assert offer.breaks_first.share <= 1
        assert offer.breaks_first.grows
        ast.parse("\n".join(offer.code))
        assert 1 <= len(offer.code) <= 3


def test_what_breaks_first_is_what_more_messages_reach_first() -> None:
    workload = Workload(messages_a_day=1_000_000_000, ordering="key", keys=1_000_000)
    [express] = [each for each in choose(workload).possible if each.system.key == "msk-express"]

    assert express.breaks_first.sentence == "MB a second into these brokers: 69 of 94 (74 %)"


def test_the_cheapest_comes_first_with_its_cheapest_workers() -> None:
    small = choose(Workload(messages_a_day=10_000)).possible
    large = choose(Workload(messages_a_day=100_000_000)).possible

    assert (small[0].system.key, small[0].worker.key) == ("sqs", "lambda")
    assert (large[0].system.key, large[0].worker.key) == ("sqs", "fargate")
    assert [offer.dollars for offer in large] == sorted(offer.dollars for offer in large)


def test_a_latency_below_the_time_of_a_further_task_keeps_those_of_the_busiest_minutes() -> None:
    spiky = Workload(messages_a_day=10_000_000, peak=20)

    def tasks(latency: float | None) -> float:
        [fargate, *_] = choose(replace(spiky, latency=latency)).with_workers("sqs")
        return fargate.work.dollars / 7.20875

    assert tasks(None) == pytest.approx(1.6534, abs=0.0001)
    assert tasks(150) == pytest.approx(1.6534, abs=0.0001)
    assert tasks(149) == pytest.approx(23.148, abs=0.001)


def test_a_worker_with_more_tasks_than_the_default_names_them_and_gets_as_many_partitions() -> None:
    choice = choose(Workload(messages_a_day=100_000_000, losing="rarely"))
    code = {offer.system.key: "\n".join(offer.code) for offer in choice.possible}

    assert "scaling=Scaling.for_latency(max_tasks=50)" in code["sqs"]
    assert "partitions=50, retention=Duration.days(1)" in code["msk-express"]


def test_a_function_makes_its_queue_itself() -> None:
    def code(**changes: object) -> tuple[str, ...]:
        found = choose(replace(Workload(messages_a_day=100_000_000), **changes)).offers
        return next(each.code for each in found if each.worker.key == "lambda" and each.possible)

    assert code() == (
        'QueueFunction(self, "Apply", image=image, command="shop.apply", batch_window=Duration.seconds(1), '
        "max_concurrency=62)",
    )
    assert code(ordering="key", messages_a_day=1_000, handler_seconds=100) == (
        'QueueFunction(self, "Apply", image=image, command="shop.apply", fifo=True, '
        "max_processing=Duration.seconds(200))",
    )
    assert code(readers=2, messages_a_day=1_000, latency=0.1) == (
        'apply = QueueFunction(self, "Apply", image=image, command="shop.apply")  # one a reader',
        "apply.subscribe(topic)",
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"messages_a_day": 0}, "0 is out of range for messages a day; give 1 to 1e+13."),
        ({"size": float("nan")}, "nan is out of range for size; give 1 to 1e+09."),
        ({"peak": 0.5}, "0.5 is out of range for peak; give 1 to 100000."),
        ({"latency": -1}, "-1 is out of range for latency; give 0.0001 to 2.592e+06."),
    ],
)
def test_a_number_out_of_range_is_one_sentence(changes: dict[str, float], sentence: str) -> None:
    with pytest.raises(ChoosingError) as raised:
        replace(Workload(messages_a_day=1), **changes)
    assert str(raised.value) == sentence


def test_as_json_everything_is_there() -> None:
    found = json.loads(json.dumps(choose(Workload(messages_a_day=10_000_000, ordering="key")).as_json()))

    assert [each["key"] for each in found["systems"]] == [
        "sqs",
        "sqs-fifo",
        "sns-sqs",
        "msk-serverless",
        "msk-express",
        "msk-standard",
        "redis-stream",
        "redis-list",
    ]
    fifo = found["systems"][1]
    assert found["cheapest"][0] == {"system": "sqs-fifo", "worker": "fargate", "dollars": 57.65}
    assert [worker["key"] for worker in fifo["workers"]] == ["fargate", "lambda", "keda"]
    assert sum(fifo["workers"][0]["broker"].values()) + sum(fifo["workers"][0]["work"].values()) == pytest.approx(
        57.65, abs=0.02
    )
    assert found["systems"][0]["cannot"][0]["why"] == "a standard queue keeps no order"
    assert found["prices"]["region"] == "us-east-1"
    assert "msk.express_gigabyte_month" in {each["name"] for each in found["prices"]["not_confirmed"]}
