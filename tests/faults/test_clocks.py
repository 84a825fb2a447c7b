"""Clocks that disagree, and the one limit of time that SQS sets.

Within a process nothing of the kind can happen: leases are counted by the monotonic clock, which knows neither leap
seconds nor corrections, and epochs have no daylight saving. Between workers it can: a lease in DynamoDB is written by
one clock and read by another. Up to `CLOCK_SKEW`, 2 seconds, all promises hold. Beyond it, a clock that is ahead takes
over keys whose owners are alive, so that two handlers run one message at the same time; and one that is behind leaves
a dead owner's key alone for as long as it is behind, while deliveries count. What holds whatever the clocks say: only
one of the two completes the key, and only one transaction is written.
"""

import time
import uuid
from collections.abc import Callable
from functools import partial

import pytest

from fargate_workers_runtime.brokers.sqs.sqs_broker import LONGEST_VISIBILITY
from fargate_workers_runtime.claims.dynamodb import DynamoDbClaims
from fargate_workers_runtime.claims.protocol import CLOCK_SKEW
from fargate_workers_runtime.pipeline.leases import Lease, Leases
from fargate_workers_runtime.testing import Clock, MemoryClaims, MemoryQueue
from tests.faults.injector import Fault
from tests.faults.rig import Rig, Server, until

MakeRig = Callable[..., Rig]

#: Seconds.
SKEW = 300


@pytest.mark.fault(38)
@pytest.mark.parametrize("ahead", [SKEW, -SKEW])
def test_two_workers_whose_clocks_differ_complete_a_key_once(server: Server, ahead: int) -> None:
    clock = Clock()
    scope = uuid.uuid4().hex
    claims = DynamoDbClaims(server.dynamodb, server.table, scope=scope, clock=clock)
    others = DynamoDbClaims(server.dynamodb, server.table, scope=scope, clock=lambda: clock() + ahead)
    assert claims.claim("1", owner="a", seconds=60).state == "granted"
    taken_over = others.claim("1", owner="b", seconds=60).state == "granted"
    assert taken_over == (ahead > 0)
    assert others.complete("1", owner="b") == taken_over
    assert claims.complete("1", owner="a") != taken_over


@pytest.mark.fault(38)
def test_a_clock_that_is_behind_delays_a_dead_workers_key_by_that_and_no_more(server: Server) -> None:
    clock = Clock()
    scope = uuid.uuid4().hex
    dead = DynamoDbClaims(server.dynamodb, server.table, scope=scope, clock=clock)
    behind = DynamoDbClaims(server.dynamodb, server.table, scope=scope, clock=lambda: clock() - SKEW)
    dead.claim("1", owner="a", seconds=60)
    clock.advance(60)
    claim = behind.claim("1", owner="b", seconds=60)
    assert claim.state == "held"
    assert SKEW - CLOCK_SKEW <= claim.seconds_left <= SKEW + CLOCK_SKEW
    clock.advance(claim.seconds_left + 0.01)
    assert behind.claim("1", owner="b", seconds=60).state == "granted"


@pytest.mark.fault(38)
@pytest.mark.parametrize("ahead", [SKEW, -SKEW])
def test_two_workers_whose_clocks_differ_write_one_transaction(make_rig: MakeRig, ahead: int) -> None:
    rig = make_rig(claims="dynamodb")
    (rig.folder / "hold-first").touch()
    rig.send(does="hold transact")
    first = rig.start("first")
    until(lambda: rig.history("begun"))
    rig.send(does="hold transact")
    second = rig.start("second", prepare=partial(_set_claims_clock, ahead))
    until(lambda: {"handled", "held_elsewhere"} & set(second.logged()))
    (rig.folder / "hold-first").unlink()
    until(lambda: rig.empty)
    assert rig.effects() == 1
    assert (first.logged() + second.logged()).count("handled") == 1


def _set_claims_clock(ahead: int) -> None:
    DynamoDbClaims.__init__.__kwdefaults__["clock"] = lambda: time.time() + ahead


@pytest.mark.fault(38)
def test_a_clock_that_aws_does_not_accept_is_named_in_the_log(rig: Rig) -> None:
    rig.send()
    worker = rig.start("first", faults=(Fault("ReceiveMessage", "skewed", calls=range(1, 4)),))
    until(lambda: rig.empty)
    line = next(line for line in worker.log() if line["event"] == "receive_failed")
    assert line["code"] == "RequestTimeTooSkewed"


@pytest.mark.fault(17)
def test_a_handler_that_reaches_the_twelve_hours_of_sqs_is_given_up_with_an_error_in_the_log() -> None:
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
    clock = Clock()
    queue = MemoryQueue([{"order_id": "1"}], clock=clock)
    overdue: list[Lease] = []
    leases = Leases(queue, MemoryClaims(clock=clock), seconds=120, on_overdue=overdue.append, clock=clock)
    received_at = clock()
    (lease,) = leases.hold(queue.receive(1, wait=0, lease=120))
    leases.handler_begins(lease, seconds=2 * LONGEST_VISIBILITY)
    while not overdue:
        clock.advance(10)
        leases.beat()
        assert queue.hidden == 1
    # While the queue could still have been asked for one more extension: it is never refused one.
    assert LONGEST_VISIBILITY - 3 * 120 <= clock() - received_at <= LONGEST_VISIBILITY - 120
    assert overdue == [lease]
    assert lease.lost
    clock.advance(120)
    assert queue.hidden == 0
