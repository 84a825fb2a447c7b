"""A choice on a terminal."""

from collections.abc import Iterator

from rich.box import HEAVY_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fargate_workers_toolkit.choosing.choose import Choice, Offer
from fargate_workers_toolkit.choosing.gauges import number
from fargate_workers_toolkit.choosing.workload import DAY, Workload

# Columns of a terminal below which a table has no room.
NARROW = 70

_ORDER = {"none": "no order", "key": "order by key", "total": "one order of all messages"}
#: What no bill has, because it is the same everywhere or depends on the rest of the system.
LEFT_OUT = (
    "Not in the bills: the network (NAT gateways, endpoints), claims, logs, metrics and alarms, free tiers, "
    "discounts, and your own hours."
)


def show(console: Console, choice: Choice) -> None:
    """Print a choice: what can, its workers, what cannot and why, the lines of Python, and what is not sure.

    Args:
        console: The terminal.
        choice: The choice.
    """
    console.print(Text(described(choice.workload), style="bold"))
    console.print()
    if choice.possible:
        _show_possible(console, choice)
    else:
        console.print(Text("Nothing can carry this workload as it stands.", style="red"))
        console.print()
    _show_obstacles(console, choice)
    for note in notes(choice):
        console.print(Text(note, style="dim"))


def described(workload: Workload) -> str:
    """A workload in one sentence.

    Args:
        workload: The workload.
    """
    parts = [
        f"{workload.messages_a_day:,.0f} messages a day of {workload.size:,.0f} bytes, sent "
        + ("ten at a time" if workload.sending == "batched" else "one by one"),
        f"{number(workload.rate)} a second, {number(workload.peak_rate)} in the busiest minutes",
        f"a handler takes {workload.handler_seconds:g} s",
        _ORDER[workload.ordering] + (f" of {workload.keys:,.0f}" if workload.ordering == "key" else ""),
        f"{workload.readers} reader{'s' if workload.readers > 1 else ''}",
        f"a replay of {workload.replay / DAY:g} days" if workload.replay else "no replay",
        "no loss" if workload.losing == "never" else "a failover may lose some",
    ]
    if workload.latency is not None:
        parts.append(f"a handler begins within {workload.latency:g} s")
    return "; ".join(parts) + "."


def notes(choice: Choice) -> Iterator[str]:
    """What a reader must know of the bills.

    Args:
        choice: The choice.
    """
    yield f"Prices of {choice.prices.region}, looked up on {choice.prices.date}. {LEFT_OUT}"
    if choice.unsure:
        names = ", ".join(f"{price.name} (${price.dollars:g}, {price.status})" for price in choice.unsure)
        yield f"Prices that nobody confirmed: {names}. Check them at {choice.unsure[0].source} before you decide."


def _show_possible(console: Console, choice: Choice) -> None:
    if console.width < NARROW:
        for offer in choice.possible:
            _show_narrow(console, offer)
    else:
        console.print(_table(choice))
    best = choice.possible[0]
    console.print(Text(f"The workers of {best.system.name}", style="bold"))
    for offer in choice.with_workers(best.system.key):
        reason = "; ".join(each.text for each in offer.worker.obstacles)
        text = f"cannot: {reason}" if reason else f"${offer.dollars:,.2f} with the broker; {offer.worker.size}"
        console.print(Text(f"{offer.worker.name}: {text}"))
    console.print()
    console.print(Text(f"{best.system.name} on {best.worker.name}, in Python", style="bold"))
    for line in best.code:
        console.print(Text(line), soft_wrap=True)
    for remark in best.system.remarks:
        console.print(Text(remark))
    console.print()


def _table(choice: Choice) -> Table:
    table = Table(title="Can, dollars a month", title_justify="left", title_style="bold", box=HEAVY_HEAD)
    table.add_column("System", overflow="fold")
    table.add_column("Workers", overflow="fold")
    for name in ("Broker", "Work", "Both"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Breaks first", overflow="fold")
    for offer in choice.possible:
        dollars = (offer.broker.dollars, offer.work.dollars, offer.dollars)
        table.add_row(
            offer.system.name, offer.worker.name, *(f"{each:,.2f}" for each in dollars), offer.breaks_first.sentence
        )
    return table


def _show_narrow(console: Console, offer: Offer) -> None:
    console.print(Text(f"{offer.system.name} on {offer.worker.name}: ${offer.dollars:,.2f}", style="bold"))
    console.print(Text(f"broker ${offer.broker.dollars:,.2f}, work ${offer.work.dollars:,.2f}"))
    console.print(Text(f"breaks first: {offer.breaks_first.sentence}"))
    console.print()


def _show_obstacles(console: Console, choice: Choice) -> None:
    impossible = [system for system in choice.systems if system.obstacles]
    if not impossible:
        return
    console.print(Text("Cannot", style="bold"))
    for system in impossible:
        for obstacle in system.obstacles:
            console.print(Text(f"{system.name}: {obstacle.text}"))
            # An address stays whole, so that it can be followed.
            console.print(Text(f"  {obstacle.source}", style="dim"), soft_wrap="://" in obstacle.source)
    console.print()
