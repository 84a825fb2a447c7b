"""The verdict: whether the SLO is kept and nothing is lost, in one sentence; of two services, also what that costs."""

from collections.abc import Sequence
from typing import NamedTuple

from fargate_workers_toolkit.reports.study import Study
from fargate_workers_toolkit.simulation import Result, lost


class Verdict(NamedTuple):
    """The verdict of the study judged: the only one, or the last where it is compared with the first.

    Args:
        kept: Whether it keeps the SLO.
        sentence: The verdict in words.
    """

    kept: bool
    sentence: str


def is_kept(result: Result) -> bool:
    """Whether no message is missed. The fluid engine deals in parts of messages."""
    return result.missed < 0.5


def verdict_of(studies: Sequence[Study]) -> Verdict:
    """The verdict of one study, or of the last compared with the first.

    Args:
        studies: One or two studies.
    """
    first, last = studies[0], studies[-1]
    if last is first:
        return Verdict(is_kept(first.result), _sentence(first.result))
    verb = "keeps" if is_kept(last.result) else "misses"
    before = "keeps" if is_kept(first.result) else "misses"
    also = "too" if verb == before else f"which {first.name} {before}"
    return Verdict(
        is_kept(last.result),
        f"{last.name} {verb} the SLO of {last.result.slo:g} s, {also}, {_difference(first.result, last.result)}.",
    )


def _sentence(result: Result) -> str:
    if is_kept(result):
        return f"No message is older than the SLO of {result.slo:g} s, and none is lost."
    gone = lost(result)
    late = round(result.missed) - gone
    percent = f"{result.missed_percent:.2f} %"
    if not gone:
        return f"{late:,.0f} messages, {percent}, are older than the SLO of {result.slo:g} s; none is lost."
    older = f"{late:,.0f} are older than the SLO of {result.slo:g} s" if late >= 1 else "none of the others is too old"
    return f"{gone:,.0f} messages are lost, expired or dead-lettered; {older}: {percent} missed."


def _difference(first: Result, last: Result) -> str:
    change = last.cost - first.cost
    if abs(change) < 0.005:
        return "at the same cost"
    return f"for ${abs(change):,.2f} {'more' if change > 0 else 'less'}"
