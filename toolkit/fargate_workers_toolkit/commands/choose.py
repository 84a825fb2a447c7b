"""`fargate-workers choose`."""

import json
import os
import sys
from typing import Annotated

import typer
from rich.console import Console

from fargate_workers_toolkit.choosing import (
    Losing,
    Ordering,
    Sending,
    Workload,
    messages_a_day,
    seconds,
    show,
    size,
)
from fargate_workers_toolkit.choosing import choose as chosen

Messages = Annotated[str, typer.Option("--messages", help="How many messages are sent: 10M/day, 100/s, 5k/min.")]
Size = Annotated[str, typer.Option("--size", help="How large a message is: 2KB, 1MiB.")]
Order = Annotated[Ordering, typer.Option(help="Whether messages keep their order: those of a key, or all of them.")]
Keys = Annotated[float, typer.Option(min=1, help="Keys among which the messages are spread, with --ordering key.")]
Replay = Annotated[str, typer.Option(help="For how long handled messages can be read again: 7d.")]
Readers = Annotated[int, typer.Option(min=1, help="Independent readers, each of which handles every message.")]
Latency = Annotated[
    str | None, typer.Option(help="The time within which a handler begins: 50ms. Default: minutes are fine.")
]
Lose = Annotated[Losing, typer.Option(help="Whether a failover may lose the newest messages.")]
Send = Annotated[Sending, typer.Option(help="How messages are sent: ten at a time, or one by one.")]
Handler = Annotated[str, typer.Option(help="What a handler takes for one message, most of it waiting: 100ms.")]
Peak = Annotated[float, typer.Option(min=1, help="The rate of the busiest minutes, in times the mean of the day.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def choose(
    messages: Messages,
    *,
    message_size: Size = "2KB",
    ordering: Order = "none",
    keys: Keys = 1_000,
    replay: Replay = "0",
    readers: Readers = 1,
    latency: Latency = None,
    lose: Lose = "never",
    send: Send = "batched",
    handler: Handler = "100ms",
    peak: Peak = 3,
    as_json: Json = False,
) -> None:
    """Show which system of messages can carry a workload, which cannot and why, and what each costs a month.

    Such as: fargate-workers choose --messages 10M/day --size 2KB --ordering key --replay 7d --readers 3

    Ends with 0, with 1 when nothing can carry it, with 2 for what is no workload.
    """
    choice = chosen(
        Workload(
            messages_a_day=messages_a_day(messages),
            size=size(message_size),
            ordering=ordering,
            keys=keys,
            replay=seconds(replay),
            readers=readers,
            latency=None if latency is None else seconds(latency),
            losing=lose,
            sending=send,
            handler_seconds=seconds(handler),
            peak=peak,
        )
    )
    if as_json:
        sys.stdout.write(json.dumps(choice.as_json(), indent=2) + "\n")
    else:
        # A log has no width of its own.
        known = sys.stdout.isatty() or "COLUMNS" in os.environ
        show(Console(width=None if known else 120, highlight=False), choice)
    if not choice.possible:
        raise typer.Exit(1)
