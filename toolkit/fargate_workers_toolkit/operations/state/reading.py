"""The reading of the state of workers: a few calls for all of them, the rest for several workers at once."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from fargate_workers_planner.metric_names import PLANNER_NAMESPACE
from fargate_workers_toolkit.operations.alerting import muted_alarms
from fargate_workers_toolkit.operations.clock import Clock
from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.pauses import KINDS, changed_since, pause_of
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.sources import Depth, Source, open_source
from fargate_workers_toolkit.operations.state.status import FiringAlarm, Plan, ScalingStep, Status
from fargate_workers_toolkit.operations.workers import ServiceState, Worker, describe_services, task_settings

_AT_ONCE = 8
#: The newest minutes of a metric; the newest of all is often not there yet.
_MINUTES = 5
_ALARMS_IN_A_CALL = 100
_QUERIES_IN_A_CALL = 500
# AWS's words are the only place where an activity names its capacity and its policy.
_TASKS = re.compile(r"desired count to (\d+)")
_POLICY = re.compile(r"policy (\S+)")
_AGE_ALARM = "OldestMessageTooOld"

T = TypeVar("T")


def read_states(aws: Aws, workers: Sequence[Worker], *, clock: Clock) -> list[Status]:
    """Read the state of workers.

    Args:
        aws: Their AWS.
        workers: The workers.
        clock: The time.

    Returns:
        Their states; a worker whose service is gone is left out. What AWS refuses is `unknown` in the state.

    Raises:
        OperationsError: The services themselves cannot be read.
    """
    services = describe_services(aws, workers)
    present = [worker for worker in workers if worker.name in services]
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        opening = [pool.submit(_Reader, aws, worker, services[worker.name]) for worker in present]
        readers = [future.result() for future in opening]
        alarms = _alarms(aws, present)
        muted = _muted(aws)
        metrics = _metrics(aws, readers, clock)
        reading = [pool.submit(reader.read, alarms, metrics, muted) for reader in readers]
        return [future.result() for future in reading]


class _Reader:
    """Reads one worker, and notes what it could not read."""

    def __init__(self, aws: Aws, worker: Worker, service: ServiceState) -> None:
        self.aws = aws
        self.worker = worker
        self.service = service
        self.unknown: list[str] = []
        self.settings = task_settings(aws, service.task_definition)
        self.source: Source | None = self._try(
            "source", partial(open_source, aws, self.settings.variables, worker=worker.short_name)
        )

    def read(
        self,
        alarms: Mapping[str, Mapping[str, Any]],
        metrics: Mapping[str, Mapping[str, float]],
        muted: Set[str] | OperationsError,
    ) -> Status:
        worker, service, source = self.worker, self.service, self.source
        numbers = metrics.get(worker.name, {})
        pause = pause_of(service.tags)
        store = source.dead_letters if source else None
        depth: Depth | None = self._try("backlog", source.depth) if source else None
        letters: Depth | None = self._try("dead letters", store.depth) if store else None
        if isinstance(muted, OperationsError):
            self.unknown.append(f"muted alarms: {muted}")
            muted = frozenset()
        age_alarm = alarms.get(worker.alarms.get(_AGE_ALARM, ""), {})
        return Status(
            worker=worker,
            service=service,
            scaling=worker.scaling,
            revision=self.settings.revision,
            source=f"{source.kind} {source.name}" if source else "unknown",
            depth=depth,
            oldest_seconds=0.0 if depth is not None and depth.total == 0 else numbers.get("oldest"),
            acceptable_seconds=age_alarm.get("Threshold"),
            arriving_per_minute=numbers.get("arrived"),
            done_per_minute=numbers.get("done"),
            protected=self._try("protected tasks", self._protected),
            plan=_plan(numbers),
            step=self._try("last scaling", self._last_step),
            dead_letters=None if letters is None else letters.total,
            alarms=[
                _firing(role, alarms[name], muted=name in muted)
                for role, name in worker.alarms.items()
                if _rings(alarms.get(name))
            ],
            pause=pause,
            changes=changed_since(pause, worker.scaling, service, kinds=len(KINDS)) if pause else [],
            unknown=self.unknown,
        )

    def _try(self, what: str, read: Callable[[], T]) -> T | None:
        try:
            with answered(sign_in=self.aws.place.sign_in):
                return read()
        except OperationsError as error:
            self.unknown.append(f"{what}: {error}")
            return None

    def _protected(self) -> int:
        ecs = self.aws.client("ecs")
        pages = ecs.get_paginator("list_tasks").paginate(cluster=self.worker.cluster, serviceName=self.worker.service)
        arns = [arn for page in pages for arn in page["taskArns"]]
        count = 0
        for begin in range(0, len(arns), 10):
            answer = ecs.get_task_protection(cluster=self.worker.cluster, tasks=arns[begin : begin + 10])
            count += sum(bool(task["protectionEnabled"]) for task in answer["protectedTasks"])
        return count

    def _last_step(self) -> ScalingStep | None:
        activities = self.aws.client("application-autoscaling").describe_scaling_activities(
            ServiceNamespace="ecs", ResourceId=self.worker.scaling.resource_id, MaxResults=1
        )["ScalingActivities"]
        if not activities:
            return None
        newest = activities[0]
        what, why = newest.get("Description", ""), newest.get("Cause", "")
        tasks, policy = _TASKS.search(what), _POLICY.search(why)
        return ScalingStep(
            at=newest["StartTime"].timestamp(),
            tasks=None if tasks is None else int(tasks[1]),
            policy="" if policy is None else policy[1],
            what=what,
            why=why,
        )


def _alarms(aws: Aws, workers: Sequence[Worker]) -> dict[str, Mapping[str, Any]]:
    names = [name for worker in workers for name in worker.alarms.values()]
    found: dict[str, Mapping[str, Any]] = {}
    cloudwatch = aws.client("cloudwatch")
    with answered(sign_in=aws.place.sign_in):
        for begin in range(0, len(names), _ALARMS_IN_A_CALL):
            answer = cloudwatch.describe_alarms(
                AlarmNames=names[begin : begin + _ALARMS_IN_A_CALL],
                AlarmTypes=["MetricAlarm"],
                MaxRecords=_ALARMS_IN_A_CALL,
            )
            found |= {alarm["AlarmName"]: alarm for alarm in answer["MetricAlarms"]}
    return found


def _muted(aws: Aws) -> Set[str] | OperationsError:
    """The alarms that are muted, or why they are not known. The embedded AWS has no mute rules."""
    if aws.place.is_local:
        return frozenset()
    try:
        return muted_alarms(aws)
    except OperationsError as error:
        return error


def _rings(alarm: Mapping[str, Any] | None) -> bool:
    return alarm is not None and alarm.get("StateValue") == "ALARM"


def _firing(role: str, alarm: Mapping[str, Any], *, muted: bool) -> FiringAlarm:
    since = alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp")
    return FiringAlarm(
        role=role,
        name=alarm["AlarmName"],
        since=since.timestamp() if since else 0.0,
        symptom=str(alarm.get("AlarmDescription", "")).partition("\n")[0],
        muted=muted or not alarm.get("ActionsEnabled", True),
    )


def _metrics(aws: Aws, readers: Sequence[_Reader], clock: Clock) -> dict[str, dict[str, float]]:
    """The newest value of each metric, by worker and by key."""
    asked = list(_queries(readers))
    now = datetime.fromtimestamp(clock.now(), UTC)
    found: dict[str, dict[str, float]] = {}
    with answered(sign_in=aws.place.sign_in):
        for begin in range(0, len(asked), _QUERIES_IN_A_CALL):
            some = asked[begin : begin + _QUERIES_IN_A_CALL]
            pages = (
                aws.client("cloudwatch")
                .get_paginator("get_metric_data")
                .paginate(
                    MetricDataQueries=[
                        {"Id": f"q{number}", "MetricStat": stat} for number, (*_, stat) in enumerate(some)
                    ],
                    StartTime=now - timedelta(minutes=_MINUTES),
                    EndTime=now,
                    ScanBy="TimestampDescending",
                )
            )
            for result in (each for page in pages for each in page["MetricDataResults"]):
                worker, key, _ = some[int(result["Id"][1:])]
                if result["Values"]:
                    found.setdefault(worker, {}).setdefault(key, result["Values"][0])
    return found


def _queries(readers: Sequence[_Reader]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for reader in readers:
        name = reader.worker.name
        if reader.source is not None:
            for key, stat in reader.source.metrics().items():
                yield name, key, stat
        for key, metric in (("plan", "DesiredTasks"), ("backlog_seconds", "BacklogSeconds")):
            dimensions = [{"Name": "Worker", "Value": name}]
            planned = {"Namespace": PLANNER_NAMESPACE, "MetricName": metric, "Dimensions": dimensions}
            yield name, key, {"Metric": planned, "Period": 60, "Stat": "Maximum"}


def _plan(numbers: Mapping[str, float]) -> Plan | None:
    if "plan" not in numbers:
        return None
    return Plan(desired_tasks=round(numbers["plan"]), backlog_seconds=numbers.get("backlog_seconds"))
