"""Receipts for a few orders a day: the workers' image and handler as a function, with no task to pay for at night."""

from aws_cdk import App, Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from fargate_workers import DeduplicationTable, QueueFunction, worker_image


class Receipts(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        order_id = dynamodb.Attribute(name="order_id", type=dynamodb.AttributeType.STRING)
        receipts = dynamodb.TableV2(self, "Table", partition_key=order_id)
        function = QueueFunction(
            self,
            "Receipts",
            image=worker_image("worker_image"),
            # Its attribute `handler` is what Lambda calls.
            command="order_pipeline.order_receipts",
            environment={"RECEIPTS_TABLE_NAME": receipts.table_name},
            claims=DeduplicationTable(self, "Claims"),
            # Twenty invocations at most, each with ten messages side by side: the table takes no more.
            max_concurrency=20,
            max_processing=Duration.seconds(30),
        )
        receipts.grant_write_data(function)


if __name__ == "__main__":
    app = App()
    Receipts(app, "Receipts")
    app.synth()
