"""Which ends of a task are told: the patterns run over a corpus of events as ECS sends them."""

from collections.abc import Mapping
from typing import Any

import pytest
from aws_cdk import Stack

from fargate_workers import WorkerCluster
from fargate_workers.cluster import stopped_tasks

CLUSTER = "arn:aws:ecs:eu-west-1:111111111111:cluster/prod"
SERVICES = "arn:aws:ecs:eu-west-1:111111111111:service/prod/"
REPORT = "family:Report"


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """EventBridge's rules, as far as our patterns use them; an object of a pattern is met by one element of a list."""
    return all(
        any(matches(choice, event) for choice in wanted) if key == "$or" else _field_matches(wanted, event.get(key))
        for key, wanted in pattern.items()
    )


def _field_matches(wanted: Any, found: Any) -> bool:
    candidates = found if isinstance(found, list) else [found]
    if isinstance(wanted, Mapping):
        return any(isinstance(candidate, Mapping) and matches(wanted, candidate) for candidate in candidates)
    if {"exists": False} in wanted and found is None:
        return True
    return any(_value_matches(rule, value) for rule in wanted for value in candidates if value is not None)


def _value_matches(rule: Any, value: Any) -> bool:
    if not isinstance(rule, Mapping):
        return bool(rule == value)
    ((operator, operand),) = rule.items()
    if operator == "prefix":
        return str(value).startswith(operand)
    if operator == "exists":
        return bool(operand)
    assert operator == "anything-but", operator
    return value not in operand


def stopped(stop_code: str, *, exit_code: int | None = 0, reason: str = "", **detail: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "worker", "lastStatus": "STOPPED"}
    if exit_code is not None:
        container["exitCode"] = exit_code
    return {
        "source": "aws.ecs",
        "detail-type": "ECS Task State Change",
        "detail": {
            "clusterArn": CLUSTER,
            "lastStatus": "STOPPED",
            "group": "service:Orders",
            "stopCode": stop_code,
            "stoppedReason": reason,
            "containers": [container],
            **detail,
        },
    }


TROUBLE = {
    "the image cannot be pulled": stopped(
        "TaskFailedToStart", exit_code=None, reason="CannotPullContainerError: pull image manifest has been retried"
    ),
    "a secret cannot be read": stopped(
        "TaskFailedToStart", exit_code=None, reason="ResourceInitializationError: unable to pull secrets"
    ),
    "the program crashed": stopped("EssentialContainerExited", exit_code=1),
    "the run may succeed later": stopped("EssentialContainerExited", exit_code=10, group=REPORT),
    "the run was given bad work": stopped("EssentialContainerExited", exit_code=20, group=REPORT),
    "memory ran out": stopped("EssentialContainerExited", exit_code=137),
    "the worker crashed beside a sidecar that ended well": stopped(
        "EssentialContainerExited",
        containers=[{"name": "sidecar", "exitCode": 0}, {"name": "worker", "exitCode": 2}],
    ),
    "ECS could not say how it ended": stopped("EssentialContainerExited", exit_code=None),
    "the health check failed": stopped(
        "ServiceSchedulerInitiated", exit_code=137, reason="Task failed container health checks"
    ),
}
TAKEN_BACK = {
    "Spot capacity was needed elsewhere": stopped(
        "SpotInterruption", exit_code=143, reason="Your Spot Task was interrupted."
    ),
    "Spot gave notice": stopped("TerminationNotice", exit_code=143),
    "the hardware failed": stopped("InfrastructureHealth", exit_code=None),
}
NOISE = {
    "the service scaled in": stopped(
        "ServiceSchedulerInitiated", exit_code=143, reason="Scaling activity initiated by (deployment ecs-svc/1)"
    ),
    "the service was deployed": stopped("ServiceSchedulerInitiated", exit_code=0, reason="Task stopped by deployment"),
    "a task was killed after its stop timeout": stopped("ServiceSchedulerInitiated", exit_code=137),
    "a person stopped it": stopped("UserInitiated", exit_code=137, reason="Task stopped by user"),
    "an agent was stopped before it had anything to send": stopped(
        "EssentialContainerExited",
        containers=[{"name": "worker", "exitCode": 0}, {"name": "agent", "exitCode": 2}],
    ),
    "a sidecar's image could not be pulled": stopped(
        "EssentialContainerExited", containers=[{"name": "worker", "exitCode": 0}, {"name": "guard"}]
    ),
    "a run ended well": stopped("EssentialContainerExited", exit_code=0, group=REPORT),
    "a task runs": stopped("EssentialContainerExited", exit_code=1, lastStatus="RUNNING"),
    "another cluster's task crashed": stopped("EssentialContainerExited", exit_code=1, clusterArn=CLUSTER + "-2"),
}


def service_event(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "source": "aws.ecs",
        "detail-type": "ECS Service Action",
        "resources": [SERVICES + "Orders"],
        "detail": {"eventName": name},
        **changes,
    }


@pytest.mark.parametrize("what", TROUBLE)
def test_trouble_is_told(what: str) -> None:
    assert matches(stopped_tasks.trouble(CLUSTER), TROUBLE[what])
    assert not matches(stopped_tasks.taken_back(CLUSTER), TROUBLE[what])


@pytest.mark.parametrize("what", TAKEN_BACK)
def test_what_aws_takes_back_is_told_for_information(what: str) -> None:
    assert matches(stopped_tasks.taken_back(CLUSTER), TAKEN_BACK[what])
    assert not matches(stopped_tasks.trouble(CLUSTER), TAKEN_BACK[what])


@pytest.mark.parametrize("what", NOISE)
def test_noise_stays_silent(what: str) -> None:
    assert not matches(stopped_tasks.trouble(CLUSTER), NOISE[what])
    assert not matches(stopped_tasks.taken_back(CLUSTER), NOISE[what])


@pytest.mark.parametrize("exit_code", [0, 1, 10, 20, 137])
def test_a_run_succeeds_with_exit_code_0_and_fails_with_any_other(exit_code: int) -> None:
    run = stopped("EssentialContainerExited", exit_code=exit_code, group=REPORT)

    assert matches(stopped_tasks.run_succeeded(CLUSTER, REPORT), run) == (exit_code == 0)
    assert matches(stopped_tasks.run_failed(CLUSTER, REPORT), run) == (exit_code != 0)


@pytest.mark.parametrize("sidecar", [0, 2, 137, None])
@pytest.mark.parametrize("exit_code", [0, 1, 137, None])
def test_a_run_is_counted_once_by_the_workers_own_container(exit_code: int | None, sidecar: int | None) -> None:
    containers = [
        {"name": name, "containerArn": f"arn:{name}", **({} if code is None else {"exitCode": code})}
        for name, code in (("agent", sidecar), ("worker", exit_code))
    ]
    run = stopped("EssentialContainerExited", group=REPORT, containers=containers)

    assert matches(stopped_tasks.run_succeeded(CLUSTER, REPORT), run) == (exit_code == 0)
    assert matches(stopped_tasks.run_failed(CLUSTER, REPORT), run) == (exit_code != 0)


def test_a_missing_exit_code_is_looked_for_in_the_workers_container_after_another_field_of_it() -> None:
    # Fields are matched in alphabetical order: containerArn picks the container before its exitCode is missed.
    alternatives = stopped_tasks.run_failed(CLUSTER, REPORT)["detail"]["$or"]
    missing = [each["containers"] for each in alternatives if {"exists": False} in exit_codes_of(each)]

    assert any(min(each) == "containerArn" < "exitCode" for each in missing)


def exit_codes_of(alternative: Mapping[str, Any]) -> list[Any]:
    return list(alternative.get("containers", {}).get("exitCode", []))


@pytest.mark.parametrize(
    "stop_code", ["TaskFailedToStart", "UserInitiated", "SpotInterruption", "InfrastructureHealth"]
)
def test_a_run_that_did_not_end_by_itself_failed(stop_code: str) -> None:
    run = stopped(stop_code, exit_code=None, group=REPORT)

    assert matches(stopped_tasks.run_failed(CLUSTER, REPORT), run)
    assert not matches(stopped_tasks.run_succeeded(CLUSTER, REPORT), run)


def test_another_groups_runs_do_not_count() -> None:
    run = stopped("EssentialContainerExited", group="family:Other")

    assert not matches(stopped_tasks.run_succeeded(CLUSTER, REPORT), run)


@pytest.mark.parametrize(
    "event",
    [
        service_event("SERVICE_TASK_START_IMPAIRED"),
        service_event("SERVICE_TASK_PLACEMENT_FAILURE"),
        service_event("SERVICE_DEPLOYMENT_FAILED", **{"detail-type": "ECS Deployment State Change"}),
    ],
    ids=lambda event: event["detail"]["eventName"],
)
def test_a_service_that_cannot_start_tasks_or_deploy_is_told(event: Mapping[str, Any]) -> None:
    assert matches(stopped_tasks.service_in_trouble(SERVICES), event)


@pytest.mark.parametrize(
    "event",
    [
        service_event("SERVICE_STEADY_STATE"),
        service_event("SERVICE_DEPLOYMENT_COMPLETED", **{"detail-type": "ECS Deployment State Change"}),
        service_event("SERVICE_TASK_START_IMPAIRED", resources=[SERVICES.replace("prod", "other") + "Orders"]),
    ],
    ids=["steady", "deployed", "another cluster's"],
)
def test_a_service_that_is_well_or_elsewhere_stays_silent(event: Mapping[str, Any]) -> None:
    assert not matches(stopped_tasks.service_in_trouble(SERVICES), event)


def test_a_cluster_without_alerts_needs_some_here() -> None:
    stack = Stack()
    silent = WorkerCluster(stack, "Cluster", network="endpoints")
    with pytest.raises(ValueError, match="Watch: the cluster has no alerts; give alerts= here, or to the cluster"):
        stopped_tasks.StoppedTasks(stack, "Watch", cluster=silent)
