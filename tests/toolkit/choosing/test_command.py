"""`fargate-workers choose`: a table for a terminal and for a phone, JSON, one sentence for what cannot be read."""

import io
import json
import subprocess
import sys
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from fargate_workers_toolkit.choosing import Workload, choose, messages_a_day, seconds, show, size
from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.errors import ChoosingError

RUN = CliRunner()


def printed(width: int, **workload: Any) -> str:
    out = io.StringIO()
    show(Console(file=out, width=width, highlight=False), choose(Workload(messages_a_day=10_000_000, **workload)))
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("workload", [{}, {"ordering": "key"}, {"losing": "rarely", "latency": 0.005}])
def test_nothing_is_wider_than_the_terminal_but_addresses_and_python(width: int, workload: dict[str, Any]) -> None:
    wide = [line for line in printed(width, **workload).splitlines() if len(line) > width]

    assert [line for line in wide if "://" not in line and "(self, " not in line] == []


def test_the_table_has_dollars_what_breaks_first_and_what_cannot() -> None:
    text = printed(120, ordering="key")

    assert (
        "│ SQS FIFO       │ Fargate │  45.73 │ 11.92 │  57.65 │ handlers at once for one key: 0.035 of 1 (3 %)   │"
        in text
    )
    assert "SQS: a standard queue keeps no order\n  https://docs.aws.amazon.com/AWSSimpleQueueService/" in text
    assert 'orders = WorkerQueue(self, "Orders", fifo=True)\nQueueWorker(self, "Apply", ' in text
    assert "Lambda: $436.90 with the broker" in text
    assert "msk.express_gigabyte_month ($0.1, unconfirmed)" in " ".join(text.split())


def test_a_phone_gets_lines_instead_of_a_table() -> None:
    text = printed(40)

    assert "┃" not in text
    assert "\nSQS on Fargate: $48.51\nbroker $36.59, work $11.92\nbreaks first: " in text


def test_no_color_is_respected() -> None:
    result = RUN.invoke(app, ["choose", "--messages", "10M/day"], env={"NO_COLOR": "1", "FORCE_COLOR": "1"}, color=True)

    assert "\x1b[3" not in result.stdout
    assert result.exit_code == 0


def test_every_option_reaches_the_workload() -> None:
    words = "--messages 100/s --size 4KB --ordering key --keys 20 --replay 7d --readers 3 --latency 50ms"
    result = RUN.invoke(
        app,
        [
            "choose",
            *words.split(),
            *["--lose", "rarely", "--send", "single", "--handler", "20ms", "--peak", "2", "--json"],
        ],
    )

    assert json.loads(result.stdout)["workload"] == {
        "messages_a_day": 8_640_000,
        "size": 4_000,
        "ordering": "key",
        "keys": 20,
        "replay": 604_800,
        "readers": 3,
        "latency": 0.05,
        "losing": "rarely",
        "sending": "single",
        "handler_seconds": 0.02,
        "peak": 2,
    }


def test_what_nothing_can_carry_ends_with_1() -> None:
    options = ["--messages", "100/s", "--ordering", "total", "--handler", "1s"]
    result = RUN.invoke(app, ["choose", *options], env={"COLUMNS": "120"})

    assert result.exit_code == 1
    assert "Nothing can carry this workload as it stands." in result.stdout
    assert (
        "SQS FIFO: 300 handlers at once for one order of all messages are needed, and order allows 1" in result.stdout
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--messages", "many"], "'many' does not begin with a number; write, for example, 10M/day."),
        (["--messages", "10M/year"], "'10M/year' is no rate of messages; write, for example, 10M/day or 100/s."),
        (
            ["--messages", "1", "--size", "2 bananas"],
            "'2 bananas' is no size; write, for example, 2KB (units: b, kb, mb, kib, mib).",
        ),
        (
            ["--messages", "1", "--replay", "7y"],
            "'7y' is no duration; write, for example, 50ms (units: ms, s, min, m, h, d, w).",
        ),
        (["--messages", "0"], "0 is out of range for messages a day; give 1 to 1e+13."),
    ],
)
def test_what_cannot_be_read_is_one_sentence(options: list[str], sentence: str) -> None:
    result = RUN.invoke(app, ["choose", *options])

    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{sentence}\n")


@pytest.mark.parametrize(
    ("text", "number"),
    [("10M/day", 1e7), ("1.5k/min", 2_160_000), ("100/s", 8_640_000), ("5,000", 5_000), ("3G/month", 36e9 / 365)],
)
def test_rates_are_read(text: str, number: float) -> None:
    assert messages_a_day(text) == pytest.approx(number)


@pytest.mark.parametrize(("text", "number"), [("2KB", 2_000), ("1 MiB", 2**20), ("64kib", 65_536), ("7", 7)])
def test_sizes_are_read(text: str, number: float) -> None:
    assert size(text) == number


@pytest.mark.parametrize(
    ("text", "number"), [("50ms", 0.05), ("7d", 604_800), ("15min", 900), ("0", 0), ("2 w", 1_209_600)]
)
def test_durations_are_read(text: str, number: float) -> None:
    assert seconds(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "-5", "1e400", "9" * 400])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ChoosingError):
        seconds(text)


def test_the_command_imports_nothing_that_other_commands_need() -> None:
    """Its start stays short: numpy and boto3 take most of that of the others."""
    script = (
        "import sys; sys.argv[1:] = ['choose', '--messages', '1M', '--json']\n"
        "from fargate_workers_toolkit.command import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('boto3', 'botocore', 'numpy', 'psutil') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert result.stdout.splitlines()[-1] == "[]"
