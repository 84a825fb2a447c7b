"""Loads from CSV files: moments at which messages were sent, or counts of them."""

import csv
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from fargate_workers_toolkit.simulation.errors import SimulationError
from fargate_workers_toolkit.simulation.loads.load import Counts, Load

# What a load may take of memory, whatever the file holds.
LONGEST = 366 * 86_400
LONGEST_LINE = 4_096
MOST_MESSAGES = 10**9

# As a moment in seconds this lies beyond the year 5000: it is in milliseconds.
LATEST = 1e11

TIMES = frozenset({"at", "date", "datetime", "minute", "moment", "second", "time", "timestamp"})
COUNTS = frozenset({"arrivals", "count", "counts", "messages", "number", "numberofmessagessent", "sum", "value"})


def load_from_csv(path: Path, *, work_seconds: float = 0.5, interval: float | None = None) -> Load:
    """A load from a file of moments, one a message; of moments and counts; or, with an interval, of counts alone.

    Moments are seconds (of any clock) or ISO 8601, and ascend; a count belongs to the time from its moment to the next,
    and is spread over it evenly. A first line may name the columns; else moments come before counts.

    interval: Seconds from one count to the next.
    Raises SimulationError, in one sentence.
    """
    if interval is not None and not (math.isfinite(interval) and interval > 0):
        raise SimulationError(f"An interval of {interval:g} s lies between no two counts; make it more than 0.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            arrivals = _Table(path, file).arrivals(interval)
    except UnicodeDecodeError:
        raise SimulationError(f"{path} is not text in UTF-8; save it as CSV in UTF-8.") from None
    except OSError as error:
        raise SimulationError(f"{path} cannot be read as a CSV file: {error.strerror}.") from None
    if not arrivals.any():
        raise SimulationError(f"{path} has no messages.")
    return Load(name=path.stem, arrivals=arrivals, work_seconds=work_seconds)


class _Row(NamedTuple):
    line: int
    cells: list[str]


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """Which column holds what; None where there is none."""

    moment: int | None
    count: int | None


class _Table:
    """A file, a line at a time: it may be larger than memory."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path = path
        self._file = file
        self._begin = 0.0
        self._last = -math.inf

    def arrivals(self, interval: float | None) -> Counts:
        rows = self._rows()
        first = next(rows, None)
        names = None if first is None or any(_is_number(cell) or _is_moment(cell) for cell in first.cells) else first
        if names is not None:
            first = next(rows, None)
        if first is None:
            raise SimulationError(f"{self._path} has no messages.")
        columns = self._columns(names, width=len(first.cells), interval=interval)
        width = len((names or first).cells)
        counted = self._counted(first, rows, columns, width=width, interval=interval)
        return _by_second(counted) if columns.count is None else _spread(counted, interval=interval)

    def _rows(self) -> Iterator[_Row]:
        reader = csv.reader(self._lines())
        try:
            for cells in reader:
                stripped = [cell.strip() for cell in cells]
                if any(stripped):
                    yield _Row(reader.line_num, stripped)
        except csv.Error as error:
            raise self._wrong(reader.line_num, f"{error}") from None

    def _lines(self) -> Iterator[str]:
        for number, line in enumerate(iter(partial(self._file.readline, LONGEST_LINE), ""), start=1):
            if len(line) == LONGEST_LINE:
                raise self._wrong(number, "longer than any moment and count; is it a CSV file?")
            yield line

    def _columns(self, names: _Row | None, *, width: int, interval: float | None) -> _Columns:
        known = [] if names is None else ["".join(filter(str.isalpha, name.lower())) for name in names.cells]
        moments = [index for index, name in enumerate(known) if name in TIMES]
        counts = [index for index, name in enumerate(known) if name in COUNTS]
        if interval is not None:
            if moments or (width > 1 and len(counts) != 1):
                raise SimulationError(f"{self._path} has more columns than counts; --interval goes with counts alone.")
            return _Columns(moment=None, count=counts[0] if counts else 0)
        if width == 1 and counts:
            raise SimulationError(f"{self._path} has only counts; say with --interval how many seconds each covers.")
        if width == 1:
            return _Columns(moment=0, count=None)
        if width == 2 and names is None:
            return _Columns(moment=0, count=1)
        if width == 2 and len(moments) + len(counts) == 1:
            moments, counts = moments or [1 - counts[0]], counts or [1 - moments[0]]
        if len(moments) == len(counts) == 1:
            return _Columns(moment=moments[0], count=counts[0])
        found = "without names" if names is None else f"named {', '.join(names.cells)}"
        raise SimulationError(
            f"{self._path} has {width} columns {found}; it needs one column (moments) or two (moments, counts), or "
            "names in its first line: time and count."
        )

    def _counted(
        self, first: _Row, rows: Iterator[_Row], columns: _Columns, *, width: int, interval: float | None
    ) -> Iterator[tuple[int, int]]:
        """Whole seconds since the first moment, ascending, and the messages of each line."""
        row: _Row | None = first
        number = 0
        while row is not None:
            if len(row.cells) != width:
                raise self._wrong(row.line, f"its columns are {len(row.cells)} instead of {width}.")
            count = 1 if columns.count is None else self._count(row, row.cells[columns.count])
            if columns.moment is None:
                second = (interval or 0) * number
            else:
                second = self._second(row, row.cells[columns.moment], is_first=number == 0)
            if second > LONGEST:
                raise SimulationError(
                    f"{self._path} spans more than a year; begin it later, or look for a wrong first moment."
                )
            yield int(second), count
            row, number = next(rows, None), number + 1

    def _second(self, row: _Row, text: str, *, is_first: bool) -> float:
        if not _is_moment(text):
            raise self._wrong(row.line, f"{text!r} is neither seconds nor an ISO 8601 time.")
        moment = _moment(text)
        if moment > LATEST:
            raise self._wrong(row.line, f"{text} would lie beyond the year 5000; give seconds, not milliseconds.")
        if is_first:
            self._begin = moment
        elif moment < self._last:
            raise self._wrong(row.line, "earlier than the line before; sort the file.")
        self._last = moment
        return moment - self._begin

    def _count(self, row: _Row, text: str) -> int:
        count = float(text) if _is_number(text) else math.nan
        if not count.is_integer():
            raise self._wrong(row.line, f"{text!r} is not a whole number of messages.")
        if count < 0:
            raise self._wrong(row.line, f"{count:g} messages; a count is 0 or more.")
        if count > MOST_MESSAGES:
            raise self._wrong(row.line, f"{count:g} messages; no more than {MOST_MESSAGES:,} can be simulated.")
        return int(count)

    def _wrong(self, line: int, what: str) -> SimulationError:
        return SimulationError(f"{self._path} line {line}: {what}")


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _is_moment(text: str) -> bool:
    try:
        return math.isfinite(_moment(text))
    except (ValueError, OverflowError):
        return False


def _is_number(text: str) -> bool:
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False


def _by_second(counted: Iterator[tuple[int, int]]) -> Counts:
    """Each count in its second."""
    arrivals: array[int] = array("q")
    for second, count in counted:
        if second >= len(arrivals):
            arrivals.extend(array("q", bytes(8 * (second + 1 - len(arrivals)))))
        arrivals[second] += count
    return np.array(arrivals, dtype=np.int64)


def _spread(counted: Iterator[tuple[int, int]], *, interval: float | None) -> Counts:
    """Each count over the seconds until the next, as evenly as whole messages can be."""
    seconds: array[int] = array("q")
    counts: array[int] = array("q")
    for second, count in counted:
        if seconds and seconds[-1] == second:
            counts[-1] += count
        else:
            seconds.append(second)
            counts.append(count)
    begins = np.array(seconds, dtype=np.int64)
    usual = float(np.median(np.diff(begins))) if len(begins) > 1 else 60
    lengths = np.diff(begins, append=begins[-1] + max(round(interval or usual), 1))
    arrivals = np.zeros(int(lengths.sum()), dtype=np.int64)
    for begin, length, count in zip(begins.tolist(), lengths.tolist(), counts, strict=True):
        if count:
            shares: Counts = np.arange(length + 1, dtype=np.int64) * count // length
            arrivals[begin : begin + length] = np.diff(shares)
    return arrivals
