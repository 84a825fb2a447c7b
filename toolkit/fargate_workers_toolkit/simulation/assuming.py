"""The assumptions that a command lets people change, as `name=value`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.assumptions import Assumptions


@dataclass(frozen=True, kw_only=True)
class Changeable:
    """One assumption that may be changed.

    Args:
        means: The meaning of the number, in few words. Defaults to none.
        most: The most it may be; the least is 0. Defaults to no bound.
        words: The words it may be instead of a number. Defaults to none: it is a number.
    """

    means: str = ""
    most: float = math.inf
    words: Sequence[str] = ()

    def read(self, text: str) -> float | str | None:
        """The value of a text; None for what it may not be."""
        if self.words:
            return text if text in self.words else None
        try:
            value = float(text)
        except ValueError:
            return None
        return value if 0 <= value <= self.most and math.isfinite(value) else None

    @property
    def wanted(self) -> str:
        if self.words:
            return " or ".join(self.words)
        return "a number of 0 or more" if self.most == math.inf else f"a number from 0 to {self.most:g}"


CHANGEABLE: Mapping[str, Changeable] = {
    "queue_lag": Changeable(means="seconds until a minute of SQS's metrics is seen", most=3600),
    "launch_median": Changeable(means="seconds from a task's launch until it works", most=3600),
    "failed_starts": Changeable(means="share of launches that fail", most=0.9),
    "spot_interruptions": Changeable(means="of a task on Spot, an hour", most=60),
    "starting_point": Changeable(words=("running", "desired")),
    "service_times": Changeable(words=("exponential", "fixed")),
}


def assuming(given: Sequence[str]) -> Assumptions:
    """The default assumptions with the given ones in their place.

    Args:
        given: The changes, each as `name=value`.

    Raises:
        SimulationError: A name or a value is not known.
    """
    changes: dict[str, float | str] = {}
    for each in given:
        name, _, text = each.partition("=")
        known = CHANGEABLE.get(name)
        if known is None:
            raise SimulationError(
                f"--assume {each}: {name or 'nothing'} is no assumption; write name=value with one of "
                f"{', '.join(CHANGEABLE)}."
            )
        value = known.read(text)
        if value is None:
            raise SimulationError(f"--assume {each}: {name} is {known.wanted}, such as {name}={_default(name)}.")
        changes[name] = value
    return replace(Assumptions(), **changes)  # type: ignore[arg-type]


def listed() -> str:
    """All changeable assumptions with their defaults, for a help text."""
    return "; ".join(f"{name}={_default(name)} ({each.means or each.wanted})" for name, each in CHANGEABLE.items())


def _default(name: str) -> str:
    value: float | str = getattr(Assumptions(), name)
    return value if isinstance(value, str) else f"{value:g}"
