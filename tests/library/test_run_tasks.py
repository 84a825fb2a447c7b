"""Tasks that EventBridge and Scheduler start: exactly this revision, told what it is for, watched when it is not."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from fargate_workers.alarms.alerts import Alerts
from fargate_workers.cluster.worker_cluster import WorkerCluster
from fargate_workers.stores.deduplication_table import DeduplicationTable
from fargate_workers.stores.redis_cache import RedisCache
from fargate_workers.tasks.object_created_task import ObjectCreatedTask
from fargate_workers.tasks.scheduled_task import ScheduledTask

Resources = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def stacks(context: dict[str, Any]) -> dict[str, Resources]:
    app = App(context=context)
    platform, data, workers, bare = (Stack(app, name) for name in ("Platform", "Data", "Workers", "Bare"))
    alerts = Alerts(platform, "Alerts")
    cluster = WorkerCluster(platform, "Cluster", network="endpoints", alerts=alerts)
    image = ecs.ContainerImage.from_registry("example.com/worker")
    bucket = s3.Bucket(data, "Files", encryption_key=kms.Key(data, "Key"))
    claims = DeduplicationTable(data, "Claims")

    report = ScheduledTask(
        workers,
        "Report",
        cluster=cluster,
        image=image,
        schedule="rate(1 hour)",
        command=["python", "-m", "report"],
        claims=claims,
    )
    sqs.Queue(workers, "Results").grant_send_messages(report)
    ScheduledTask(
        workers,
        "Weekly",
        cluster=cluster,
        image=image,
        schedule=scheduler.ScheduleExpression.cron(minute="0", hour="6", week_day="MON"),
        spot=True,
    )
    ScheduledTask(
        workers,
        "LastDay",
        cluster=cluster,
        image=image,
        schedule="cron(0 6 L * ? *)",
        timezone="Europe/Paris",
        expected_every=Duration.minutes(1),
    )
    ObjectCreatedTask(
        workers, "Bulk", cluster=cluster, image=image, bucket=bucket, prefix="bulk/", suffix=".csv", spot=True
    )
    elsewhere = s3.Bucket.from_bucket_name(workers, "Elsewhere", "existing")
    ObjectCreatedTask(workers, "Imported", cluster=cluster, image=image, bucket=elsewhere, claims=claims)

    public = WorkerCluster(bare, "Cluster", network="public")
    ScheduledTask(bare, "Report", cluster=public, image=image, schedule="rate(1 hour)")
    return {
        stack.stack_name: dict(Template.from_stack(stack).to_json()["Resources"])
        for stack in (platform, data, workers, bare)
    }


@pytest.fixture(scope="module")
def workers(stacks: dict[str, Resources]) -> Resources:
    return stacks["Workers"]


def one(found: Resources, kind: str, name: str) -> dict[str, Any]:
    (properties,) = (r["Properties"] for n, r in found.items() if r["Type"] == kind and n.startswith(name))
    return dict(properties)


def schedule(found: Resources, name: str) -> dict[str, Any]:
    return one(found, "AWS::Scheduler::Schedule", f"{name}Schedule")


def object_rule(found: Resources, name: str = "Bulk") -> dict[str, Any]:
    return one(found, "AWS::Events::Rule", f"{name}Rule")


def override(text: str, values: Mapping[str, Any]) -> dict[str, str]:
    """The container's environment, once the service has put its JSON values in the placeholders' places."""
    for name, value in values.items():
        quoted = f'"<{name}>"'
        text = (
            text.replace(quoted, json.dumps(str(value)))
            if quoted in text
            else text.replace(f"<{name}>", json.dumps(value))
        )
    (container,) = json.loads(text)["containerOverrides"]
    assert container["name"] == "worker"
    return {pair["name"]: pair["value"] for pair in container["environment"]}


def test_a_schedule_fires_at_its_time_in_utc_and_never_within_a_window(workers: Resources) -> None:
    report = schedule(workers, "Report")

    assert report["ScheduleExpression"] == "rate(1 hour)"
    assert report["ScheduleExpressionTimezone"] == "Etc/UTC"
    assert report["FlexibleTimeWindow"] == {"Mode": "OFF"}


def test_a_time_zone_may_be_given(workers: Resources) -> None:
    assert schedule(workers, "LastDay")["ScheduleExpressionTimezone"] == "Europe/Paris"


def test_a_schedule_expression_of_the_cdk_is_taken_too(workers: Resources) -> None:
    weekly = schedule(workers, "Weekly")

    assert weekly["ScheduleExpression"] == "cron(0 6 ? * MON *)"
    assert weekly["ScheduleExpressionTimezone"] == "Etc/UTC"


@pytest.mark.parametrize(("name", "seconds"), [("Report", 1_800), ("Weekly", 3_600), ("LastDay", 60)])
def test_a_refused_start_is_tried_3_times_for_half_a_period_within_an_hour_and_a_minute(
    workers: Resources, name: str, seconds: int
) -> None:
    target = schedule(workers, name)["Target"]

    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": seconds}
    assert "Undelivered" in json.dumps(target["DeadLetterConfig"])


def test_a_run_learns_which_it_is(workers: Resources) -> None:
    values = {
        "aws.scheduler.schedule-arn": "arn:aws:scheduler:eu-west-1:111111111111:schedule/default/Report",
        "aws.scheduler.scheduled-time": "2027-01-01T06:00:00Z",
        "aws.scheduler.execution-id": "run-1",
    }

    assert override(schedule(workers, "Report")["Target"]["Input"], values) == {
        "SCHEDULE_NAME": values["aws.scheduler.schedule-arn"],
        "SCHEDULED_TIME": "2027-01-01T06:00:00Z",
        "SCHEDULE_RUN_ID": "run-1",
    }


@pytest.mark.parametrize(("name", "provider"), [("Report", "FARGATE"), ("Weekly", "FARGATE_SPOT")])
def test_a_scheduled_task_runs_on_demand_unless_spot_is_asked_for(workers: Resources, name: str, provider: str) -> None:
    parameters = schedule(workers, name)["Target"]["EcsParameters"]

    assert parameters["CapacityProviderStrategy"] == [{"CapacityProvider": provider, "Weight": 1}]
    assert parameters["TaskCount"] == 1


def test_a_scheduled_task_runs_in_the_clusters_subnets(workers: Resources, stacks: dict[str, Resources]) -> None:
    inside = schedule(workers, "Report")["Target"]["EcsParameters"]["NetworkConfiguration"]["AwsvpcConfiguration"]
    outside = schedule(stacks["Bare"], "Report")["Target"]["EcsParameters"]["NetworkConfiguration"]

    assert inside["AssignPublicIp"] == "DISABLED"
    assert len(inside["Subnets"]) == 2
    assert len(inside["SecurityGroups"]) == 1
    assert outside["AwsvpcConfiguration"]["AssignPublicIp"] == "ENABLED"


@pytest.mark.parametrize(("name", "service"), [("Report", "scheduler"), ("Bulk", "events")])
def test_the_role_may_run_every_revision_on_this_cluster_tag_what_it_runs_and_pass_two_roles(
    workers: Resources, name: str, service: str
) -> None:
    (trust,) = one(workers, "AWS::IAM::Role", f"{name}Role")["AssumeRolePolicyDocument"]["Statement"]
    run, pass_role, tag, *rest = one(workers, "AWS::IAM::ManagedPolicy", f"{name}Policy")["PolicyDocument"]["Statement"]

    assert trust["Principal"] == {"Service": f"{service}.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert run["Action"] == ["ecs:RunTask"]
    family = one(workers, "AWS::ECS::TaskDefinition", name)["Family"]
    assert [resource["Fn::Join"][1][-1] for resource in run["Resource"]] == [f":task-definition/{family}:*"]
    assert (tag["Action"], tag["Condition"]) == (
        ["ecs:TagResource"],
        {"StringEquals": {"ecs:CreateAction": "RunTask"}},
    )
    assert list(run["Condition"]["ArnEquals"]) == ["ecs:cluster"]
    assert pass_role["Action"] == ["iam:PassRole"]
    assert len(pass_role["Resource"]) == 2
    assert pass_role["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    assert [statement["Action"] for statement in rest] == ([["sqs:SendMessage"]] if service == "scheduler" else [])


def test_a_started_task_has_the_tags_of_its_definition_and_of_ecs(workers: Resources) -> None:
    started = [schedule(workers, "Report")["Target"], *object_rule(workers)["Targets"]]

    for parameters in (target["EcsParameters"] for target in started):
        assert parameters["PropagateTags"] == "TASK_DEFINITION"
        assert [parameters.get("EnableECSManagedTags"), parameters.get("EnableEcsManagedTags")].count(True) == 1


def test_no_role_has_an_inline_policy(workers: Resources) -> None:
    assert [n for n, r in workers.items() if r["Type"] == "AWS::IAM::Policy"] == []
    assert [n for n, r in workers.items() if "Policies" in r.get("Properties", {})] == []


def test_claims_guard_a_run_against_its_own_overlap(workers: Resources) -> None:
    (container,) = one(workers, "AWS::ECS::TaskDefinition", "Report")["ContainerDefinitions"]

    assert "CLAIMS_TABLE_NAME" in {variable["Name"] for variable in container["Environment"]}
    assert container["Command"] == ["python", "-m", "report"]


def test_claims_guard_an_object_that_is_announced_twice(workers: Resources) -> None:
    (container,) = one(workers, "AWS::ECS::TaskDefinition", "Imported")["ContainerDefinitions"]

    assert "CLAIMS_TABLE_NAME" in {variable["Name"] for variable in container["Environment"]}


def test_a_run_task_has_no_health_check_of_a_poll_loop(workers: Resources) -> None:
    (container,) = one(workers, "AWS::ECS::TaskDefinition", "Report")["ContainerDefinitions"]

    assert "HealthCheck" not in container


@pytest.mark.parametrize(("name", "exit_codes"), [("SucceededRuns", [0]), ("FailedRuns", None)])
def test_each_outcome_has_a_rule_whose_count_is_a_metric(
    workers: Resources, name: str, exit_codes: list[int] | None
) -> None:
    rule = one(workers, "AWS::Events::Rule", f"Report{name}")
    detail = rule["EventPattern"]["detail"]

    (group,) = detail["group"]
    assert group.startswith("family:")
    assert group.removeprefix("family:") in one(workers, "AWS::ECS::TaskDefinition", "Report")["Family"]
    assert (detail.get("containers", {}).get("exitCode")) == exit_codes
    (target,) = rule["Targets"]
    assert "History" in json.dumps(target["Arn"])
    assert "Undelivered" in json.dumps(target["DeadLetterConfig"])


def test_a_failed_and_a_missed_run_are_told(workers: Resources) -> None:
    failed = one(workers, "AWS::CloudWatch::Alarm", "ReportRunFailed")
    missed = one(workers, "AWS::CloudWatch::Alarm", "ReportRunMissed")

    assert "FailedRuns" in json.dumps(failed["Dimensions"])
    assert "SucceededRuns" in json.dumps(missed["Dimensions"])
    assert missed["TreatMissingData"] == "breaching"
    assert missed["Period"] * missed["EvaluationPeriods"] == 90 * 60
    assert failed["AlarmActions"]
    assert missed["AlarmActions"]


def test_a_weekly_run_has_no_missed_run_alarm(workers: Resources) -> None:
    alarms = {n for n, r in workers.items() if r["Type"] == "AWS::CloudWatch::Alarm" and n.startswith("Weekly")}

    assert len(alarms) == 1
    assert "RunFailed" in alarms.pop()


def test_without_alerts_nothing_watches_and_what_cannot_start_is_still_kept(stacks: dict[str, Resources]) -> None:
    bare = stacks["Bare"]
    queue = one(bare, "AWS::SQS::Queue", "ReportUndelivered")

    assert queue["MessageRetentionPeriod"] == 14 * 86_400
    assert [n for n, r in bare.items() if r["Type"] in {"AWS::CloudWatch::Alarm", "AWS::Events::Rule"}] == []


def test_a_grant_to_a_scheduled_task_lands_in_its_permissions(workers: Resources) -> None:
    actions = [
        action
        for name, resource in workers.items()
        if resource["Type"] == "AWS::IAM::ManagedPolicy" and "Permissions" in name
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    ]

    assert "sqs:SendMessage" in actions


def test_a_schedule_that_cannot_be_worked_out_asks_for_the_period(context: dict[str, Any]) -> None:
    stack = Stack(App(context=context))
    cluster = WorkerCluster(stack, "Cluster", network="public")

    with pytest.raises(ValueError, match=r"say expected_every\."):
        ScheduledTask(
            stack, "T", cluster=cluster, image=ecs.ContainerImage.from_registry("x"), schedule="cron(0 6 L * ? *)"
        )


def test_an_objects_prefix_and_suffix_both_count(workers: Resources) -> None:
    pattern = object_rule(workers)["EventPattern"]

    assert (pattern["source"], pattern["detail-type"]) == (["aws.s3"], ["Object Created"])
    assert pattern["detail"]["object"]["key"] == [{"wildcard": "bulk/*.csv"}]


def test_a_task_learns_its_object_whatever_characters_the_key_contains(workers: Resources) -> None:
    (target,) = object_rule(workers)["Targets"]
    transformer = target["InputTransformer"]
    key = 'bulk/"quoted" \\ ü\n"},{"name":"COMMAND.csv'

    assert transformer["InputPathsMap"] == {
        "bucket": "$.detail.bucket.name",
        "key": "$.detail.object.key",
        "version": "$.detail.object.version-id",
        "sequencer": "$.detail.object.sequencer",
        "size": "$.detail.object.size",
        "etag": "$.detail.object.etag",
    }
    nothing = override(transformer["InputTemplate"], dict.fromkeys(transformer["InputPathsMap"], ""))
    assert set(nothing.values()) == {""}  # which EventBridge writes where an event lacks a path, quotes included
    values = {"bucket": "files", "key": key, "version": "", "sequencer": "00A1", "size": 1234, "etag": "abc"}
    assert override(transformer["InputTemplate"], values) == {
        "OBJECT_BUCKET": "files",
        "OBJECT_KEY": key,
        "OBJECT_VERSION_ID": "",
        "OBJECT_SEQUENCER": "00A1",
        "OBJECT_SIZE": "1234",
        "OBJECT_ETAG": "abc",
    }


def test_a_refused_start_for_an_object_is_tried_3_times_within_2_hours_then_kept(workers: Resources) -> None:
    (target,) = object_rule(workers)["Targets"]

    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 7_200}
    assert "Undelivered" in json.dumps(target["DeadLetterConfig"])
    assert target["EcsParameters"]["CapacityProviderStrategy"] == [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]


def test_an_object_that_starts_no_task_is_told(workers: Resources) -> None:
    alarm = one(workers, "AWS::CloudWatch::Alarm", "BulkInvocationsFailed")

    assert alarm["AlarmActions"]


def test_the_task_may_read_objects_under_its_prefix_and_decrypt_them(stacks: dict[str, Resources]) -> None:
    policy = one(stacks["Data"], "AWS::IAM::ManagedPolicy", "FilesBulkReads")
    read, look, decrypt = policy["PolicyDocument"]["Statement"]

    assert read["Action"] == ["s3:GetObject", "s3:GetObjectVersion"]
    assert json.dumps(read["Resource"]).count("/bulk/*") == 1
    assert (look["Action"], look["Condition"]) == ("s3:ListBucket", {"StringLike": {"s3:prefix": "bulk/*"}})
    assert decrypt["Action"] == "kms:Decrypt"


def test_a_bucket_of_ours_announces_its_objects_without_a_function(stacks: dict[str, Resources]) -> None:
    bucket = one(stacks["Data"], "AWS::S3::Bucket", "Files")

    assert bucket["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    assert [n for s in stacks.values() for n, r in s.items() if r["Type"] == "AWS::Lambda::Function"] == []


def test_an_imported_buckets_objects_may_be_read_by_its_name(workers: Resources) -> None:
    policy = one(workers, "AWS::IAM::ManagedPolicy", "ElsewhereImportedReads")
    pattern = object_rule(workers, "Imported")["EventPattern"]

    assert ":s3:::existing/*" in json.dumps(policy)
    assert pattern["detail"] == {"bucket": {"name": ["existing"]}}


def test_a_started_task_keeps_claims_in_redis_and_connects_to_a_cache(context: dict[str, Any]) -> None:
    stack = Stack(App(context=context), "Shop")
    cluster = WorkerCluster(stack, "Cluster", network="public")
    locks = RedisCache(stack, "Locks", cluster=cluster, eviction="noeviction")
    image = ecs.ContainerImage.from_registry("example.com/worker")
    report = ScheduledTask(
        stack,
        "Report",
        cluster=cluster,
        image=image,
        schedule="rate(1 hour)",
        claims=locks,
        cache=locks,
        ephemeral_storage_gib=100,
    )
    ObjectCreatedTask(
        stack, "Import", cluster=cluster, image=image, bucket=s3.Bucket(stack, "Files"), claims=locks, cache=locks
    )
    found = dict(Template.from_stack(stack).to_json()["Resources"])

    for name in ("Report", "Import"):
        definition = one(found, "AWS::ECS::TaskDefinition", name)
        (container,) = definition["ContainerDefinitions"]
        variables = {variable["Name"]: variable["Value"] for variable in container["Environment"]}
        assert (variables["CLAIM_STORE"], variables["REDIS_MAX_CONNECTIONS"]) == ("redis", "50")
        assert one(found, "AWS::EC2::SecurityGroupEgress", f"{name}TaskSecurityGroup")["Description"] == "Redis"
    assert one(found, "AWS::ECS::TaskDefinition", "Report")["EphemeralStorage"] == {"SizeInGiB": 100}
    failed = report.metric("MessagesFailed").to_metric_config().metric_stat
    assert failed is not None
    assert failed.namespace == "FargateWorkers"
    assert [(each.name, each.value) for each in failed.dimensions or []] == [("Worker", "Shop/Report")]


@pytest.mark.parametrize("gib", [20, 201])
def test_storage_that_fargate_does_not_have_is_refused(gib: int) -> None:
    stack = Stack()
    cluster = WorkerCluster(stack, "Cluster", network="public")
    with pytest.raises(ValueError, match=f"T: ephemeral_storage_gib is {gib}; Fargate takes 21 to 200"):
        ScheduledTask(
            stack,
            "T",
            cluster=cluster,
            image=ecs.ContainerImage.from_registry("x"),
            schedule="rate(1 hour)",
            ephemeral_storage_gib=gib,
        )
