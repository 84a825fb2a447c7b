"""Uploaded videos get thumbnails, a partner receives each at its own pace, and every night a report counts both."""

from pathlib import Path

from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from fargate_workers import ObjectCreatedTask, QueueWorker, RedisCache, ScheduledTask, WorkerCluster, worker_image


class VideoThumbnails(Stack):
    """One stack: a bucket for videos, one for thumbnails, the partner's, and three tasks between them."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        image = worker_image(Path(__file__).with_name("worker_image"))
        cluster = WorkerCluster(self, "Cluster", network="public")
        videos, thumbnails = s3.Bucket(self, "Videos"), s3.Bucket(self, "Thumbnails")
        partner = s3.Bucket(self, "Partner")  # stands for the partner's own; import that one instead

        # The partner takes five files a second, from however many tasks; Redis counts for all of them.
        limits = RedisCache(self, "Limits", cluster=cluster, eviction="noeviction")
        deliver = QueueWorker(
            self,
            "Deliver",
            cluster=cluster,
            image=image,
            command=["python", "-m", "thumbnails.deliver"],
            environment={"THUMBNAILS": thumbnails.bucket_name, "PARTNER": partner.bucket_name},
            claims=limits,
            max_downstream_rate=5,
        )
        thumbnails.grant_read(deliver)
        partner.grant_put(deliver)

        # A video is large and uploads are rare: a task for each of them.
        make = ObjectCreatedTask(
            self,
            "Make",
            cluster=cluster,
            image=image,
            command=["python", "-m", "thumbnails.make"],
            bucket=videos,
            suffix=".mp4",
            environment={"THUMBNAILS": thumbnails.bucket_name, "DELIVER_QUEUE_URL": deliver.queue.queue_url},
        )
        thumbnails.grant_put(make)
        deliver.queue.grant_send_messages(make)

        report = ScheduledTask(
            self,
            "Report",
            cluster=cluster,
            image=image,
            command=["python", "-m", "thumbnails.report"],
            schedule="cron(0 3 * * ? *)",
            environment={"VIDEOS": videos.bucket_name, "THUMBNAILS": thumbnails.bucket_name},
        )
        videos.grant_read(report)
        thumbnails.grant_read_write(report)


app = App()
VideoThumbnails(app, "VideoThumbnails")
app.synth()
