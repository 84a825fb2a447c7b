"""The handler's writes and the completion in one transaction: both or neither, and so no window between them."""

import uuid
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.errorfactory import ClientExceptionsFactory
from botocore.exceptions import ClientError

from fargate_workers_runtime.claims.dynamodb import DynamoDbClaims
from fargate_workers_runtime.claims.protocol import TransactionalClaims
from fargate_workers_runtime.testing import Clock, MemoryClaims


@pytest.fixture(scope="module")
def tables(aws: None) -> None:
    for name in ("claims", "orders"):
        boto3.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )


@pytest.fixture
def client(tables: None) -> Any:
    return boto3.client("dynamodb")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scope() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def claims(client: Any, scope: str, clock: Clock) -> DynamoDbClaims:
    return DynamoDbClaims(client, "claims", scope=scope, clock=clock)


@pytest.fixture
def order() -> str:
    return uuid.uuid4().hex


def put(order: str, *, if_new: bool = False) -> dict[str, Any]:
    condition = {"ConditionExpression": "attribute_not_exists(pk)"} if if_new else {}
    return {"Put": {"TableName": "orders", "Item": {"pk": {"S": order}, "label": {"B": b"\x00"}}, **condition}}


def ship(order: str) -> dict[str, Any]:
    """An effect that shows how often it happened."""
    return {
        "Update": {
            "TableName": "orders",
            "Key": {"pk": {"S": order}},
            "UpdateExpression": "ADD shipped :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }


def stored(client: Any, order: str) -> dict[str, Any] | None:
    return client.get_item(TableName="orders", Key={"pk": {"S": order}}).get("Item")


def shipped(client: Any, order: str) -> int:
    return int((stored(client, order) or {}).get("shipped", {}).get("N", "0"))


def test_the_writes_and_the_completion_happen_together(claims: DynamoDbClaims, client: Any, order: str) -> None:
    claims.claim("k", owner="a", seconds=120)
    assert claims.complete_with("k", owner="a", items=[put(order)])
    assert stored(client, order)
    assert claims.claim("k", owner="b", seconds=120).state == "completed"
    assert claims.complete("k", owner="a")


def test_a_late_owner_writes_nothing(claims: DynamoDbClaims, client: Any, clock: Clock, order: str) -> None:
    claims.claim("k", owner="a", seconds=120)
    clock.advance(121)
    claims.claim("k", owner="b", seconds=120)
    assert not claims.complete_with("k", owner="a", items=[put(order)])
    assert stored(client, order) is None
    assert claims.complete_with("k", owner="b", items=[put(order)])


def test_an_owner_that_lost_its_key_to_one_who_is_done_is_told_so(
    claims: DynamoDbClaims, client: Any, clock: Clock, order: str
) -> None:
    claims.claim("k", owner="a", seconds=120)
    clock.advance(121)
    claims.claim("k", owner="b", seconds=120)
    assert claims.complete_with("k", owner="b", items=[put(order, if_new=True)])
    assert not claims.complete_with("k", owner="a", items=[put(order, if_new=True)])


def test_a_failed_condition_of_the_handlers_own_is_raised_and_nothing_is_done(
    claims: DynamoDbClaims, client: Any, order: str
) -> None:
    other = uuid.uuid4().hex
    client.put_item(TableName="orders", Item={"pk": {"S": order}})
    claims.claim("k", owner="a", seconds=120)
    with pytest.raises(client.exceptions.TransactionCanceledException) as caught:
        claims.complete_with("k", owner="a", items=[put(other), put(order, if_new=True)])
    reasons = [reason["Code"] for reason in caught.value.response["CancellationReasons"]]
    assert reasons == ["None", "ConditionalCheckFailed", "None"]  # in the order of the items
    assert stored(client, other) is None
    assert claims.renew("k", owner="a", seconds=120)


class LosesFirstAnswer:
    """A client whose transaction is committed twice, as by a retry after ten minutes, when DynamoDB has forgotten it.

    Within ten minutes the client's request token makes the second one an answer:
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def update_item(self, **call: Any) -> Any:
        return self._client.update_item(**call)

    def transact_write_items(self, **call: Any) -> Any:
        self._client.transact_write_items(**call)
        return self._client.transact_write_items(**call)


def test_a_transaction_whose_answer_is_lost_happens_once_and_is_known_again(
    client: Any, clock: Clock, order: str
) -> None:
    claims = DynamoDbClaims(LosesFirstAnswer(client), "claims", scope=order, clock=clock)  # type: ignore[arg-type]
    claims.claim("k", owner="a", seconds=120)
    assert claims.complete_with("k", owner="a", items=[ship(order), put(order + "2", if_new=True)])
    assert shipped(client, order) == 1


def test_a_refusal_is_known_when_another_thread_has_just_made_the_classes_of_errors_anew(
    claims: DynamoDbClaims, client: Any, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two threads that meet a client's first error make them twice, and one raises what the other does not know.
    monkeypatch.setattr(type(client), "exceptions", property(lambda client: client._load_exceptions()))  # noqa: SLF001  botocore's
    monkeypatch.setattr(client._exceptions_factory, "create_client_exceptions", _made_anew)  # noqa: SLF001
    claims.claim("k", owner="b", seconds=120)
    assert not claims.complete_with("k", owner="a", items=[put(order)])


def _made_anew(service_model: Any) -> Any:
    return ClientExceptionsFactory().create_client_exceptions(service_model)


@pytest.fixture(params=["memory", "moto"])
def either(request: pytest.FixtureRequest, claims: DynamoDbClaims) -> TransactionalClaims:
    return MemoryClaims() if request.param == "memory" else claims


def test_both_tables_of_claims_can_commit(either: TransactionalClaims) -> None:
    assert isinstance(either, TransactionalClaims)


def test_writes_beside_those_that_were_committed_are_an_error_and_not_dropped(
    either: TransactionalClaims, order: str
) -> None:
    either.claim("k", owner="a", seconds=120)
    assert either.complete_with("k", owner="a", items=[put(order)])
    assert either.complete_with("k", owner="a", items=[put(order)])
    with pytest.raises(ValueError, match="put all its writes into one transaction"):
        either.complete_with("k", owner="a", items=[put(order + "2")])


def test_writes_after_a_plain_completion_are_an_error_and_not_dropped(either: TransactionalClaims, order: str) -> None:
    either.claim("k", owner="a", seconds=120)
    either.complete("k", owner="a")
    with pytest.raises(ValueError, match="put all its writes into one transaction"):
        either.complete_with("k", owner="a", items=[put(order)])


def test_a_transaction_takes_99_writes(either: TransactionalClaims, order: str) -> None:
    either.claim("k", owner="a", seconds=120)
    items = [put(f"{order}{n}") for n in range(100)]
    with pytest.raises(ValueError, match="There are 100 writes in one transaction; make it at most 99"):
        either.complete_with("k", owner="a", items=items)
    assert either.complete_with("k", owner="a", items=items[:99])


def test_claims_in_memory_keep_the_transactions_that_were_committed(order: str) -> None:
    claims = MemoryClaims()
    claims.claim("k", owner="another", seconds=60)
    assert not claims.complete_with("k", owner="a", items=[put(order)])
    claims.release("k", owner="another")
    claims.claim("k", owner="a", seconds=120)
    assert claims.complete_with("k", owner="a", items=[put(order)])
    assert claims.complete_with("k", owner="a", items=[put(order)])
    assert claims.transactions == [[put(order)]]


def test_a_key_that_was_forgotten_while_it_was_claimed_is_completed_with_its_writes_once(
    claims: DynamoDbClaims, client: Any, scope: str, order: str
) -> None:
    claims.claim("k", owner="a", seconds=60)
    client.delete_item(TableName="claims", Key={"pk": {"S": f"{scope}#k"}})
    for _ in range(2):
        assert claims.complete_with("k", owner="a", items=[put(order, if_new=True)])
    assert claims.claim("k", owner="b", seconds=60).state == "completed"


class Killed(Exception):  # noqa: N818  a thing that happens, not an error
    pass


Steps = list[Callable[[], object]]


def run(steps: Steps, *, killed_after: int | None = None) -> None:
    for number, step in enumerate(steps, start=1):
        step()
        if number == killed_after:
            raise Killed


@pytest.mark.parametrize("killed_after", [1, 2])
def test_a_kill_between_any_two_steps_leaves_one_effect_when_it_is_transacted(
    claims: DynamoDbClaims, client: Any, clock: Clock, order: str, killed_after: int
) -> None:
    def steps(owner: str) -> Steps:
        return [
            lambda: claims.claim("k", owner=owner, seconds=120),
            lambda: claims.complete_with("k", owner=owner, items=[ship(order)]),
            lambda: None,  # acknowledged
        ]

    with pytest.raises(Killed):
        run(steps("a"), killed_after=killed_after)
    clock.advance(121)
    if claims.claim("k", owner="b", seconds=120).state == "granted":
        run(steps("b"))
    assert shipped(client, order) == 1
    assert claims.claim("k", owner="c", seconds=120).state == "completed"


@pytest.mark.parametrize(("killed_after", "effects"), [(1, 1), (2, 2), (3, 1)])
def test_a_kill_between_the_effect_and_its_completion_repeats_an_effect_that_is_not(
    claims: DynamoDbClaims, clock: Clock, killed_after: int, effects: int
) -> None:
    done: list[str] = []

    def steps(owner: str) -> Steps:
        return [
            lambda: claims.claim("k", owner=owner, seconds=120),
            lambda: done.append(owner),
            lambda: claims.complete("k", owner=owner),
            lambda: None,
        ]

    with pytest.raises(Killed):
        run(steps("a"), killed_after=killed_after)
    clock.advance(121)
    if claims.claim("k", owner="b", seconds=120).state == "granted":
        run(steps("b"))
    assert len(done) == effects


def test_a_fault_of_the_store_is_raised(client: Any, clock: Clock, order: str) -> None:
    claims = DynamoDbClaims(client, "no-such-table", scope=order, clock=clock)
    with pytest.raises(ClientError):
        claims.complete_with("k", owner="a", items=[put(order)])
    assert stored(client, order) is None
