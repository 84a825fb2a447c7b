"""Changes by hand: an earlier revision, more tasks for a while, a scheduled task now."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.operations import OperationsError, tags
from fargate_workers_toolkit.operations.changes import find_object, find_object_task, find_scheduled, run_now, scale
from fargate_workers_toolkit.operations.places import Aws, find_place
from fargate_workers_toolkit.operations.workers import find_worker
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


def test_a_second_rollback_does_not_bring_back_what_the_first_one_left(world: World) -> None:
    for image in ("workers:2", "workers:3"):
        deploy_image(world, image)
    run("rollback", "dev", "Orders")
    assert running_image(world) == "workers:2"

    listed = run("rollback", "dev", "Orders", "--list")
    ended = run("rollback", "dev", "Orders")

    assert "runs, as 2" in listed.stdout
    assert "Orders goes back to revision 1, as dev-Orders:5" in ended.stdout
    assert running_image(world) == "workers:1"


def test_the_first_revision_has_none_before_it(world: World) -> None:
    ended = run("rollback", "dev", "Orders")

    assert ended.exit_code == 2
    assert ended.stderr == ("Orders has no revision before the one that runs; --list shows all, and --to names one.\n")


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


def announce_objects(world: World) -> None:
    """A bucket with an object, the rule that starts the task Import for it, and the rule's alarm."""
    s3, events, ecs = (world.client(service) for service in ("s3", "events", "ecs"))
    s3.create_bucket(Bucket="files", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket="files", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"older", b"newest"):
        s3.put_object(Bucket="files", Key="in/1.csv", Body=body)
    s3.put_object(Bucket="files", Key="in/1.csv.done", Body=b"")
    definition = ecs.register_task_definition(
        family="dev-Import", containerDefinitions=[{"name": "worker", "image": "workers:1", "memory": 512}]
    )["taskDefinition"]["taskDefinitionArn"]
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": ["files"]}, "object": {"key": [{"prefix": "in/"}]}}}
    events.put_rule(Name="import", EventPattern=json.dumps(pattern))
    pairs = [("OBJECT_KEY", "<key>"), ("OBJECT_VERSION_ID", "<version>"), ("OBJECT_SIZE", '"<size>"')]
    pairs += [("OBJECT_SEQUENCER", "<sequencer>"), ("OBJECT_ETAG", "<etag>"), ("OBJECT_BUCKET", "<bucket>")]
    environment = ",".join(f'{{"name":"{name}","value":{value}}}' for name, value in pairs)
    paths = {"version": "version-id"} | {name: name for name in ("key", "size", "sequencer", "etag")}
    events.put_targets(
        Rule="import",
        Targets=[
            {
                "Id": "Task",
                "Arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/dev-cluster",
                "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/rule",
                "EcsParameters": {
                    "TaskDefinitionArn": definition,
                    "CapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
                    "NetworkConfiguration": {
                        "awsvpcConfiguration": {"Subnets": ["subnet-1"], "AssignPublicIp": "DISABLED"}
                    },
                },
                "InputTransformer": {
                    "InputPathsMap": {"bucket": "$.detail.bucket.name"}
                    | {name: f"$.detail.object.{path}" for name, path in paths.items()},
                    "InputTemplate": f'{{"containerOverrides":[{{"name":"worker","environment":[{environment}]}}]}}',
                },
            }
        ],
    )
    world.client("cloudwatch").put_metric_alarm(
        AlarmName="dev-Import-InvocationsFailed",
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        Metrics=[
            {
                "Id": "failed",
                "ReturnData": True,
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/Events",
                        "MetricName": "FailedInvocations",
                        "Dimensions": [{"Name": "RuleName", "Value": "import"}],
                    },
                    "Period": 60,
                    "Stat": "Sum",
                },
            }
        ],
    )
    arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:dev-Import-InvocationsFailed"
    world.tagging.resources[arn] = {
        tags.ENVIRONMENT: "dev",
        tags.WORKER: "dev-W/Import",
        tags.ROLE: "InvocationsFailed",
    }


def test_the_task_of_an_object_runs_now_as_its_rule_would(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    announce_objects(world)
    sent: dict[str, Any] = {}
    client = Aws.client

    class Recording:
        def run_task(self, **request: Any) -> Any:
            sent.update(request)
            return {"tasks": [{"taskArn": "arn:aws:ecs:eu-west-1:1:task/dev-cluster/abc"}], "failures": []}

    monkeypatch.setattr(Aws, "client", lambda self, service: Recording() if service == "ecs" else client(self, service))

    ended = run("run", "dev", "Import", "--object", "s3://files/in/1.csv")

    assert ended.exit_code == 0, ended.stderr
    assert "Import starts for s3://files/in/1.csv as the task abc." in " ".join(ended.stdout.split())
    newest = world.client("s3").head_object(Bucket="files", Key="in/1.csv")
    (override,) = sent["overrides"]["containerOverrides"]
    assert {each["name"]: each["value"] for each in override["environment"]} == {
        "OBJECT_BUCKET": "files",
        "OBJECT_KEY": "in/1.csv",
        "OBJECT_VERSION_ID": newest["VersionId"],
        "OBJECT_SIZE": "6",
        "OBJECT_ETAG": newest["ETag"].strip('"'),
        "OBJECT_SEQUENCER": "",
    }
    assert sent["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE", "weight": 1}]
    assert sent["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": ["subnet-1"],
        "assignPublicIp": "DISABLED",
    }


@pytest.mark.parametrize(
    ("task", "address", "sentence"),
    [
        ("Import", "files/in/1.csv", '"files/in/1.csv" is no address of an object; write it like s3://bucket/key.'),
        ("Import", "s3://others/in/1.csv", "The rule of Import passes no s3://others/in/1.csv, but objects of files."),
        (
            "Import",
            "s3://files/out/1.csv",
            'The rule of Import passes no s3://files/out/1.csv, but keys with {"prefix"',
        ),
        ("Import", "s3://files/in/1.cs", "There is no object s3://files/in/1.cs, or it was deleted."),
        (
            "Imprt",
            "s3://files/in/1.csv",
            "dev has no task Imprt that a rule starts for objects (rules with alarms: Import). ",
        ),
    ],
)
def test_an_object_that_the_rule_would_not_pass_is_one_sentence(
    world: World, task: str, address: str, sentence: str
) -> None:
    announce_objects(world)

    ended = run("run", "dev", task, "--object", address)

    assert ended.exit_code == 2
    assert ended.stderr.startswith(sentence)
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("wanted", "key", "fits"),
    [
        ("a.csv", "a.csv", True),
        ({"prefix": "in/"}, "out/a", False),
        ({"suffix": ".csv"}, "in/a.csv", True),
        ({"wildcard": "in/*.csv"}, "in/deep/a.csv", True),
        ({"wildcard": r"in\*/*.csv"}, "in*/a.csv", True),
        ({"wildcard": r"in\*/*.csv"}, "in1/a.csv", False),
        ({"anything-but": "a"}, "b", False),
    ],
)
def test_a_key_is_compared_as_eventbridge_does(world: World, wanted: Any, key: str, fits: bool) -> None:
    announce_objects(world)
    aws = Aws(find_place("dev", folder=world.folder))
    found = find_object_task(aws, "Import")
    world.client("s3").put_object(Bucket="files", Key=key, Body=b"x")
    of_key = replace(found, pattern={"detail": {"bucket": {"name": ["files"]}, "object": {"key": [wanted]}}})

    if fits:
        assert find_object(aws, f"s3://files/{key}", of_key).key == key
    else:
        with pytest.raises(OperationsError, match="The rule of Import passes no"):
            find_object(aws, f"s3://files/{key}", of_key)
