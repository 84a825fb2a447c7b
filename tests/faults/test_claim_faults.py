"""The store of claims refuses, stalls, and keeps what it should have forgotten; and two want one key."""

import uuid
from collections.abc import Callable
from itertools import count

import pytest

from fargate_workers_runtime.claims.dynamodb import DynamoDbClaims
from fargate_workers_runtime.claims.protocol import KEEP_SECONDS
from fargate_workers_runtime.testing import Clock
from tests.faults.injector import Fault
from tests.faults.rig import Rig, Server, until

MakeRig = Callable[..., Rig]


@pytest.mark.fault(24)
def test_a_throttled_claim_is_repeated_before_anything_runs(make_rig: MakeRig) -> None:
    rig = make_rig(claims="dynamodb")
    message = rig.send()
    rig.start("first", faults=(Fault("UpdateItem", "throttle", calls=(1, 2)),))
    until(lambda: rig.empty)
    assert message.approximate_receive_count == 1
    assert rig.effects() == 1


@pytest.mark.fault(24)
def test_a_store_of_claims_that_stays_away_costs_each_message_in_hand_one_delivery(make_rig: MakeRig) -> None:
    rig = make_rig(claims="dynamodb")
    outage = rig.folder / "outage"
    outage.touch()
    messages = [rig.send(str(number)) for number in range(5)]
    worker = rig.start(
        "first",
        CONCURRENCY="2",
        faults=(Fault("UpdateItem", "throttle", during=outage), Fault("GetItem", "throttle", during=outage)),
    )
    until(lambda: worker.logged().count("store_unavailable") >= 2)
    delivered = [message.approximate_receive_count for message in messages]
    assert rig.history("begun") == []
    assert max(delivered) == 1
    assert sum(delivered) < 5  # it receives no more, rather than to burn deliveries
    outage.unlink()
    until(lambda: rig.empty)
    assert "store_available" in worker.logged()
    assert [message.approximate_receive_count for message in messages] == [1 + before for before in delivered]
    assert sorted(rig.history("effect")) == [
        (str(number), 1 + before) for number, before in zip(count(), delivered, strict=False)
    ]


@pytest.mark.fault(25)
def test_a_message_whose_key_another_worker_holds_waits_for_it(make_rig: MakeRig) -> None:
    rig = make_rig(claims="dynamodb")
    (rig.folder / "hold").touch()
    rig.send(does="hold")
    first = rig.start("first")
    until(lambda: rig.history("begun"))
    copy = rig.send(does="hold")
    second = rig.start("second")
    until(lambda: "held_elsewhere" in second.logged())
    until(lambda: copy in rig.hidden)
    (rig.folder / "hold").unlink()
    until(lambda: rig.empty)
    assert rig.history("begun") == [("1", 1)]
    assert rig.effects() == 1
    assert rig.dead_letters == []
    assert (first.logged() + second.logged()).count("duplicate") == 1


@pytest.mark.fault(27)
def test_what_dynamodb_has_not_deleted_yet_counts_as_forgotten_all_the_same(server: Server) -> None:
    # TTL deletes within days: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
    clock = Clock()
    claims = DynamoDbClaims(server.dynamodb, server.table, scope=uuid.uuid4().hex, clock=clock)
    assert claims.claim("1", owner="a", seconds=60).state == "granted"
    assert claims.complete("1", owner="a")
    clock.advance(KEEP_SECONDS - 1)
    assert claims.claim("1", owner="b", seconds=60).state == "completed"
    clock.advance(2)
    assert claims.claim("1", owner="b", seconds=60).state == "granted"


@pytest.mark.fault(27)
def test_a_lease_that_lapsed_is_free_though_its_record_is_there(server: Server) -> None:
    clock = Clock()
    claims = DynamoDbClaims(server.dynamodb, server.table, scope=uuid.uuid4().hex, clock=clock)
    claims.claim("1", owner="a", seconds=60)
    clock.advance(59)
    assert claims.claim("1", owner="b", seconds=60).state == "held"
    clock.advance(2)
    assert claims.claim("1", owner="b", seconds=60).state == "granted"
    assert not claims.complete("1", owner="a")
