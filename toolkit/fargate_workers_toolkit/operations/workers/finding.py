"""The workers of an environment, found by the tags that the library sets, and never by the beginning of a name."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from fargate_workers_toolkit.operations import tags
from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.workers.worker import (
    FunctionWorker,
    Scaling,
    ServiceState,
    ServiceWorker,
    TaskSettings,
    Worker,
)

_TYPES = ["application-autoscaling:scalable-target", "cloudwatch:alarm", "lambda:function"]
_SERVICES_IN_A_CALL = 10


def find_workers(aws: Aws) -> list[Worker]:
    """Find the workers of an environment.

    Args:
        aws: The environment's AWS.

    Returns:
        The workers, by name. Empty where none is deployed.

    Raises:
        OperationsError: AWS refuses, or the credentials are another account's.
    """
    with answered(sign_in=aws.place.sign_in):
        tagged = list(_tagged(aws))
        targets = {arn: each for arn, each in tagged if each.get(tags.ROLE) == tags.SCALING_ROLE}
        functions = {arn: each for arn, each in tagged if each.get(tags.ROLE) == tags.FUNCTION_ROLE}
        if not targets and not functions:
            aws.check_account()
            return []
        scaling = _scaling(aws, set(targets)) if targets else {}
    alarms: dict[str, dict[str, str]] = {}
    for arn, each in tagged:
        if ":alarm:" in arn:
            alarms.setdefault(each.get(tags.WORKER, ""), {})[each.get(tags.ROLE, "")] = arn.split(":alarm:", 1)[1]
    workers: list[Worker] = [
        ServiceWorker(
            name=each[tags.WORKER],
            environment=aws.place.environment,
            scaling=scaling[arn],
            alarms=alarms.get(each[tags.WORKER], {}),
        )
        for arn, each in targets.items()
        if arn in scaling and tags.WORKER in each
    ]
    workers += [
        FunctionWorker(
            name=each[tags.WORKER],
            environment=aws.place.environment,
            arn=arn,
            alarms=alarms.get(each[tags.WORKER], {}),
        )
        for arn, each in functions.items()
        if tags.WORKER in each
    ]
    return sorted(workers, key=lambda worker: worker.name)


def find_worker(aws: Aws, name: str | None) -> Worker:
    """Find one worker.

    Args:
        aws: The environment's AWS.
        name: Its name, qualified or not. None: the only one.

    Raises:
        OperationsError: There is none of the name, or more than one.
    """
    workers = find_one_or_all(aws, None)
    environment = aws.place.environment
    if name is None:
        if len(workers) == 1:
            return workers[0]
        raise OperationsError(f"{environment} has {len(workers)} workers; name one of {_names(workers)}.")
    found = [worker for worker in workers if name in (worker.name, worker.short_name)]
    if len(found) > 1:
        names = ", ".join(worker.name for worker in found)
        raise OperationsError(f"{environment} has {len(found)} workers named {name}; give the whole name: {names}.")
    if not found:
        near = get_close_matches(name, [worker.short_name for worker in workers], n=1)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        raise OperationsError(f"{environment} has no worker {name}; it has {_names(workers)}.{hint}")
    return found[0]


def find_one_or_all(aws: Aws, name: str | None) -> list[Worker]:
    """Find the worker of a name, or every worker where none is named.

    Args:
        aws: The environment's AWS.
        name: Its name, qualified or not. None: all.

    Raises:
        OperationsError: There is none of the name, or more than one; or there is none at all.
    """
    workers = find_workers(aws) if name is None else [find_worker(aws, name)]
    if not workers:
        raise OperationsError(_nothing_deployed(aws))
    return workers


def a_service(worker: Worker, *, otherwise: str) -> ServiceWorker:
    """A worker as a service, for what only a service can do.

    Args:
        worker: The worker.
        otherwise: What to do where it is a function: the end of the sentence.

    Raises:
        OperationsError: It is a function.
    """
    if not isinstance(worker, ServiceWorker):
        raise OperationsError(f"{worker.short_name} is a function; {otherwise}.")
    return worker


def describe_services(aws: Aws, workers: Sequence[ServiceWorker]) -> dict[str, ServiceState]:
    """Describe the services of workers.

    Args:
        aws: Their AWS.
        workers: The workers.

    Returns:
        The services by the workers' names; one that is gone is left out.

    Raises:
        OperationsError: AWS refuses.
    """
    states: dict[str, ServiceState] = {}
    with answered(sign_in=aws.place.sign_in):
        for cluster in sorted({worker.cluster for worker in workers}):
            inside = {worker.service: worker.name for worker in workers if worker.cluster == cluster}
            names = list(inside)
            for begin in range(0, len(names), _SERVICES_IN_A_CALL):
                answer = aws.client("ecs").describe_services(
                    cluster=cluster, services=names[begin : begin + _SERVICES_IN_A_CALL], include=["TAGS"]
                )
                for service in answer["services"]:
                    if service.get("status") != "INACTIVE":
                        states[inside[service["serviceName"]]] = _state(service)
    return states


def service_of(aws: Aws, worker: ServiceWorker) -> ServiceState:
    """The service of one worker.

    Args:
        aws: Its AWS.
        worker: The worker.

    Raises:
        OperationsError: It is gone, or AWS refuses.
    """
    state = describe_services(aws, [worker]).get(worker.name)
    if state is None:
        raise OperationsError(f"{worker.name} has no service {worker.service} any more; deploy it again.")
    return state


def task_settings(aws: Aws, task_definition: str) -> TaskSettings:
    """Read a task definition.

    Args:
        aws: Its AWS.
        task_definition: Its ARN, or family and revision.

    Raises:
        OperationsError: AWS refuses.
    """
    with answered(sign_in=aws.place.sign_in):
        definition = aws.client("ecs").describe_task_definition(taskDefinition=task_definition)["taskDefinition"]
    container = definition["containerDefinitions"][0]
    options = container.get("logConfiguration", {}).get("options", {})
    return TaskSettings(
        revision=f"{definition['family']}:{definition['revision']}",
        image=container.get("image", ""),
        architecture=definition.get("runtimePlatform", {}).get("cpuArchitecture", "X86_64"),
        vcpus=int(definition.get("cpu") or 0) / 1_024,
        log_group=options.get("awslogs-group", ""),
        variables={each["name"]: each["value"] for each in container.get("environment", [])},
    )


def _nothing_deployed(aws: Aws) -> str:
    place = aws.place
    where = f"account {place.account or 'of these credentials'} in {place.region or 'its region'}"
    deploy = "fargate-workers local up" if place.is_local else f"npx cdk deploy '{place.environment}/**'"
    return (
        f"No worker of {place.environment} is deployed in {where} (looked for the tag "
        f"{tags.ENVIRONMENT}={place.environment}); deploy it with `{deploy}`, once more if it is older than the tags."
    )


def _tagged(aws: Aws) -> Iterator[tuple[str, Mapping[str, str]]]:
    pages = (
        aws.client("resourcegroupstaggingapi")
        .get_paginator("get_resources")
        .paginate(TagFilters=[{"Key": tags.ENVIRONMENT, "Values": [aws.place.environment]}], ResourceTypeFilters=_TYPES)
    )
    for page in pages:
        for item in page["ResourceTagMappingList"]:
            yield item["ResourceARN"], {tag["Key"]: tag["Value"] for tag in item["Tags"]}


def _scaling(aws: Aws, arns: set[str]) -> dict[str, Scaling]:
    pages = (
        aws.client("application-autoscaling")
        .get_paginator("describe_scalable_targets")
        .paginate(ServiceNamespace="ecs")
    )
    return {
        target["ScalableTargetARN"]: Scaling(
            resource_id=target["ResourceId"],
            min_tasks=target["MinCapacity"],
            max_tasks=target["MaxCapacity"],
            suspended=frozenset(kind for kind, yes in target.get("SuspendedState", {}).items() if yes),
        )
        for page in pages
        for target in page["ScalableTargets"]
        if target["ScalableTargetARN"] in arns
    }


def _state(service: Mapping[str, Any]) -> ServiceState:
    deployments: list[dict[str, Any]] = service.get("deployments") or [{}]
    newest = deployments[0]
    created = newest.get("createdAt")
    return ServiceState(
        arn=service["serviceArn"],
        running=service["runningCount"],
        pending=service["pendingCount"],
        desired=service["desiredCount"],
        task_definition=service["taskDefinition"],
        deployment=newest.get("rolloutState", ""),
        deployed_at=0.0 if created is None else created.timestamp(),
        tags={tag["key"]: tag["value"] for tag in service.get("tags", [])},
    )


def _names(workers: Sequence[Worker]) -> str:
    return ", ".join(worker.short_name for worker in workers)
