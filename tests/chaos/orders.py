"""What is sent: orders of several kinds, most of them healthy, in groups if the queue is FIFO."""

import json
import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

Does = Literal[
    "plain",
    "transact",
    "flaky",
    "slow",
    "overrun",
    "deaf",
    "block",
    "doomed",
    "refuse",
    "not JSON",
    "wrong shape",
    "kill",
    "kill twice",
]

#: Reasons of those that never have an effect, as their letters say them; `doomed` has one once it is redriven.
POISON: dict[str, str] = {"refuse": "refused", "not JSON": "not JSON", "wrong shape": "schema: "}

#: Of a thousand messages, how many do what, by the fault that asks for them.
_ODD: dict[str, dict[Does, int]] = {
    "poison": {"refuse": 10, "not JSON": 10, "wrong shape": 10},
    "flaky": {"flaky": 40},
    "doomed": {"doomed": 10},
    "slow": {"slow": 4},
    "overrun": {"overrun": 4},
    "deaf": {"deaf": 1},
    "block": {"block": 6},
    "killer": {"kill twice": 2},
}
#: Faults that only a coroutine can have, or after which a run with functions would last longer.
OF_COROUTINES = {"overrun", "deaf", "block"}

#: Of a thousand messages, how many a producer sends once more.
_TWICE = 40
_GROUP = 25

#: A message that always kills its process takes many visibility timeouts to be given up: only large runs have one.
_ENOUGH_FOR_A_KILLER = 1_000


@dataclass(frozen=True, kw_only=True)
class Order:
    """One order.

    Attributes:
        fails: How often its handler fails before it succeeds.
        times: How often it is sent.
        group: Its FIFO group.
        position: Where it stands in the sending.
    """

    key: str
    does: Does
    fails: int = 0
    times: int = 1
    group: str | None = None
    position: int = 0

    @property
    def wanted(self) -> bool:
        """It shall have an effect, if only after a redrive."""
        return self.does not in POISON

    @property
    def healthy(self) -> bool:
        """It has no business in a dead-letter queue."""
        return self.wanted and self.does not in ("doomed", "kill")

    @property
    def body(self) -> str:
        if self.does == "not JSON":
            return f'{{"order_id": "{self.key}"'
        if self.does == "wrong shape":
            return json.dumps({"order_id": self.key})
        return json.dumps({"order_id": self.key, "does": self.does, "fails": self.fails})


def orders(
    messages: int, *, fifo: bool, faults: Collection[str], transact: bool, most_failures: int, chosen: random.Random
) -> list[Order]:
    """`messages` orders, chosen anew by each seed; at least one of each kind that the faults ask for.

    Args:
        transact: Whether the claims take transactions.
        most_failures: How often a flaky one may fail at most, so that it succeeds in the end.
    """
    odd = {does: share for fault, kinds in _ODD.items() if fault in faults for does, share in kinds.items()}
    kinds: list[Does] = [*odd, "plain", *(["transact"] if transact else [])]  # type: ignore[list-item]
    plain = (1000 - sum(odd.values())) / (2 if transact else 1)
    does = chosen.choices(kinds, [*odd.values(), *[plain] * (len(kinds) - len(odd))], k=messages)
    for place, kind in zip(chosen.sample(range(messages), len(odd)), odd, strict=True):
        does[place] = kind
    if "killer" in faults and messages >= _ENOUGH_FOR_A_KILLER:
        does[chosen.randrange(messages)] = "kill"
    twice = _TWICE if "twice" in faults else 0
    return [
        Order(
            key=f"o-{number}",
            does=kind,
            fails=chosen.randint(1, most_failures) if kind == "flaky" else 0,
            times=2 if chosen.random() * 1000 < twice else 1,
            group=f"g-{chosen.randrange(max(1, messages // _GROUP))}" if fifo else None,
            position=number,
        )
        for number, kind in enumerate(does)
    ]


def sending(all_orders: list[Order], *, chosen: random.Random) -> list[tuple[Order, dict[str, Any]]]:
    """Each message to send, with the order it is of: those sent twice come again a little later."""
    whole = [(order.position + 0.0, order, 1) for order in all_orders]
    whole += [
        (order.position + chosen.uniform(1, 60), order, again)
        for order in all_orders
        for again in range(2, order.times + 1)
    ]
    return [
        (
            order,
            {
                "body": order.body,
                **({"group": order.group, "deduplication_id": f"{order.key}-{again}"} if order.group else {}),
            },
        )
        for _, order, again in sorted(whole, key=lambda each: each[0])
    ]
