"""Changes by hand: an earlier revision, more tasks for a while, a scheduled task now."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.operations import Aws, find_place, find_scheduled, find_worker, run_now, scale, tags
from tests.toolkit.operations.letters import REGION, MovedClock
from tests.toolkit.operations.world import ACCOUNT, World


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "80", "TZ": "UTC"}).invoke(app, list(arguments))


def deploy_image(world: World, image: str) -> None:
    """A deployment registers a new revision, and retires the one before."""
    ecs = world.client("ecs")
    before = ecs.describe_task_definition(taskDefinition="dev-Orders")["taskDefinition"]
    containers = [{**before["containerDefinitions"][0], "image": image}]
    after = ecs.register_task_definition(family="dev-Orders", containerDefinitions=containers)["taskDefinition"]
    ecs.update_service(cluster="dev-cluster", service="Orders", taskDefinition=after["taskDefinitionArn"])
    ecs.deregister_task_definition(taskDefinition=before["taskDefinitionArn"])


def running_image(world: World) -> str:
    definition = world.service("Orders")["taskDefinition"]
    answer = world.client("ecs").describe_task_definition(taskDefinition=definition)
    return answer["taskDefinition"]["containerDefinitions"][0]["image"]


def test_a_rollback_runs_the_revision_before_even_when_it_was_retired(world: World) -> None:
    deploy_image(world, "workers:2")

    ended = run("rollback", "dev", "Orders")

    assert ended.exit_code == 0, ended.stderr
    assert "Orders goes back to revision 1, as dev-Orders:3" in ended.stdout
    assert running_image(world) == "workers:1"


def test_revisions_are_listed_with_their_images(world: World) -> None:
    deploy_image(world, "workers:2")

    listed: list[dict[str, Any]] = json.loads(run("rollback", "dev", "Orders", "--list", "--json").stdout)

    assert [(each["number"], each["image"], each["current"]) for each in listed] == [
        (2, "workers:2", True),
        (1, "workers:1", False),
    ]
    assert running_image(world) == "workers:2"


def test_the_first_revision_has_none_before_it(world: World) -> None:
    ended = run("rollback", "dev", "Orders")

    assert ended.exit_code == 2
    assert ended.stderr == "Orders has no revision before the one that runs.\n"


def test_more_tasks_for_a_while_go_back_by_themselves(world: World) -> None:
    clock = MovedClock()
    aws = Aws(find_place("dev", folder=world.folder))

    end = scale(aws, find_worker(aws, "Orders"), least=5, lasting=7_200, clock=clock)

    assert (world.target("Orders")["MinCapacity"], world.target("Orders")["MaxCapacity"]) == (5, 10)
    (action,) = world.client("application-autoscaling").describe_scheduled_actions(ServiceNamespace="ecs")[
        "ScheduledActions"
    ]
    assert action["ScalableTargetAction"] == {"MinCapacity": 1, "MaxCapacity": 10}
    assert action["Schedule"] == f"at({datetime.fromtimestamp(end, UTC):%Y-%m-%dT%H:%M:%S})"


@pytest.mark.parametrize("least", ["0", "11"])
def test_a_number_outside_the_bounds_is_refused(world: World, least: str) -> None:
    ended = run("scale", "dev", "Orders", "--min", least, "--for", "1h")

    assert ended.exit_code == 2
    assert f"Orders has 1 to 10 tasks; {least} is outside." in ended.stderr


def test_a_paused_worker_is_not_scaled(world: World) -> None:
    run("pause", "dev", "Orders", "--why", "x")

    assert run("scale", "dev", "Orders", "--min", "0", "--for", "1h").stderr.endswith(
        "Orders is paused; resume it first.\n"
    )


def schedule(world: World) -> None:
    ecs = world.client("ecs")
    definition = ecs.register_task_definition(
        family="dev-Report",
        containerDefinitions=[
            {
                "name": "worker",
                "image": "workers:1",
                "memory": 512,
                "environment": [{"name": "WORKER_NAME", "value": "dev-W/Report"}],
            }
        ],
    )["taskDefinition"]["taskDefinitionArn"]
    variables = [
        {"name": "SCHEDULE_NAME", "value": "<aws.scheduler.schedule-arn>"},
        {"name": "SCHEDULED_TIME", "value": "<aws.scheduler.scheduled-time>"},
    ]
    world.client("scheduler").create_schedule(
        Name="report",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/dev-cluster",
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/scheduler",
            "EcsParameters": {
                "TaskDefinitionArn": definition,
                "LaunchType": "FARGATE",
                "NetworkConfiguration": {
                    "awsvpcConfiguration": {"Subnets": ["subnet-1"], "SecurityGroups": ["sg-1"]},
                },
            },
            "Input": json.dumps({"containerOverrides": [{"name": "worker", "environment": variables}]}),
        },
    )
    arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:dev-Report-RunFailed"
    world.tagging.resources[arn] = {tags.ENVIRONMENT: "dev", tags.WORKER: "dev-W/Report", tags.ROLE: "RunFailed"}


def test_a_scheduled_task_runs_now_as_its_schedule_would(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule(world)
    aws = Aws(find_place("dev", folder=world.folder))
    sent: dict[str, Any] = {}
    client = aws.client

    class Recording:
        def __init__(self, ecs: Any) -> None:
            self._ecs = ecs

        def __getattr__(self, name: str) -> Any:
            return getattr(self._ecs, name)

        def run_task(self, **request: Any) -> Any:
            sent.update(request)
            return {"tasks": [{"taskArn": "arn:aws:ecs:eu-west-1:1:task/dev-cluster/abc"}], "failures": []}

    monkeypatch.setattr(
        aws, "client", lambda service: Recording(client(service)) if service == "ecs" else client(service)
    )

    arn = run_now(aws, find_scheduled(aws, "Report"), clock=MovedClock())

    assert arn.endswith("/abc")
    assert sent["networkConfiguration"] == {
        "awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}
    }
    assert sent["launchType"] == "FARGATE"
    (override,) = sent["overrides"]["containerOverrides"]
    given = {each["name"]: each["value"] for each in override["environment"]}
    assert given["SCHEDULED_TIME"] == "2033-05-18T03:33:20Z"
    assert given["SCHEDULE_NAME"].startswith("arn:aws:scheduler:")


def test_an_unknown_task_is_one_sentence(world: World) -> None:
    schedule(world)

    ended = run("run", "dev", "Reprt")

    assert ended.exit_code == 2
    assert ended.stderr == 'dev has no scheduled task Reprt; it has Report. Did you mean "Report"?\n'
