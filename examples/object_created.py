"""Uploaded files: small ones become messages, each large one starts a task of its own."""

from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from fargate_workers import ObjectCreatedTask, QueueWorker, WorkerCluster, worker_image


class Uploads(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        cluster = WorkerCluster(self, "Cluster", network="nat")
        image = worker_image("worker_image")
        files = s3.Bucket(self, "Files")

        small = QueueWorker(self, "Small", cluster=cluster, image=image)
        small.on_object_created(files, prefix="incoming/", suffix=".csv")
        files.grant_read(small)

        ObjectCreatedTask(
            self,
            "Large",
            cluster=cluster,
            image=image,
            command=["python", "/app/import_large.py"],
            bucket=files,
            prefix="bulk/",
            cpu=1024,
            memory_mib=4096,
        )


if __name__ == "__main__":
    app = App()
    Uploads(app, "Uploads")
    app.synth()
