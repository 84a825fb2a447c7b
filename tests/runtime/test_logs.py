"""One JSON object a line, with what a search needs and without what nobody should find."""

import asyncio
import contextlib
import gc
import io
import itertools
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import pytest
from botocore.exceptions import ClientError

from fargate_workers_runtime import Message, PoisonMessage, Retry, run_once
from fargate_workers_runtime.telemetry import logs
from fargate_workers_runtime.telemetry.exception_fields import exception_fields
from fargate_workers_runtime.telemetry.line_writer import LineWriter
from fargate_workers_runtime.testing import MemoryQueue
from tests.patience import PATIENCE

WORKER_IMAGE = Path(__file__).parents[2] / "worker_image"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    level = root.level
    stream = io.StringIO()
    logs.configure("ApplyOrders", level="DEBUG", stream=stream)
    yield stream
    for handler in root.handlers[:]:
        if isinstance(handler, logs.LineHandler):
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    assert logs.flush()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_when_how_bad_what_and_who(stream: io.StringIO) -> None:
    logging.getLogger("shop").info("shipped %s", 3, extra={"fields": {"order_id": "1"}})
    (line,) = lines(stream)
    assert line.pop("time").endswith("Z")
    assert line == {"level": "info", "event": "shipped 3", "worker": "ApplyOrders", "order_id": "1"}


def test_what_a_handler_logs_carries_the_message_it_handles(stream: io.StringIO) -> None:
    queue = MemoryQueue([{"id": 1}])
    run_once(lambda _message: logging.getLogger("shop").info("shipped"), queue=queue)
    (line,) = [line for line in lines(stream) if line["event"] == "shipped"]
    assert line["attempt"] == 1
    assert line["message_id"]


def test_an_exception_is_its_type_and_where_it_was_and_its_text_only_when_asked(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    for with_text in (False, True):
        monkeypatch.setattr(exception_fields, "with_text", with_text)
        try:
            raise ValueError("x" * 1000)
        except ValueError:
            logging.getLogger("shop").exception("failed")
    without, line = lines(stream)
    assert "text" not in without
    assert (line["error"], len(line["text"])) == ("ValueError", 300)
    assert "test_logs.py" in line["where"][0]


def test_an_exception_brings_what_it_was_raised_from_and_while_handling(stream: io.StringIO) -> None:
    def raises(kind: str) -> None:
        try:
            int("4111")
            raise FileNotFoundError(2, "4111")
        except FileNotFoundError as error:
            if kind == "from":
                raise RuntimeError("4111") from error
            if kind == "from none":
                raise RuntimeError("4111") from None
            raise RuntimeError("4111")  # noqa: B904  without a cause, on purpose

    for kind in ("from", "while", "from none"):
        with contextlib.suppress(RuntimeError):
            try:
                raises(kind)
            except RuntimeError:
                logging.getLogger("shop").exception("failed")
                raise
    said = [[(cause["error"], cause.get("code")) for cause in line.get("causes", [])] for line in lines(stream)]
    assert said == [[("FileNotFoundError", "ENOENT")], [("FileNotFoundError", "ENOENT")], []]
    assert "4111" not in stream.getvalue()


def test_causes_that_go_round_in_a_circle_end(stream: io.StringIO) -> None:
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    logging.getLogger("shop").error("failed", exc_info=first)
    (line,) = lines(stream)
    assert [cause["error"] for cause in line["causes"]] == ["KeyError"]


def test_a_group_of_exceptions_brings_those_inside(stream: io.StringIO) -> None:
    group = ExceptionGroup("4111", [ValueError("4111"), ExceptionGroup("inner", [KeyError("4111")])])
    logging.getLogger("shop").error("failed", exc_info=group)
    (line,) = lines(stream)
    inner = line["errors"][1]
    assert (line["errors"][0]["error"], inner["errors"][0]["error"]) == ("ValueError", "KeyError")
    assert "4111" not in stream.getvalue()


def test_an_error_of_aws_says_its_code(stream: io.StringIO) -> None:
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": "4111"}}, "ReceiveMessage")
    logging.getLogger("shop").error("failed", exc_info=error)
    (line,) = lines(stream)
    assert (line["error"], line["module"], line["code"]) == ("ClientError", "botocore.exceptions", "AccessDenied")
    assert "4111" not in stream.getvalue()


def test_fields_of_a_block_are_added_to_those_around_it_and_end_with_it(stream: io.StringIO) -> None:
    with logs.log_context(message_id="m", receive_count=1) as context:
        context.add(attempt=2)
        with logs.log_context(receive_count=3):
            logging.getLogger("shop").info("inside")
        logging.getLogger("shop").info("around")
    logging.getLogger("shop").info("outside")
    fields = ("message_id", "receive_count", "attempt")
    written = [[line.get(name) for name in fields] for line in lines(stream)]
    assert written == [["m", 3, 2], ["m", 1, 2], [None, None, None]]


def test_a_block_is_left_while_what_runs_in_it_waits(stream: io.StringIO) -> None:
    def steps(context: logs.log_context) -> Generator[str]:
        with context:
            yield from context.left_while_waiting(waits())
            logging.getLogger("shop").info("ended")

    def waits() -> Generator[str]:
        logging.getLogger("shop").info("begun")
        yield "something"

    work = steps(logs.log_context(message_id="1"))
    next(work)
    logging.getLogger("shop").info("another message's")
    thread = threading.Thread(target=lambda: list(work))
    thread.start()
    thread.join()
    abandoned = steps(logs.log_context(message_id="2"))
    next(abandoned)
    del abandoned
    logging.getLogger("shop").info("nobody's")
    assert [(line["event"], line.get("message_id")) for line in lines(stream)] == [
        ("begun", "1"),
        ("another message's", None),
        ("ended", "1"),
        ("begun", "2"),
        ("nobody's", None),
    ]


def test_fields_given_as_extra_are_kept_and_take_the_place_of_none_of_ours(stream: io.StringIO) -> None:
    extra = {"order_id": "o-1", "event": "x", "level": 9, "message_id": "theirs", "error": "e", "nested": {"a": [1]}}
    with logs.log_context(message_id="ours"):
        logging.getLogger("shop").info("paid", extra=extra)
        logging.getLogger("shop").error("paid", exc_info=ValueError(), extra={"error": "theirs"})
    plain, failed = lines(stream)
    assert {name: plain[name] for name in ("event", "level", "message_id")} == {
        "event": "paid",
        "level": "info",
        "message_id": "ours",
    }
    assert {name: plain[name] for name in ("order_id", "extra_event", "extra_level", "extra_message_id", "error")} == {
        "order_id": "o-1",
        "extra_event": "x",
        "extra_level": 9,
        "extra_message_id": "theirs",
        "error": "e",
    }
    assert plain["nested"] == {"a": [1]}
    assert (failed["error"], failed["extra_error"]) == ("ValueError", "theirs")


def test_fields_that_are_no_json_become_text(stream: io.StringIO) -> None:
    class Broken(BaseException):
        def __str__(self) -> str:
            raise Broken

        __repr__ = __str__

    circle: list[Any] = []
    circle.append(circle)
    fields = {
        "path": Path("a"),
        "at": {datetime(2026, 1, 31, tzinfo=UTC)},
        "nan": float("nan"),
        "circle": circle,
        "keys": {(1, 2): 3},
        "broken": Broken(),
    }
    logging.getLogger("shop").info("odd", extra=fields)
    (handler,) = (handler for handler in logging.getLogger().handlers if isinstance(handler, logs.LineHandler))
    # Past the logger: pytest would format the line as well.
    handler.handle(logging.makeLogRecord({"msg": "%s", "args": (Broken(),)}))
    logging.getLogger("shop").info("odd", extra={"fields": 3})
    odd, failed, number = lines(stream)
    assert (odd["path"], odd["nan"], odd["keys"], odd["broken"]) == ("a", "nan", "{(1, 2): 3}", "<Broken>")
    assert odd["circle"] == "[[...]]"
    assert "2026" in odd["at"]
    assert (failed["event"], failed["error"]) == ("log_line_failed", "Broken")
    assert number["fields"] == 3


def test_a_message_may_be_logged_without_its_content(stream: io.StringIO) -> None:
    message = Message(id="1", body={"card": "4111"}, raw="4111", attributes={"card": "4111"}, receipt="4111")
    logging.getLogger("shop").info("got %s %r", message, message, extra={"all": [message], "one": message})
    (line,) = lines(stream)
    assert "id='1'" in line["one"]
    assert "4111" not in stream.getvalue()


def test_what_a_task_of_asyncio_leaves_unsaid_is_said_without_its_text(stream: io.StringIO) -> None:
    async def fail() -> None:
        raise ValueError("4111")

    async def main() -> None:
        task = asyncio.ensure_future(fail())
        await asyncio.sleep(0.001)
        del task
        gc.collect()

    asyncio.run(main())
    (line,) = [line for line in lines(stream) if line["level"] == "error"]
    assert (line["event"], line["error"]) == ("Task exception was never retrieved", "ValueError")
    assert "4111" not in stream.getvalue()


def test_a_message_is_never_logged_however_it_ends(stream: io.StringIO) -> None:
    endings = itertools.count()

    def fail(message: Message) -> None:
        try:
            int(message.body["id"])
        except ValueError as error:
            match next(endings) % 3:
                case 0:
                    raise PoisonMessage(error) from error
                case 1:
                    raise Retry(error) from error
                case _:
                    raise RuntimeError(message.raw) from error

    bodies = [{"id": "4111-1111"}, {"id": 4111_1111}, '{"id": "4111-1111"', "[" * 200 + '"4111-1111"' + "]" * 200]
    bodies += [{"id": "4111-1111"}] * 30
    run_once(fail, queue=MemoryQueue(bodies), schema={"properties": {"id": {"type": "string"}}})
    assert "poison" in [line["event"] for line in lines(stream)]
    # Of both numbers more than the four digits that a message's random id may have.
    assert "4111-1111" not in stream.getvalue()
    assert "41111111" not in stream.getvalue()


def test_a_line_that_cannot_be_written_as_json_says_where_it_was_logged(stream: io.StringIO) -> None:
    (handler,) = [each for each in logging.getLogger().handlers if isinstance(each, logs.LineHandler)]
    handler.handle(logging.LogRecord("shop", logging.INFO, "shop.py", 7, "shipped %d", ("three",), None))
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["error"]) == ("log_line_failed", "error", "TypeError")
    assert line["where"] == "shop.py:7"


def test_odd_characters_and_odd_objects_are_lines_like_any_other(stream: io.StringIO) -> None:
    text = "\x00\n\ud800\u202e\uffff"
    (handler,) = (handler for handler in logging.getLogger().handlers if isinstance(handler, logs.LineHandler))
    # Past the logger: pytest would report the line as well, and half a surrogate pair cannot leave its process.
    handler.handle(logging.makeLogRecord({"msg": text, "fields": {"path": Path("a"), text: text}}))
    (line,) = lines(stream)
    assert (line["event"], line["path"], line[text]) == (text, "a", text)


def test_a_finished_line_takes_the_same_road(stream: io.StringIO) -> None:
    logging.getLogger("shop").info("first")
    logs.write('{"event": "second"}')
    assert [line["event"] for line in lines(stream)] == ["first", "second"]


def test_lines_keep_their_order_and_none_is_lost(stream: io.StringIO) -> None:
    for number in range(5_000):
        logging.getLogger("shop").info("%d", number)
    assert [line["event"] for line in lines(stream)] == [str(number) for number in range(5_000)]


def test_a_second_configuration_takes_the_place_of_the_first(stream: io.StringIO) -> None:
    other = io.StringIO()
    logs.configure("ApplyOrders", stream=other)
    logging.getLogger("shop").info("shipped")
    assert [line["event"] for line in lines(other)] == ["shipped"]
    assert stream.getvalue() == ""


def test_a_signal_handler_may_log_whatever_it_interrupts(stream: io.StringIO) -> None:
    def log(_signal: int, _frame: object) -> None:
        logging.getLogger("shop").info("signal")

    before = signal.signal(signal.SIGALRM, log)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        for _ in range(2_000):
            logging.getLogger("shop").info("line")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    logged = [line["event"] for line in lines(stream)]
    assert logged.count("line") == 2_000
    assert "signal" in logged


# A pipe that nobody reads


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """A pipe's two ends."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        yield reading, stream
    os.close(reading)


def read_until(reading: int, last: str) -> list[str]:
    """The lines in the pipe, up to the first that begins with `last`."""
    found: list[str] = []
    with os.fdopen(os.dup(reading)) as stream:
        for line in stream:
            found.append(line.rstrip("\n"))
            if line.startswith(last):
                break
    return found


def lost(lines: int) -> str:
    return f"lost {lines}"


def test_a_full_pipe_drops_lines_counts_them_and_says_so_once_it_moves(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    writer = LineWriter(stream, lost=lost, most_waiting=100_000)
    sent = 10_000
    for number in range(sent):
        writer.put(f"{number:099}")  # a hundred bytes each: a megabyte into 64 KiB of pipe and 100,000 bytes of room
    reader: list[str] = []
    thread = threading.Thread(target=lambda: reader.extend(read_until(reading, "last")))
    thread.start()
    assert writer.flush(timeout=PATIENCE)
    writer.put("last")
    thread.join(PATIENCE)
    writer.close()
    losses = [int(line.removeprefix("lost ")) for line in reader if line.startswith("lost")]
    kept = [int(line) for line in reader if line.isdigit()]
    assert kept == sorted(kept)
    assert sum(losses) == sent - len(kept) > 0


def test_a_flush_that_waited_in_vain_is_not_waited_for_again(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    writer = LineWriter(stream, lost=lost)
    writer.put("x" * 100_000)
    assert not writer.flush(timeout=0.01)
    assert not writer.flush(timeout=60)
    with os.fdopen(os.dup(reading)) as output:
        assert len(output.readline()) == 100_001
    writer.put("last")
    writer.close()


def test_lines_that_a_stream_refuses_are_counted_until_it_takes_them_again() -> None:
    class Refusing(io.StringIO):
        full = True

        def write(self, text: str) -> int:
            if self.full:
                raise OSError("no space left on device")
            return super().write(text)

    stream = Refusing()
    writer = LineWriter(stream, lost=lost)
    for line in ("a", "b"):
        writer.put(line)
        assert writer.flush(timeout=PATIENCE)
    stream.full = False
    writer.put("c")
    assert writer.flush(timeout=PATIENCE)
    writer.close()
    assert stream.getvalue() == "lost 2\nc\n"


def test_a_reader_that_has_gone_stops_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        writer = LineWriter(stream, lost=lost)
        writer.put("line")
        assert writer.flush(timeout=PATIENCE)
        writer.close()


# Other processes


def run_program(text: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(WORKER_IMAGE)}
    return subprocess.run(
        [sys.executable, "-c", text], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=True
    )


def test_the_last_lines_are_written_before_the_process_ends() -> None:
    done = run_program(
        "import logging; from fargate_workers_runtime.telemetry import logs; logs.configure('w')\n"
        "for n in range(1000): logging.warning(n)"
    )
    assert len(done.stdout.splitlines()) == 1000


def test_a_forked_child_writes_its_own_lines_and_none_of_its_parents() -> None:
    done = run_program(
        "import logging, os; from fargate_workers_runtime.telemetry import logs; logs.configure('w')\n"
        "logging.warning('parent')\n"
        "child = os.fork()\n"
        "if child == 0: logging.warning('child'); logs.flush(); os._exit(0)\n"
        "os.waitpid(child, 0)"
    )
    assert sorted(json.loads(line)["event"] for line in done.stdout.splitlines()) == ["child", "parent"]


def test_children_of_multiprocessing_lose_no_line() -> None:
    done = run_program(
        "import logging, multiprocessing; from fargate_workers_runtime.telemetry import logs; logs.configure('w')\n"
        "fork = multiprocessing.get_context('fork')\n"
        "children = [fork.Process(target=logging.warning, args=(n,)) for n in range(20)]\n"
        "[child.start() for child in children]\n"
        "[child.join() for child in children]"
    )
    assert sorted(int(json.loads(line)["event"]) for line in done.stdout.splitlines()) == list(range(20))


def test_a_child_drops_lines_for_a_full_pipe_and_waits_for_it_once(
    pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, stream = pipe
    writer = LineWriter(stream, lost=lost)
    writer.close()
    writer.write_at_once()
    monkeypatch.setattr("fargate_workers_runtime.telemetry.line_writer._PATIENCE", 0.01)
    for number in range(2_000):
        writer.put(f"{number:099}")  # 200,000 bytes for 64 KiB of pipe
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.extend(read_until(reading, "last")))
    thread.start()
    while "last" not in found:
        writer.put("last")
        thread.join(0.01)
    assert [line for line in found if line.startswith("lost")]
    assert writer.flush(timeout=0)


def test_lines_of_several_processes_never_mix() -> None:
    done = run_program(
        "import logging, os; from fargate_workers_runtime.telemetry import logs; logs.configure('w')\n"
        "children = [child for _ in range(3) if (child := os.fork())]\n"
        "for n in range(2000): logging.warning('x' * (n % 1500))\n"
        "logs.flush(10)\n"
        "os._exit(0) if len(children) < 3 else [os.waitpid(child, 0) for child in children]"
    )
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 16_000
