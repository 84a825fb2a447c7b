"""Loads from CSV files: one timestamp a message, or timestamps and counts."""

import csv
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.simulation.errors import SimulationError
from fargate_workers_toolkit.simulation.load import Counts, Load

LONGEST = 366 * 86_400


def load_from_csv(path: Path, *, work_seconds: float = 0.5) -> Load:
    """A load from a file with one column, the moments at which messages were sent; or with two, moments and counts.

    Moments are seconds (of any clock) or ISO 8601, and ascend; a count belongs to the interval from its moment to the
    next, and is spread over it evenly. A first row of names is skipped. Raises SimulationError, in one sentence.
    """
    rows = _rows(path)
    wrong = next((number for number, row in rows if not _is_moment(row[0])), None)
    if wrong is not None:
        raise SimulationError(f"{path} line {wrong}: neither seconds nor an ISO 8601 time.")
    moments = np.array([_moment(row[0]) for _, row in rows])
    falls = np.flatnonzero(np.diff(moments) < 0)
    if len(falls):
        raise SimulationError(f"{path} line {rows[int(falls[0]) + 1][0]}: earlier than the line before; sort the file.")
    if moments[-1] - moments[0] > LONGEST:
        raise SimulationError(f"{path} spans more than a year; begin it later, or look for a wrong first moment.")
    if len(rows[0][1]) == 1:
        seconds = np.floor(moments - moments[0]).astype(np.int64)
        return Load(name=path.stem, arrivals=np.bincount(seconds), work_seconds=work_seconds)
    counts = np.array([_count(path, number, row) for number, row in rows], dtype=np.int64)
    if not counts.any():
        raise SimulationError(f"{path} has no messages.")
    return Load(name=path.stem, arrivals=_spread(moments, counts), work_seconds=work_seconds)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Line numbers and fields, without a first row of names."""
    try:
        with path.open(newline="") as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file), start=1) if any(row)]
    except (OSError, UnicodeDecodeError):
        raise SimulationError(f"{path} cannot be read as a CSV file.") from None
    if rows and not _is_moment(rows[0][1][0]):
        rows = rows[1:]
    if not rows:
        raise SimulationError(f"{path} has no messages.")
    widths = {len(row) for _, row in rows}
    if len(widths) > 1 or not widths <= {1, 2}:
        raise SimulationError(f"{path} must have one column (moments) or two (moments, counts), the same in every row.")
    return rows


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _is_moment(text: str) -> bool:
    try:
        return math.isfinite(_moment(text))
    except ValueError:
        return False


def _count(path: Path, number: int, row: list[str]) -> int:
    try:
        count = int(row[1])
    except ValueError:
        raise SimulationError(f"{path} line {number}: {row[1]!r} is not a whole number of messages.") from None
    if count < 0:
        raise SimulationError(f"{path} line {number}: {count} messages; a count is 0 or more.")
    return count


def _spread(moments: NDArray[np.float64], counts: Counts) -> Counts:
    """Each count over the seconds until the next moment, as evenly as whole messages can be."""
    begins = np.floor(moments - moments[0]).astype(np.int64)
    usual = int(np.median(np.diff(begins))) if len(begins) > 1 else 60
    ends = np.append(begins[1:], begins[-1] + max(usual, 1))
    arrivals = np.zeros(int(ends[-1]), dtype=np.int64)
    for begin, end, count in zip(begins, ends, counts, strict=True):
        length = max(int(end - begin), 1)
        steps = np.arange(length + 1) * int(count) // length
        arrivals[begin : begin + length] += np.diff(steps)
    return arrivals
