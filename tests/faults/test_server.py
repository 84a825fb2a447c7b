"""The server that the sweeps share is as strict as AWS where they lean on it."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.faults.rig import Server


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Let threads take turns every ten microseconds, so that what can come between two lines does."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless_threads")
def test_a_refused_transaction_takes_no_other_write_back(server: Server) -> None:
    # moto takes a transaction back by means of a copy of the table, which takes the longer the more there is in it.
    large = {"pk": {"S": "large"}, "numbers": {"L": [{"N": "1"}] * 500}}
    server.dynamodb.put_item(TableName=server.table, Item=large)

    with ThreadPoolExecutor(8) as threads:
        requests = [lambda: _refused(server), lambda: _counted(server)] * 40
        for request in [threads.submit(request) for request in requests]:
            request.result()

    items = {item["pk"]["S"]: item for item in server.dynamodb.scan(TableName=server.table)["Items"]}
    assert items.keys() == {"large", "counted"}
    assert items["counted"]["effects"] == {"N": "40"}


def _counted(server: Server) -> None:
    server.dynamodb.update_item(
        TableName=server.table,
        Key={"pk": {"S": "counted"}},
        UpdateExpression="ADD effects :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )


def _refused(server: Server) -> None:
    check = {
        "TableName": server.table,
        "Key": {"pk": {"S": "refused"}},
        "ConditionExpression": "attribute_exists(pk)",
    }
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        server.dynamodb.transact_write_items(TransactItems=[{"ConditionCheck": check}])
