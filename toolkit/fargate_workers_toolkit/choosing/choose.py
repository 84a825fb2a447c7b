"""What a workload can be carried by, and what that costs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fargate_workers_toolkit.choosing import kafka, queues, redis
from fargate_workers_toolkit.choosing.gauges import Gauge
from fargate_workers_toolkit.choosing.system import System
from fargate_workers_toolkit.choosing.workers import WORKERS, Worker
from fargate_workers_toolkit.choosing.workload import Workload
from fargate_workers_toolkit.cost import Bill, Price, Prices, read_prices

#: Every system, in the order of the table.
SYSTEMS: tuple[Callable[[Workload, Prices], System], ...] = (
    queues.standard_queue,
    queues.fifo_queue,
    queues.fan_out,
    kafka.serverless,
    kafka.express,
    kafka.standard,
    redis.stream,
    redis.simple_list,
)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One system, drained by one kind of worker.

    Args:
        system: The system.
        worker: The worker.
        broker: What the system costs a month when such workers read from it.
        work: What the workers cost a month.
    """

    system: System
    worker: Worker
    broker: Bill
    work: Bill

    @property
    def dollars(self) -> float:
        """What both cost a month."""
        return self.broker.dollars + self.work.dollars

    @property
    def possible(self) -> bool:
        """Whether nothing stands against either."""
        return not self.system.obstacles and not self.worker.obstacles

    @property
    def breaks_first(self) -> Gauge:
        """The limit that more messages of the same kind reach first."""
        gauges = (*self.system.gauges, *self.worker.gauges)
        return max((gauge for gauge in gauges if gauge.grows), key=lambda gauge: gauge.share)

    @property
    def code(self) -> tuple[str, ...]:
        """The lines of Python that make both."""
        return self.worker.code or self.system.code


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Everything that was found for a workload.

    Args:
        workload: The workload.
        prices: The prices.
        systems: Every system, possible or not.
        offers: Every system with every kind of worker, possible or not.
    """

    workload: Workload
    prices: Prices
    systems: tuple[System, ...]
    offers: tuple[Offer, ...]

    @property
    def possible(self) -> tuple[Offer, ...]:
        """For each system that can, the offer with the cheapest workers, cheapest first."""
        best: dict[str, Offer] = {}
        for offer in sorted(self.offers, key=lambda each: each.dollars):
            if offer.possible:
                best.setdefault(offer.system.key, offer)
        return tuple(best.values())

    @property
    def unsure(self) -> tuple[Price, ...]:
        """The prices that are in some possible bill and not confirmed."""
        found = {
            price.name: price for offer in self.possible for bill in (offer.broker, offer.work) for price in bill.unsure
        }
        return tuple(found.values())

    def with_workers(self, key: str) -> tuple[Offer, ...]:
        """The offers of one system, one for each kind of worker.

        Args:
            key: The key of the system.
        """
        return tuple(offer for offer in self.offers if offer.system.key == key)

    def as_json(self) -> Mapping[str, Any]:
        """The choice as JSON has it, dollars rounded to cents."""
        workload = {name: getattr(self.workload, name) for name in self.workload.__dataclass_fields__}
        return {
            "workload": workload,
            "prices": {
                "region": self.prices.region,
                "date": self.prices.date.isoformat(),
                "not_confirmed": [
                    {"name": price.name, "dollars": price.dollars, "status": price.status} for price in self.unsure
                ],
            },
            "cheapest": [
                {"system": offer.system.key, "worker": offer.worker.key, "dollars": round(offer.dollars, 2)}
                for offer in self.possible
            ],
            "systems": [self._system_as_json(system) for system in self.systems],
        }

    def _system_as_json(self, system: System) -> Mapping[str, Any]:
        return {
            "key": system.key,
            "name": system.name,
            "cannot": [{"why": each.text, "source": each.source} for each in system.obstacles],
            "remarks": list(system.remarks),
            "workers": [_offer_as_json(offer) for offer in self.with_workers(system.key)],
        }


def choose(workload: Workload, prices: Prices | None = None) -> Choice:
    """Hold every system and every kind of worker against a workload.

    Args:
        workload: The workload.
        prices: The prices. Defaults to those that come with the toolkit.
    """
    prices = read_prices() if prices is None else prices
    systems = tuple(system(workload, prices) for system in SYSTEMS)
    return Choice(
        workload=workload,
        prices=prices,
        systems=systems,
        offers=tuple(_offer(system, worker(workload, prices, system)) for system in systems for worker in WORKERS),
    )


def _offer(system: System, worker: Worker) -> Offer:
    return Offer(
        system=system,
        worker=worker,
        broker=Bill(system.lines + system.reading.get(worker.key, ())),
        work=Bill(worker.lines),
    )


def _offer_as_json(offer: Offer) -> Mapping[str, Any]:
    return {
        "key": offer.worker.key,
        "cannot": [{"why": each.text, "source": each.source} for each in offer.worker.obstacles],
        "size": offer.worker.size,
        "breaks_first": offer.breaks_first.sentence,
        "dollars": round(offer.dollars, 2) if offer.possible else None,
        "broker": {line.what: round(line.dollars, 2) for line in offer.broker.lines} if offer.possible else {},
        "work": {line.what: round(line.dollars, 2) for line in offer.work.lines} if offer.possible else {},
        "code": list(offer.code),
    }
