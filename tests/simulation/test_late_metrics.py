"""A service of steps that may sleep, whatever CloudWatch makes of minutes that ECS or SQS have not reported yet."""

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_ec2 as ec2

from fargate_workers import QueueWorker, Scaling, WorkerCluster
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.builtin_loads import built_in
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.reading import read_service
from fargate_workers_toolkit.simulation.simulate import simulate
from tests.unit.stack_facts import image


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> ScaledService:
    folder = tmp_path_factory.mktemp("cdk.out")
    app = App(outdir=str(folder))
    stack = Stack(app, "Workers")
    vpc = ec2.Vpc.from_vpc_attributes(
        stack, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"], private_subnet_ids=["subnet-1"]
    )
    cluster = WorkerCluster(stack, "Cluster", network="nat", vpc=vpc)
    scaling = Scaling.on_queue_depth(min_tasks=0, max_tasks=50)
    QueueWorker(stack, "Orders", cluster=cluster, image=image(), concurrency=1, scaling=scaling)
    app.synth()
    return read_service(folder)


@pytest.mark.parametrize("load", ["drip", "burst"])
@pytest.mark.parametrize("service_lag", [60, 120])
def test_late_metrics_of_ecs_change_nothing(service: ScaledService, load: str, service_lag: float) -> None:
    def score(assumptions: Assumptions) -> tuple[float, float, int]:
        result = simulate(service, built_in(load), slo=300, assumptions=assumptions)
        return result.missed, result.task_hours, result.reversals

    as_usual = score(Assumptions())
    assert score(Assumptions(service_lag=service_lag, late_math="zeros")) == as_usual
    assert score(Assumptions(service_lag=service_lag, late_math="waits")) == as_usual
