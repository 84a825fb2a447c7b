"""Each queue system as the scenario uses it: send orders, name what handles them, and read what it wrote."""

import json
import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import redis
from confluent_kafka import Producer

from fargate_workers_toolkit.local import RunningSystem
from scenarios.every_broker.orders import Order

STAGE = "local-brokers"
_TABLE = "AWS::DynamoDB::GlobalTable"


class System(ABC):
    """One queue system with its worker.

    Args:
        running: The deployed app.
        name: What a reader calls it.
        worker: The construct path of what handles its messages.
    """

    def __init__(self, running: RunningSystem, *, name: str, worker: str) -> None:
        self.running = running
        self.name = name
        self.worker = f"{STAGE}/{worker}"

    @abstractmethod
    def send(self, orders: Sequence[Order]) -> None:
        """Send the orders, in their sequence.

        Args:
            orders: The orders.
        """

    @abstractmethod
    def written(self) -> dict[str, int]:
        """The amount of each order that its worker has written."""

    def processes(self) -> list[int]:
        """The numbers of the processes that handle its messages."""
        return [each.pid for each in self.running.processes(self.worker)]

    def variables(self) -> Mapping[str, str]:
        """The variables of the worker's container."""
        ecs, service = self.running.client("ecs"), self.running.service(self.worker)
        (found,) = ecs.describe_services(cluster=service.cluster, services=[service.name])["services"]
        definition = ecs.describe_task_definition(taskDefinition=found["taskDefinition"])["taskDefinition"]
        return {each["name"]: each["value"] for each in definition["containerDefinitions"][0]["environment"]}

    def receipts(self, table: str) -> dict[str, int]:
        """The amount of each order in a table.

        Args:
            table: The construct path of the table, below the stage.
        """
        name = self.running.physical_id(f"{STAGE}/{table}", type=_TABLE)
        pages = self.running.client("dynamodb").get_paginator("scan").paginate(TableName=name)
        items = [item for page in pages for item in page["Items"]]
        return {item["order_id"]["S"]: int(item["amount_cents"]["N"]) for item in items}


class Queue(System):
    """An SQS queue, whose worker writes into a table.

    Args:
        running: The deployed app.
        name: What a reader calls it.
        worker: The construct path of what handles its messages.
        queue: The construct path of the queue, below the stage.
        table: The construct path of the table, below the stage.
    """

    def __init__(self, running: RunningSystem, *, name: str, worker: str, queue: str, table: str) -> None:
        super().__init__(running, name=name, worker=worker)
        self._queue = queue
        self._table = table

    def send(self, orders: Sequence[Order]) -> None:
        sqs = self.running.client("sqs")
        url = self.running.physical_id(f"{STAGE}/{self._queue}", type="AWS::SQS::Queue")
        for first in range(0, len(orders), 10):
            entries = [
                {"Id": str(number), "MessageBody": json.dumps(self._body(order))}
                for number, order in enumerate(orders[first : first + 10])
            ]
            sqs.send_message_batch(QueueUrl=url, Entries=entries)

    def written(self) -> dict[str, int]:
        return self.receipts(self._table)

    def _body(self, order: Order) -> dict[str, Any]:
        return order.body()


class Function(Queue):
    """A queue that a function drains."""

    def processes(self) -> list[int]:
        name = self.running.physical_id(self.worker, type="AWS::Lambda::Function")
        return [
            each["pid"]
            for each in self.running.aws.get("containers")
            if each["name"] == name and each["status"] == "running"
        ]


class Database(Queue):
    """A queue whose worker writes payments into PostgreSQL."""

    def send(self, orders: Sequence[Order]) -> None:
        tables = self.running.workspace.root / "worker_image" / "order_pipeline" / "payments.sql"
        self.running.sql(self._table, tables.read_text(encoding="utf-8"))  # makes what is not there
        super().send(orders)

    def written(self) -> dict[str, int]:
        rows = self.running.sql(self._table, "SELECT payment_id, amount_cents FROM payments")
        return {payment: int(amount) for payment, amount in rows}

    def _body(self, order: Order) -> dict[str, Any]:
        return {
            "payment_id": order.order_id,
            "customer_id": order.customer_id,
            "amount_cents": order.amount_cents,
        }


class Topic(System):
    """A Kafka topic."""

    def send(self, orders: Sequence[Order]) -> None:
        variables = self.variables()
        brokers = self.running.client("kafka").get_bootstrap_brokers(ClusterArn=variables["KAFKA_CLUSTER_ARN"])
        producer: Any = Producer({"bootstrap.servers": brokers["BootstrapBrokerStringSaslIam"], "acks": "all"})
        for order in orders:
            producer.produce(variables["KAFKA_TOPIC"], key=order.customer_id, value=json.dumps(order.body()))
        producer.flush(60)

    def written(self) -> dict[str, int]:
        return self.receipts("Kafka/Receipts/Table")


class RedisSystem(System):
    """A stream or a list on a cache."""

    def client(self) -> Any:
        """A client of the cache, as a worker connects; any password is accepted, because there is no IAM to ask."""
        variables = self.variables()
        return redis.Redis(
            host=variables["BROKER_REDIS_HOST"],
            port=int(variables["BROKER_REDIS_PORT"]),
            ssl=True,
            ssl_ca_certs=str(self.running.workspace.certificate_authority),
            ssl_cert_reqs=ssl.CERT_REQUIRED,
            username=variables["BROKER_REDIS_USER"],
            password="any",  # noqa: S106
        )


class RedisStream(RedisSystem):
    """A Redis stream."""

    def send(self, orders: Sequence[Order]) -> None:
        client, name = self.client(), self.variables()["STREAM_NAME"]
        for order in orders:
            client.xadd(name, {"body": json.dumps(order.body())})

    def written(self) -> dict[str, int]:
        return self.receipts("RedisStream/Receipts/Table")


class RedisList(RedisSystem):
    """A Redis list, filled as producers do that know nothing of its worker."""

    def send(self, orders: Sequence[Order]) -> None:
        client, name = self.client(), self.variables()["LIST_NAME"]
        for order in orders:
            client.lpush(name, json.dumps(order.body()))

    def written(self) -> dict[str, int]:
        return self.receipts("RedisList/Receipts/Table")


def every_system(running: RunningSystem) -> Sequence[System]:
    """The six systems.

    Args:
        running: The deployed app.
    """
    return list(_systems(running))


def _systems(running: RunningSystem) -> Iterator[System]:
    yield Function(
        running,
        name="Lambda function",
        worker="Function/WriteReceipts",
        queue="Function/Orders/Queue",
        table="Function/Receipts/Table",
    )
    yield Queue(running, name="SQS", worker="Workers/ApplyOrders", queue="Data/OrdersQueue/Queue", table="Data/Orders")
    yield Database(
        running,
        name="PostgreSQL",
        worker="Database/RecordPayments",
        queue="Database/PaymentsQueue/Queue",
        table=f"{STAGE}/Database/Payments",
    )
    yield Topic(running, name="Kafka", worker="Kafka/WriteReceiptsFromKafka")
    yield RedisStream(running, name="Redis stream", worker="RedisStream/WriteReceiptsFromStream")
    yield RedisList(running, name="Redis list", worker="RedisList/WriteReceiptsFromList")
