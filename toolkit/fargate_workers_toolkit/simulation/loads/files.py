"""Loads from files: moments at which messages were sent, or counts of them, in CSV or in CloudWatch's JSON."""

import csv
import math
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.loads.exports import rows_of_export
from fargate_workers_toolkit.simulation.loads.load import Counts, Load, smallest
from fargate_workers_toolkit.simulation.loads.moments import EARLIEST_DATE, is_moment, moment_of
from fargate_workers_toolkit.simulation.loads.spread import intervals, spread

# What a load may take of memory, whatever the file holds.
LONGEST = 366 * 86_400
LONGEST_LINE = 4_096
MOST_MESSAGES = 10**9

# Counts that lie further apart show no burst, and may as well be those of a job that runs as rarely.
LONGEST_INTERVAL = 3_600
MOST_NAMES = 10

TIMES = frozenset({"at", "date", "datetime", "minute", "moment", "second", "time", "timestamp"})
COUNTS = frozenset({"arrivals", "count", "counts", "messages", "number", "numberofmessagessent", "sum", "value"})


def load_from_file(path: Path, *, work_seconds: float = 0.5, interval: float | None = None) -> Load:
    """A load from a file of moments, one a message; of moments and counts; or, with an interval, of counts alone.

    Moments are seconds or milliseconds (of any clock) or ISO 8601, and ascend, or descend next to counts. A count is
    spread evenly over the time to the next, but no longer than counts cover as a rule: files have no lines for time
    without messages. A first line may name the columns; else moments come before counts.

    Args:
        path: In CSV, or what AWS's command line prints of a CloudWatch metric in JSON.
        work_seconds: Mean work in a message, in seconds. Defaults to 0.5.
        interval: Seconds that one count covers. Defaults to those between the moments.

    Raises:
        SimulationError: The file cannot be read as a load.
    """
    if interval is not None and not (math.isfinite(interval) and interval > 0):
        raise SimulationError(f"An interval of {interval:g} s lies between no two counts; make it more than 0.")
    try:
        if path.suffix.lower() == ".json":
            rows = rows_of_export(path, path.read_text(encoding="utf-8-sig"))
            table = _Table(path, StringIO("".join(f"{moment},{count}\n" for moment, count in rows)))
            arrivals = table.arrivals(interval)
        else:
            with path.open(newline="", encoding="utf-8-sig") as file:
                table = _Table(path, file)
                arrivals = table.arrivals(interval)
    except UnicodeDecodeError:
        raise SimulationError(f"{path} is not text in UTF-8; save it as CSV in UTF-8.") from None
    except OSError as error:
        raise SimulationError(f"{path} cannot be read as a CSV file: {error.strerror}.") from None
    if not arrivals.any():
        raise SimulationError(f"{path} has no messages.")
    return Load(name=path.stem, arrivals=arrivals, work_seconds=work_seconds, begin=table.begin)


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
        self._last = 0.0
        self._descends: bool | None = None
        self._are_whole = True

    @property
    def begin(self) -> float | None:
        """The first moment in seconds since 1970, where the moments are of a calendar."""
        first = self._last if self._descends else self._begin
        return first if first >= EARLIEST_DATE else None

    def arrivals(self, interval: float | None) -> Counts:
        rows = self._rows()
        first, names = next(rows, None), None
        # CloudWatch's console writes several lines of names.
        for _ in range(MOST_NAMES):
            if first is None or any(_is_number(cell) or is_moment(cell) for cell in first.cells):
                break
            if names is not None and first.cells[0][:1].isdigit():
                break
            first, names = next(rows, None), first
        if first is None:
            raise SimulationError(f"{self._path} has no messages.")
        columns = self._columns(names, first, interval=interval)
        counted = self._counted(first, rows, columns, interval=interval)
        if columns.count is None:
            arrivals = _by_second(counted)
            if names is None and self._are_whole and arrivals.sum() > 1:
                raise SimulationError(
                    f"{self._path} has one column of whole numbers without a name; are they moments, write time in a "
                    "line above them; are they counts, say with --interval how many seconds each covers."
                )
            return arrivals
        return self._spread(counted, interval=interval or _bin(names))

    def _spread(self, counted: Iterator[tuple[int, int]], *, interval: float | None) -> Counts:
        seconds: array[int] = array("q")
        counts: array[int] = array("q")
        for second, count in counted:
            if seconds and seconds[-1] == second:
                counts[-1] += count
            else:
                seconds.append(second)
                counts.append(count)
        begins, numbers = np.array(seconds, dtype=np.int64), np.array(counts, dtype=np.int64)
        if self._descends:
            begins, numbers = (begins[-1] - begins)[::-1], numbers[::-1]
        if interval is None and (longest := int(intervals(np.diff(begins)).max())) > LONGEST_INTERVAL:
            raise SimulationError(
                f"{self._path} has counts that lie {longest:,} s apart; say with --interval how many seconds each "
                "covers."
            )
        return spread(begins, numbers, interval=interval)

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

    def _columns(self, names: _Row | None, first: _Row, *, interval: float | None) -> _Columns:
        width = len(first.cells)
        known = [] if names is None else ["".join(filter(str.isalpha, name.lower())) for name in names.cells]
        moments = [index for index, name in enumerate(known) if name in TIMES]
        counts = [index for index, name in enumerate(known) if name in COUNTS]
        if interval is not None and width == 1:
            return _Columns(moment=None, count=0)
        if (
            interval is not None
            and not moments
            and len(counts) == 1
            and not any(map(is_moment, first.cells[: counts[0]] + first.cells[counts[0] + 1 :]))
        ):
            return _Columns(moment=None, count=counts[0])
        if width == 1 and counts:
            raise SimulationError(f"{self._path} has only counts; say with --interval how many seconds each covers.")
        if width == 1:
            return _Columns(moment=0, count=None)
        if width == 2 and (names is None or not (moments or counts or _is_number(first.cells[0]))):
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
        self, first: _Row, rows: Iterator[_Row], columns: _Columns, *, interval: float | None
    ) -> Iterator[tuple[int, int]]:
        """Whole seconds from the first moment, ascending, and the messages of each line."""
        row: _Row | None = first
        width, number = len(first.cells), 0
        while row is not None:
            if len(row.cells) != width:
                raise self._wrong(row.line, f"its columns are {len(row.cells)} instead of {width}.")
            count = 1 if columns.count is None else self._count(row, row.cells[columns.count])
            if columns.moment is None:
                second = (interval or 0) * number
            else:
                second = self._second(
                    row, row.cells[columns.moment], is_first=number == 0, may_descend=columns.count is not None
                )
            if second > LONGEST:
                raise SimulationError(
                    f"{self._path} spans more than a year; begin it later, or look for a wrong first moment."
                )
            yield int(second), count
            row, number = next(rows, None), number + 1

    def _second(self, row: _Row, text: str, *, is_first: bool, may_descend: bool) -> float:
        if not is_moment(text):
            raise self._wrong(row.line, f"{text!r} is neither seconds nor an ISO 8601 time.")
        moment = moment_of(text)
        self._are_whole = self._are_whole and text.isdigit() and moment < EARLIEST_DATE
        if is_first:
            self._begin = self._last = moment
        if moment != self._last:
            descends = moment < self._last
            if self._descends is None and (may_descend or not descends):
                self._descends = descends
            if descends != self._descends:
                raise self._wrong(
                    row.line,
                    f"{'earlier' if descends else 'later'} than the line before; sort the file. Where clocks go back, "
                    "write moments with their offset.",
                )
        self._last = moment
        return abs(moment - self._begin)

    def _count(self, row: _Row, text: str) -> int:
        if not text:
            # CloudWatch's console leaves a cell empty where there is no datapoint.
            return 0
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


_BIN = re.compile(r"bin\(\s*(\d+)\s*(s|m|h|sec|min|hr|second|minute|hour)s?\s*\)")


def _bin(names: _Row | None) -> float | None:
    """The seconds of CloudWatch Logs Insights' bin(5m), where a column is called so."""
    found = None if names is None else _BIN.search(" ".join(names.cells).lower())
    return None if found is None else int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2][0]]


def _is_number(text: str) -> bool:
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False


def _by_second(counted: Iterator[tuple[int, int]]) -> Counts:
    """Each message in its second."""
    arrivals: array[int] = array("i")
    for second, count in counted:
        if second >= len(arrivals):
            arrivals.frombytes(bytes(arrivals.itemsize * (second + 1 - len(arrivals))))
        arrivals[second] += count
    counts: Counts = np.frombuffer(arrivals, dtype=np.int32)
    return counts.astype(smallest(int(counts.max())), copy=False)
