"""An app with one worker for each kind of scaling, whose tasks run the paced worker."""

import json
import sys
from pathlib import Path

from aws_cdk import App, Duration, Environment, Stack, Stage
from aws_cdk import aws_ec2 as ec2

from fargate_workers import QueueWorker, Scaling, WorkerCluster, worker_image

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("paced_worker.py")
REGION = "eu-west-1"
MOST_TASKS = 12

# The planner is told twice the work there is, which it has to measure.
SCALINGS = {
    "ByDepth": Scaling.on_queue_depth({15: 1, 60: 3}, max_tasks=MOST_TASKS),
    "ByBacklog": Scaling.on_backlog_per_task(10, max_tasks=MOST_TASKS),
    "ByLatency": Scaling.for_latency(
        acceptable_latency=Duration.minutes(6), processing_time=Duration.seconds(30), max_tasks=MOST_TASKS
    ),
    "ByLatencyInMath": Scaling.for_latency(
        acceptable_latency=Duration.minutes(6),
        processing_time=Duration.seconds(15),
        max_tasks=MOST_TASKS,
        function=False,
    ),
}

# What the CDK CLI adds when it synthesizes: by these, resources are found by path, and functions' code in the assembly.
LIKE_THE_CLI = {"aws:cdk:enable-path-metadata": True, "aws:cdk:enable-asset-metadata": True}


def synthesize(folder: Path, *, foreman_port: int, work_seconds: float) -> None:
    """The stage has the name under which the local environment deploys."""
    flags = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = App(outdir=str(folder), context={**flags, **LIKE_THE_CLI})
    stage = Stage(app, "local", env=Environment(account="000000000000", region=REGION))
    stack = Stack(stage, "Scaled")
    vpc = ec2.Vpc.from_vpc_attributes(
        stack, "Vpc", vpc_id="vpc-1", availability_zones=[f"{REGION}a"], private_subnet_ids=["subnet-1"]
    )
    cluster = WorkerCluster(stack, "Cluster", network="nat", vpc=vpc)
    for name, scaling in SCALINGS.items():
        QueueWorker(
            stack,
            name,
            cluster=cluster,
            image=worker_image(ROOT / "worker_image"),
            # The image is the real one, with the runtime; only the program is another.
            command=[sys.executable, str(PROGRAM), str(foreman_port), str(work_seconds)],
            scaling=scaling,
            concurrency=1,
            health_check=False,
        )
    app.synth()
