"""The fixture by which users test their handlers, as their tests use it."""

import sys
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fargate_workers_runtime import Message, PoisonMessage, Retry, pytest_plugin
from fargate_workers_runtime.testing import MemoryWorker

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]


class Carrier:
    def __init__(self) -> None:
        self.down = False
        self.shipped: list[str] = []

    def handle(self, message: Message) -> None:
        if message.body.get("currency") == "XXX":
            raise PoisonMessage("unknown currency", detail="XXX")
        if self.down:
            raise Retry("the carrier is down", after=timedelta(minutes=5))
        self.shipped.append(message.body["order_id"])


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()


@pytest.fixture
def orders(carrier: Carrier) -> MemoryWorker:
    return MemoryWorker(
        carrier.handle,
        schema={"properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
        idempotency_key="/order_id",
    )


def bodies(messages: list[Message]) -> list[Any]:
    return [message.body for message in messages]


def test_messages_are_handled_in_the_order_they_were_sent_and_once_a_key(
    orders: MemoryWorker, carrier: Carrier
) -> None:
    for order in ("1", "2", "1", "3"):
        orders.send({"order_id": order})
    orders.run()
    assert carrier.shipped == ["1", "2", "3"]
    assert bodies(orders.handled) == [{"order_id": "1"}, {"order_id": "2"}, {"order_id": "3"}]
    assert orders.queue.empty


def test_poison_is_a_dead_letter_with_its_reason(orders: MemoryWorker, carrier: Carrier) -> None:
    orders.send({"order_id": "1", "currency": "XXX"})
    orders.send({"order_id": 2})
    orders.send("{")
    orders.run()
    assert {letter.delivery.text: letter.reason for letter in orders.dead_letters} == {
        '{"order_id": "1", "currency": "XXX"}': "unknown currency",
        '{"order_id": 2}': "schema: /properties/order_id/type",
        "{": "not JSON",
    }
    assert (orders.handled, orders.retried) == ([], [])


def test_a_failure_is_stepped_through_without_sleeping(orders: MemoryWorker, carrier: Carrier) -> None:
    carrier.down = True
    orders.send({"order_id": "1"})
    orders.run()
    (retried,) = orders.retried
    assert (str(retried.error), retried.seconds) == ("the carrier is down", 300)
    carrier.down = False
    orders.wait(299)
    orders.run()
    assert carrier.shipped == []
    orders.wait(timedelta(seconds=1))
    orders.run()
    assert carrier.shipped == ["1"]
    assert [(message.receive_count, message.attempt) for message in orders.handled] == [(2, 2)]


def test_settling_goes_on_until_each_message_is_handled_or_dead(orders: MemoryWorker, carrier: Carrier) -> None:
    carrier.down = True
    orders.send({"order_id": "1"})
    began = orders.clock()
    orders.settle()
    assert orders.queue.empty
    assert len(orders.retried) == 9
    assert orders.clock() - began == 9 * 300
    (letter,) = orders.dead_letters
    assert letter.delivery.receive_count == 10
    assert "the carrier is down" in letter.detail


def test_a_back_off_of_the_workers_own_passes_too() -> None:
    def fail_twice(message: Message) -> None:
        if message.receive_count < 3:
            raise ValueError(message.receive_count)

    worker = MemoryWorker(fail_twice)
    worker.send({})
    worker.settle()
    assert [retried.error.args for retried in worker.retried] == [(1,), (2,)]
    assert [message.receive_count for message in worker.handled] == [3]


def test_transactions_are_there_to_look_at() -> None:
    def handle(message: Message) -> None:
        message.transact([{"Put": {"TableName": "orders", "Item": {"pk": {"S": message.body["order_id"]}}}}])

    worker = MemoryWorker(handle, idempotency_key="/order_id")
    worker.send({"order_id": "1"})
    worker.send({"order_id": "1"})
    worker.run()
    assert worker.transactions == [[{"Put": {"TableName": "orders", "Item": {"pk": {"S": "1"}}}}]]
    assert worker.queue.empty


def test_a_key_that_somebody_else_holds_waits() -> None:
    worker = MemoryWorker(lambda _message: None, idempotency_key="/order_id")
    worker.claims.claim("1", owner="somebody else", seconds=60)
    worker.send({"order_id": "1"})
    worker.run()
    assert worker.handled == []
    worker.settle()
    assert bodies(worker.handled) == [{"order_id": "1"}]


def test_groups_are_handled_in_order() -> None:
    def fail_first(message: Message) -> None:
        if message.body == 1 and message.receive_count == 1:
            raise Retry

    worker = MemoryWorker(fail_first, fifo=True)
    for n in range(4):
        worker.send(n, group_id="odd" if n % 2 else "even")
    worker.settle()
    assert bodies(worker.handled) == [0, 2, 1, 3]


def test_a_coroutine_function_is_a_handler_too() -> None:
    seen: list[Any] = []

    async def handle(message: Message) -> None:
        seen.append(message.body)

    worker = MemoryWorker(handle)
    worker.send({"n": 1}, attributes={"trace": "x"})
    worker.run()
    assert seen == [{"n": 1}]
    assert worker.handled[0].attributes == {"trace": "x"}


def test_a_worker_that_would_be_replaced_says_so(orders: MemoryWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fargate_workers_runtime.testing.memory_worker.run_once", lambda *_, **__: 1)
    with pytest.raises(RuntimeError, match="exit code 1"):
        orders.run()


def test_the_plugin_gives_the_fixture_and_a_failing_test_shows_what_became_of_each_message(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest('pytest_plugins = ["fargate_workers_runtime.pytest_plugin"]')
    pytester.makepyfile(
        """
        from datetime import timedelta
        from fargate_workers_runtime import PoisonMessage, Retry

        def handle(message):
            if message.body == "bad":
                raise PoisonMessage("unknown currency")
            if message.body == "later":
                raise Retry("the carrier is down", after=timedelta(minutes=5))

        def test_passes(memory_worker):
            worker = memory_worker(handle, idempotency_key="/id")
            worker.run()

        def test_fails(memory_worker):
            worker = memory_worker(handle)
            for body in ('"good"', '"later"', '"bad"'):
                worker.send(body)
            worker.run()
            assert not worker.handled
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=1)
    assert str(result.stdout).count("- messages -") == 1
    result.stdout.fnmatch_lines(
        [
            "*- messages -*",
            'handled      "good"',
            'retried      "later" after 300 s: Retry: the carrier is down',
            'dead letter  "bad": unknown currency',
            "queue        next message in 300 s",
        ]
    )


def test_a_test_in_this_repository_has_the_fixture(memory_worker: Callable[..., MemoryWorker]) -> None:
    worker = memory_worker(lambda _message: None)
    worker.send({})
    worker.run()
    assert worker.queue.empty


def test_a_pytest_of_years_ago_may_load_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    def hookimpl(*, hookwrapper: bool = False) -> Callable[[Any], Any]:  # as pluggy 1.0 had it
        assert hookwrapper
        return lambda function: function

    old = SimpleNamespace(fixture=pytest.fixture, hookimpl=hookimpl)
    monkeypatch.setitem(sys.modules, "pytest", cast("Any", old))
    source = Path(pytest_plugin.__file__).read_text()
    exec(compile(source, "plugin", "exec"), {"__name__": "plugin"})


def test_pytest_finds_the_plugin_where_the_runtime_is_installed() -> None:
    project = tomllib.loads((ROOT / "worker_image" / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"fargate_workers": "fargate_workers_runtime.pytest_plugin"}


def test_the_plugin_costs_other_test_runs_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        check=f"""
        import sys
        sys.path.insert(0, {str(ROOT / "worker_image")!r})
        import fargate_workers_runtime.pytest_plugin
        assert not {{"boto3", "botocore", "jsonschema_rs", "redis"}} & set(sys.modules)
        """
    )
    assert pytester.runpython("check.py").ret == 0


def test_the_failures_of_a_groups_first_are_not_charged_to_the_rest() -> None:
    failed: list[int] = []

    def handle(message: Message) -> None:
        if message.body["n"] == 0 or message.body["n"] not in failed:
            failed.append(message.body["n"])
            raise Retry("its first failure, or the first's fifth")

    orders = MemoryWorker(handle, idempotency_key="/n", fifo=True, max_receive_count=5)
    for number in range(10):
        orders.send({"n": number}, group_id="a")
    orders.settle()
    assert [message.body["n"] for message in orders.handled] == list(range(1, 10))
    assert [letter.reason for letter in orders.dead_letters] == ["failed 5 times"]
