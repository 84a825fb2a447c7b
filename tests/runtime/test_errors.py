"""What handlers raise: whatever they put into it, the runtime goes on with texts and times."""

import decimal
import enum
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fargate_workers_runtime import Message, PoisonMessage, Retry
from fargate_workers_runtime.errors import with_plain_values
from fargate_workers_runtime.plain_values import MAX_CHARACTERS, delay_of, described, text_of
from fargate_workers_runtime.testing import MemoryWorker


class Silent(BaseException):
    """Cannot say itself."""

    def __str__(self) -> str:
        raise Silent

    __repr__ = __str__


class NoText:
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # noqa: PLE0307  on purpose


class Odd(str):
    """A string whose methods are not a string's."""

    def __str__(self) -> str:
        raise ValueError

    def encode(self, *_: Any, **__: Any) -> bytes:
        raise ValueError

    def __len__(self) -> int:
        raise ValueError


class Reason(enum.Enum):
    CURRENCY = "unknown currency"


VALUES = [
    (None, ""),
    ("words", "words"),
    pytest.param(Odd("words"), "words", id="odd string"),
    (b"words\xff", "words\\xff"),
    (404, "404"),
    (1.5, "1.5"),
    (Reason.CURRENCY, "unknown currency"),
    ({"a": 1}, "{'a': 1}"),
    (KeyError("product"), "KeyError: 'product'"),
    (ValueError(), "ValueError"),
    (Silent(), "Silent: <Silent>"),
    (NoText(), "<NoText>"),
    ("\ud800", "\\ud800"),
    ("x" * 10_000_000, "x" * MAX_CHARACTERS),
]


@pytest.mark.parametrize(("value", "text"), VALUES)
def test_a_detail_is_text_whatever_it_was(value: Any, text: str) -> None:
    detail = PoisonMessage("no", detail=value).detail
    assert (type(detail), detail) == (str, text)


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        ("unknown currency", "unknown currency", ""),
        (404, "404", ""),
        (Reason.CURRENCY, "unknown currency", ""),
        pytest.param(Odd("words"), "words", "", id="odd string"),
        (None, "", ""),
        # A reason is logged, and the text of an exception or a structure may quote the message.
        (ValueError("4111-1111"), "ValueError", "ValueError: 4111-1111"),
        ({"card": "4111-1111"}, "dict", "{'card': '4111-1111'}"),
        (Silent(), "Silent", "Silent: <Silent>"),
        (ValueError, "ValueError", "<class 'ValueError'>"),
    ],
)
def test_a_reason_is_a_phrase_that_may_be_logged(value: Any, reason: str, detail: str) -> None:
    poison = PoisonMessage(value)
    assert (poison.reason, poison.detail) == (reason, detail)
    assert (type(poison.reason), type(poison.detail)) == (str, str)
    assert Retry(value).reason == reason


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        (None, None),
        (30, 30),
        (0.5, 0.5),
        (timedelta(minutes=5), 300),
        (-1, 0),
        (timedelta(seconds=-1), 0),
        (decimal.Decimal(30), 30),
        (math.inf, 12 * 3600),
        (timedelta.max, 12 * 3600),
        (10**400, 12 * 3600),
        (math.nan, None),
        (-math.inf, 0),
        ("soon", None),
        (datetime.now(UTC), None),
        (Silent(), None),
    ],
)
def test_a_delay_is_a_length_of_time_or_none(after: Any, seconds: float | None) -> None:
    delay = Retry("later", after=after).after
    assert (delay and delay.total_seconds()) == (seconds or delay)
    assert delay == (None if seconds is None else timedelta(seconds=seconds))
    assert delay_of(after) == delay


class Bare(PoisonMessage):
    """Forgets its base class."""

    def __init__(self) -> None:
        pass


class Assigning(PoisonMessage):
    def __init__(self) -> None:
        self.reason = 404  # type: ignore[assignment]
        self.detail = ValueError("x")  # type: ignore[assignment]


class Failing(PoisonMessage):
    def __init__(self) -> None:
        pass

    @property
    def reason(self) -> str:  # type: ignore[override]
        raise ValueError

    detail = property(lambda self: 1 / 0)  # type: ignore[assignment]


class Soon(Retry):
    def __init__(self) -> None:
        self.after = 7  # type: ignore[assignment]


class NoFuture(Retry):
    after = property(lambda self: 1 / 0)  # type: ignore[assignment]

    def __init__(self) -> None:
        pass


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [(Bare(), "Bare", ""), (Assigning(), "404", "ValueError: x"), (Failing(), "Failing", "")],
)
def test_a_subclass_that_breaks_its_base_is_poison_all_the_same(error: PoisonMessage, reason: str, detail: str) -> None:
    def handle(_message: Message) -> None:
        raise error

    worker = MemoryWorker(handle)
    worker.send({})
    worker.run()
    assert [(letter.reason, letter.detail) for letter in worker.dead_letters] == [(reason, detail)]


@pytest.mark.parametrize(("error", "seconds"), [(Soon(), {7}), (NoFuture(), {1, 2, 3})])
def test_a_retry_of_ones_own_waits_as_it_says_or_as_usual(error: Retry, seconds: set[int]) -> None:
    def handle(_message: Message) -> None:
        raise error

    worker = MemoryWorker(handle)
    worker.send({})
    worker.run()
    (retried,) = worker.retried
    assert retried.seconds in seconds


def test_values_that_are_plain_already_stay_the_same_exception() -> None:
    for error in (PoisonMessage("no", detail="x"), Retry("later", after=timedelta(1)), ValueError(), SystemExit(1)):
        assert with_plain_values(error) is error


def test_an_exception_that_cannot_say_itself_ends_no_thread() -> None:
    def handle(message: Message) -> None:
        raise Silent

    worker = MemoryWorker(handle, max_receive_count=2)
    for n in range(3):
        worker.send(n)
    worker.settle()
    assert [letter.detail for letter in worker.dead_letters] == ["Silent: <Silent>"] * 3
    assert "<Silent>" in str(worker)


def test_an_exception_is_described_as_a_traceback_does() -> None:
    assert described(ValueError()) == "ValueError"
    assert described(decimal.InvalidOperation("no")) == "InvalidOperation: no"
    assert text_of(bytearray(b"ab")) == "ab"
