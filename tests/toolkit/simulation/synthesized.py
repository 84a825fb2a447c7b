"""Workers as they are synthesized, one for each scaling, and read again by the simulator."""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import App, Stack
from aws_cdk import aws_ec2 as ec2

from fargate_workers import QueueWorker, Scaling, WorkerCluster
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.reading.services import read_service
from tests.doubles.stack_facts import image


def synthesized(scalings: Mapping[str, Scaling], folder: Path) -> dict[str, ScaledService]:
    """By the scalings' names; each task handles one message at a time."""
    app = App(outdir=str(folder), context={"aws:cdk:enable-path-metadata": True})
    stack = Stack(app, "Workers")
    vpc = ec2.Vpc.from_vpc_attributes(
        stack, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"], private_subnet_ids=["subnet-1"]
    )
    cluster = WorkerCluster(stack, "Cluster", network="nat", vpc=vpc)
    for name, scaling in scalings.items():
        QueueWorker(stack, name, cluster=cluster, image=image(), concurrency=1, scaling=scaling)
    app.synth()
    return {name: read_service(folder, name=f"Workers/{name}") for name in scalings}
