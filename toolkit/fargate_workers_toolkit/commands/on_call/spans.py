"""Spans of time as they are typed: `90s`, `15m`, `2h`, `1d12h`."""

import re

import typer

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SPAN = re.compile(r"(?:\d+[smhd])+")


def seconds_of(text: str) -> float:
    """The seconds of a span.

        >>> seconds_of("1h30m")
        5400.0

    Args:
        text: The span.

    Raises:
        typer.BadParameter: It is none.
    """
    if _SPAN.fullmatch(text) is None:
        raise typer.BadParameter(f'"{text}" is no span of time; write, for example, 90s, 15m, 2h or 1d12h.')
    return float(sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhd])", text)))
