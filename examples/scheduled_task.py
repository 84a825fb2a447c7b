"""A report every working day at six in Amsterdam, and an alarm when it fails or does not happen."""

from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from fargate_workers import Alerts, DeduplicationTable, ScheduledTask, WorkerCluster, worker_image


class Reports(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        alerts = Alerts(self, "Alerts", emails=["on-call@example.com"])
        report = ScheduledTask(
            self,
            "DailyReport",
            cluster=WorkerCluster(self, "Cluster", network="nat", alerts=alerts),
            image=worker_image("worker_image"),
            command=["python", "/app/daily_report.py"],
            schedule="cron(0 6 ? * MON-FRI *)",
            timezone="Europe/Amsterdam",
            claims=DeduplicationTable(self, "Claims"),  # a run that finds another one at work ends at once
        )
        s3.Bucket(self, "Published").grant_put(report)


if __name__ == "__main__":
    app = App()
    Reports(app, "Reports")
    app.synth()
