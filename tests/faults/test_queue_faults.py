"""SQS refuses, stalls, repeats itself and forgets; the request that fails never arrives."""

import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from signal import SIGTERM

import pytest
from moto.sqs.models import SQSBackend
from urllib3 import HTTPConnectionPool, Timeout

from fargate_workers_runtime.clients import sqs_client
from fargate_workers_runtime.health import MAX_AGE_SECONDS, fault
from tests.doubles.tcp_proxy import TcpProxy
from tests.faults.injector import Fault
from tests.faults.rig import Process, Rig, Server, until

MakeRig = Callable[..., Rig]


def _failures(worker: Process) -> list[str]:
    """The errors of the receives that failed."""
    return [line["error"] for line in worker.log() if line["event"] == "receive_failed"]


def _duplicates(worker: Process) -> set[str]:
    """The messages that came again after their end."""
    return {line["message_id"] for line in worker.log() if line["event"] == "duplicate"}


def _requests(worker: Process, operation: str) -> int:
    return [step.split()[::2] for step in worker.steps()].count([operation, "sent"])


@pytest.mark.fault(8)
def test_an_sqs_that_fails_is_asked_ever_more_slowly_until_it_answers(rig: Rig) -> None:
    outage, healthy = rig.folder / "outage", rig.folder / "healthy"
    worker = rig.start("first", faults=(Fault("ReceiveMessage", "error", during=outage),))
    until(healthy.exists)
    before = _requests(worker, "ReceiveMessage")
    outage.touch()
    until(lambda: _failures(worker))
    touched = healthy.stat().st_mtime
    until(lambda: len(_failures(worker)) >= 3)
    # The health stays green for a while, and then it does not: nothing touches the file.
    assert healthy.stat().st_mtime == touched
    assert fault(healthy, now=touched + MAX_AGE_SECONDS) is None
    assert fault(healthy, now=touched + MAX_AGE_SECONDS + 1)
    sent = _requests(worker, "ReceiveMessage") - before
    # Each is sent three times at most: those that have failed since, one that is under way, and the poll before.
    assert sent <= 3 * (len(_failures(worker)) + 1) + 1
    message = rig.send()
    outage.unlink()
    until(lambda: rig.empty)
    assert worker.exit_code is None
    assert message.approximate_receive_count == 1
    until(lambda: healthy.stat().st_mtime > touched)


@pytest.mark.fault(9)
@pytest.mark.parametrize("operation", ["ReceiveMessage", "DeleteMessageBatch"])
def test_a_request_that_is_throttled_is_repeated_before_the_message_is_back(rig: Rig, operation: str) -> None:
    message = rig.send()
    worker = rig.start("first", faults=(Fault(operation, "throttle", calls=(1, 2)),))
    until(lambda: rig.empty)
    assert rig.effects() == 1
    assert message.approximate_receive_count == 1
    assert _failures(worker) == []


@pytest.mark.fault(9)
def test_a_delete_that_stays_throttled_is_tried_again_while_the_message_is_kept_hidden(rig: Rig) -> None:
    message = rig.send()
    worker = rig.start("first", faults=(Fault("DeleteMessageBatch", "throttle", calls=range(1, 6)),))
    until(lambda: rig.empty)
    assert rig.effects() == 1
    assert message.approximate_receive_count == 1
    assert worker.logged().count("settle_failed") == 5


@pytest.mark.fault(10)
def test_the_client_waits_for_an_answer_longer_than_the_longest_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    config = sqs_client(longest_wait=20).meta.config
    assert config.read_timeout > 20
    assert config.connect_timeout <= 5


@pytest.mark.fault(10)
def test_a_network_that_swallows_everything_makes_no_storm_and_heals(rig: Rig, server: Server) -> None:
    swallows = rig.folder / "swallows"
    with TcpProxy(server.port) as proxy:
        worker = rig.start(
            "first",
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{proxy.port}",
            RECEIVE_WAIT_SECONDS="0",
            prepare=partial(_impatient_during, swallows),
        )
        until((rig.folder / "healthy").exists)
        before = proxy.accepted
        swallows.touch()
        proxy.black_hole()
        until(lambda: len(_failures(worker)) >= 2)
        connections = proxy.accepted - before
        # Those of the requests that have failed, each sent three times, and of one that is under way.
        assert connections <= 3 * (len(_failures(worker)) + 1)
        assert set(_failures(worker)) == {"ReadTimeoutError"}
        message = rig.send()
        swallows.unlink()
        proxy.heal()
        until(lambda: rig.empty)
        assert message.approximate_receive_count == 1


def _impatient_during(outage: Path) -> None:
    """Half a second instead of twenty while nothing answers: a test need not wait, and no answer comes too late."""
    patient = HTTPConnectionPool._get_timeout  # noqa: SLF001  urllib3's

    def hurried(pool: HTTPConnectionPool, timeout: object) -> Timeout:
        return Timeout(0.5) if outage.exists() else patient(pool, timeout)  # type: ignore[arg-type]

    HTTPConnectionPool._get_timeout = hurried  # type: ignore[method-assign]  # noqa: SLF001


@pytest.mark.fault(12)
def test_of_a_batch_that_fails_in_part_only_that_part_is_deleted_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    delete = SQSBackend.delete_message_batch

    def counted(backend: SQSBackend, queue_name: str, receipts: list[dict[str, str]]) -> object:
        batches.append(len(receipts))
        return delete(backend, queue_name, receipts)

    monkeypatch.setattr(SQSBackend, "delete_message_batch", counted)
    messages = [rig.send(str(number)) for number in range(5)]
    rig.start("first", CONCURRENCY="5", faults=(Fault("DeleteMessageBatch", "partial", calls=(1,)),))
    until(lambda: rig.empty)
    # One entry of the first batch was kept back, and came alone.
    assert sum(batches) == 5
    assert 1 in batches
    assert [message.approximate_receive_count for message in messages] == [1] * 5
    assert len(rig.history("effect")) == 5


@pytest.mark.fault(13)
def test_a_message_that_comes_twice_in_one_batch_runs_once(rig: Rig) -> None:
    for number in range(3):
        rig.send(str(number))
    rig.start("first", CONCURRENCY="5", faults=(Fault("ReceiveMessage", "duplicate"),))
    until(lambda: rig.empty)
    assert sorted(rig.history("effect")) == [("0", 1), ("1", 1), ("2", 1)]


@pytest.mark.fault(13)
def test_a_message_that_comes_again_after_its_end_runs_once(make_rig: MakeRig) -> None:
    rig = make_rig(claims="dynamodb")
    first = rig.send("1")
    worker = rig.start("first", faults=(Fault("ReceiveMessage", "replay"),))
    until(lambda: first.id in _duplicates(worker))
    second = rig.send("2")
    until(lambda: rig.empty and second.id in _duplicates(worker))
    assert rig.history("effect") == [("1", 1), ("2", 1)]


@pytest.mark.fault(13)
def test_two_messages_with_one_key_have_one_effect(make_rig: MakeRig) -> None:
    rig = make_rig(claims="dynamodb")
    for _ in range(2):  # a producer that repeats itself
        rig.send("1")
    rig.start("first")
    until(lambda: rig.empty)
    assert rig.effects() == 1


@pytest.mark.fault(14)
def test_messages_may_come_in_any_order(make_rig: MakeRig) -> None:
    # The worker has no opinion on order: a handler to which it matters compares versions, or takes a FIFO queue.
    rig = make_rig(claims="dynamodb")
    for number in range(10):
        rig.send(str(number))
    rig.start("first", CONCURRENCY="10", faults=(Fault("ReceiveMessage", "reverse"),))
    until(lambda: rig.empty)
    assert sorted(rig.history("effect")) == [(str(number), 1) for number in range(10)]


@pytest.mark.fault(18)
def test_a_delete_that_comes_too_late_is_logged_and_costs_one_delivery(make_rig: MakeRig) -> None:
    rig = make_rig(claims="dynamodb")
    message = rig.send("1")
    worker = rig.start(
        "first",
        # The queue refuses the receipt, as it may when the visibility has ended.
        faults=(Fault("DeleteMessageBatch", "refused", calls=(1,)),),
        VISIBILITY_TIMEOUT_SECONDS="2",
    )
    until(lambda: "settle_gave_up" in worker.logged())
    (said,) = (line for line in worker.log() if line["event"] == "settle_gave_up")
    assert (said["message_id"], said["settle"], said["code"]) == (message.id, "acknowledge", "ReceiptHandleIsInvalid")
    rig.send("2")
    until(lambda: rig.empty)
    assert worker.exit_code is None
    assert message.approximate_receive_count == 2
    assert "duplicate" not in worker.logged()  # the claims were not asked: the process knew that it had finished it
    assert sorted(rig.history("effect")) == [("1", 1), ("2", 1)]


@pytest.mark.fault(44)
def test_a_name_that_does_not_resolve_is_waited_for(rig: Rig, server: Server) -> None:
    (rig.folder / "no-dns").touch()
    worker = rig.start(
        "first",
        AWS_ENDPOINT_URL=f"http://sqs.invalid:{server.port}",
        prepare=partial(_resolve_unless, rig.folder / "no-dns"),
    )
    until(lambda: len(_failures(worker)) >= 2)
    assert set(_failures(worker)) == {"EndpointConnectionError"}
    assert not (rig.folder / "healthy").exists()
    rig.send()
    (rig.folder / "no-dns").unlink()
    until(lambda: rig.empty)
    assert rig.effects() == 1
    assert worker.exit_code is None


@pytest.mark.fault(44)
def test_a_worker_that_reaches_nothing_still_stops_when_told_to(rig: Rig) -> None:
    (rig.folder / "no-dns").touch()
    worker = rig.start(
        "first", AWS_ENDPOINT_URL="http://sqs.invalid", prepare=partial(_resolve_unless, rig.folder / "no-dns")
    )
    until(lambda: _failures(worker))
    worker.send(SIGTERM)
    assert worker.ended() == 0


def _resolve_unless(outage: Path) -> None:
    """Every name is this machine's, or during the outage nobody's."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: str, *arguments: object, **options: object) -> object:
        if outage.exists():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve("127.0.0.1", *arguments, **options)  # type: ignore[arg-type]

    socket.getaddrinfo = getaddrinfo  # type: ignore[assignment]
