"""One stream of orders through every queue system; a process of each is killed, and all of them agree in the end."""

import os
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from fargate_workers_toolkit.local import Check, Report, RunningSystem, check
from scenarios.every_broker.orders import Order
from scenarios.every_broker.systems import System

# So many are sent until a worker has begun, and so many when one of its processes is killed.
FIRST, SENT_BEFORE_KILL = 30, 180

# A look reads every order of a system, beside the workers and out of the same store.
LOOK_SECONDS = 1.0


class Scenario:
    """Feeds the systems and collects what came of it. Every wait ends by itself; the checks are the judge.

    Args:
        running: The deployed app.
        systems: Its queue systems.
        orders: What is sent to each of them.
    """

    def __init__(self, running: RunningSystem, *, systems: Sequence[System], orders: Sequence[Order]) -> None:
        self._running = running
        self._systems = systems
        self._orders = orders
        self._expected = {order.order_id: order.amount_cents for order in orders}
        self._killed: dict[str, int] = {}
        self._counts: dict[str, int] = {}

    def play(self) -> list[Check]:
        """Send and kill, wait, in this order; return what it came to."""
        with self._running.step("Send the orders to every system, and kill a process of each amid them") as report:
            # Side by side: the waits for what the killed processes had overlap.
            with ThreadPoolExecutor(len(self._systems)) as threads:
                list(threads.map(self._feed, self._systems))
            report(f"{len(self._orders)} messages to each of {len(self._systems)}, {len(self._killed)} killed")
        with self._running.step("Wait until every order is written") as report:
            self._running.wait_for(lambda: self._is_done(report), every=LOOK_SECONDS)
        with self._running.step("Look at what happened"):
            return [check for system in self._systems for check in self._checks(system)]

    def _feed(self, system: System) -> None:
        """Send a system its orders; amid them, end one of its processes."""
        system.send(self._orders[:FIRST])
        self._running.wait_for(system.written, every=0.5)
        system.send(self._orders[FIRST:SENT_BEFORE_KILL])
        self._running.wait_for(lambda: self._kill(system), within=60, every=0.2)
        system.send(self._orders[SENT_BEFORE_KILL:])

    def _kill(self, system: System) -> bool:
        """End a process of a system; true once it is done."""
        for pid in system.processes()[:1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self._killed[system.name] = len(system.written())
        return system.name in self._killed

    def _is_done(self, report: Report) -> bool:
        for system in self._systems:
            if self._counts.get(system.name, 0) < len(self._expected):
                self._counts[system.name] = len(system.written())
        report(", ".join(f"{name} {count}" for name, count in self._counts.items()))
        return all(count >= len(self._expected) for count in self._counts.values())

    def _checks(self, system: System) -> list[Check]:
        written = system.written()
        wrong = sorted(
            order for order in self._expected.keys() | written.keys() if self._expected.get(order) != written.get(order)
        )
        return [
            check(
                f"{system.name}: every order is written as it was sent",
                expected=f"{len(self._expected)} orders",
                seen=f"{len(written)} orders" + (f"; wrong: {', '.join(wrong[:3])}" if wrong else ""),
                passed=not wrong,
            ),
            check(
                f"{system.name}: a process was killed",
                expected="amid the work",
                seen=f"after {self._killed[system.name]} orders" if system.name in self._killed else "none",
                passed=self._killed.get(system.name, len(self._expected)) < len(self._expected),
            ),
        ]
