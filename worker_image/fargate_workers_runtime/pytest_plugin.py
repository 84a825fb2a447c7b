"""A pytest plugin: the fixture `memory_worker`, for tests of handlers without AWS.

pytest finds it where this package is installed. Elsewhere, write into the conftest.py at the top:
`pytest_plugins = ["fargate_workers_runtime.pytest_plugin"]`.

    @pytest.fixture
    def orders(memory_worker):
        return memory_worker(handle, schema=ORDER_SCHEMA, idempotency_key="/order_id")

    def test_an_order_is_shipped_once(orders, carrier):
        orders.send({"order_id": "1"})
        orders.send({"order_id": "1"})
        orders.run()
        assert carrier.shipped == ["1"]

    def test_an_unknown_currency_is_for_a_person_to_look_at(orders):
        orders.send({"order_id": "1", "currency": "XXX"})
        orders.run()
        assert [letter.reason for letter in orders.dead_letters] == ["unknown currency"]

    def test_a_carrier_that_is_down_is_asked_again(orders, carrier):
        carrier.down = True
        orders.send({"order_id": "1"})
        orders.run()
        carrier.down = False
        orders.wait(timedelta(minutes=15))
        orders.run()
        assert carrier.shipped == ["1"]

    def test_the_order_and_its_invoice_are_written_together(orders):
        orders.send({"order_id": "1"})
        orders.run()
        assert orders.transactions == [[put_order("1"), put_invoice("1")]]

A test that fails shows what became of each message.
"""

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fargate_workers_runtime.testing import MemoryWorker


@pytest.fixture
def memory_worker(request: Any) -> "Callable[..., MemoryWorker]":
    """Makes a whole worker around a handler, with queue, claims and clock in memory; takes what MemoryWorker takes."""
    # Imported on first use: every pytest run on this machine loads the plugin.
    from fargate_workers_runtime.testing import MemoryWorker  # noqa: PLC0415

    workers = _workers(request.node)

    def make(*arguments: Any, **options: Any) -> MemoryWorker:
        worker = MemoryWorker(*arguments, **options)
        workers.append(worker)
        return worker

    return make


@pytest.hookimpl(hookwrapper=True)  # not `wrapper`, which pytest 7.3 does not know
def pytest_runtest_makereport(item: Any) -> Generator[None, Any, None]:
    report = (yield).get_result()
    if report.failed:
        report.sections += [("messages", str(worker)) for worker in _workers(item)]


def _workers(item: Any) -> "list[MemoryWorker]":
    # In a plain attribute: every pytest in the environment loads the plugin, old ones without a stash too.
    return item.__dict__.setdefault("_memory_workers", [])
