"""One JSON object a line, with what a search needs and without what nobody should find."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from fargate_workers_runtime import logs, run_once
from fargate_workers_runtime.testing import MemoryQueue


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("ApplyOrders", level="DEBUG", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
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


def test_an_exception_is_its_type_its_text_cut_short_and_where_it_was(stream: io.StringIO) -> None:
    try:
        raise ValueError("x" * 1000)
    except ValueError:
        logging.getLogger("shop").exception("failed")
    (line,) = lines(stream)
    assert (line["error"], len(line["text"])) == ("ValueError", 300)
    assert "test_logs.py" in line["where"][0]


def test_a_message_is_never_logged_however_it_ends(stream: io.StringIO) -> None:
    def fail(_message: object) -> None:
        raise RuntimeError("no")

    bodies = [{"id": "4111-1111"}, {"id": 4111_1111}, '{"id": "4111-1111"', "[" * 200 + '"4111-1111"' + "]" * 200]
    run_once(fail, queue=MemoryQueue(bodies), schema={"properties": {"id": {"type": "string"}}})
    assert "poison" in stream.getvalue()
    assert "4111" not in stream.getvalue()
