"""The reading of the state of workers: a few calls for all of them, the rest for several workers at once."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from fargate_workers_observer.metric_names import OBSERVER_NAMESPACE
from fargate_workers_planner.metric_names import PLANNER_NAMESPACE
from fargate_workers_toolkit.operations.alerting import muted_alarms
from fargate_workers_toolkit.operations.clock import Clock
from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.pauses import (
    KINDS,
    changed_since,
    function_changed_since,
    function_pause_of,
    pause_of,
)
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.sources import Depth, Source, UnreachableError, open_source
from fargate_workers_toolkit.operations.state.status import (
    FiringAlarm,
    FunctionStatus,
    Plan,
    ScalingStep,
    ServiceStatus,
    Status,
)
from fargate_workers_toolkit.operations.workers import (
    FunctionWorker,
    ServiceState,
    ServiceWorker,
    TaskSettings,
    Worker,
    describe_function,
    describe_services,
    function_settings,
    task_settings,
)

_AT_ONCE = 8
#: The newest minutes of a metric; the newest of all is often not there yet.
_MINUTES = 5
_ALARMS_IN_A_CALL = 100
_QUERIES_IN_A_CALL = 500
# AWS's words are the only place where an activity names its capacity and its policy.
_TASKS = re.compile(r"desired count to (\d+)")
_POLICY = re.compile(r"policy (\S+)")
#: Of a queue, a topic and a stream.
_AGE_ALARMS = ("OldestMessageTooOld", "LagTooOld", "OldestEntryTooOld")

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
    services = describe_services(aws, [worker for worker in workers if isinstance(worker, ServiceWorker)])
    present = [worker for worker in workers if worker.name in services or isinstance(worker, FunctionWorker)]
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        opening = [pool.submit(_reader, aws, worker, services) for worker in present]
        readers = [future.result() for future in opening]
        alarms = _alarms(aws, present)
        muted = _muted(aws)
        metrics = _metrics(aws, readers, alarms, clock)
        reading = [pool.submit(reader.read, alarms, metrics, muted) for reader in readers]
        return [future.result() for future in reading]


def _reader(aws: Aws, worker: Worker, services: Mapping[str, ServiceState]) -> "_Reader":
    if isinstance(worker, FunctionWorker):
        return _FunctionReader(aws, worker)
    if isinstance(worker, ServiceWorker):
        return _ServiceReader(aws, worker, services[worker.name])
    raise OperationsError(f"{worker.name} is neither a service nor a function.")


class _Reader:
    """Reads one worker, and notes what it could not read."""

    def __init__(self, aws: Aws, worker: Worker, settings: TaskSettings) -> None:
        self.aws = aws
        self.worker = worker
        self.unknown: list[str] = []
        self.settings = settings
        self.source: Source | None = self._try(
            "source", partial(open_source, aws, self.settings.variables, worker=worker.short_name)
        )

    def read(
        self,
        alarms: Mapping[str, Mapping[str, Any]],
        metrics: Mapping[str, Mapping[str, float]],
        muted: Set[str] | OperationsError,
    ) -> Status:
        raise NotImplementedError

    def _common(
        self,
        alarms: Mapping[str, Mapping[str, Any]],
        numbers: Mapping[str, float],
        muted: Set[str] | OperationsError,
    ) -> dict[str, Any]:
        """What every worker's state has."""
        worker, source = self.worker, self.source
        depth = None if source is None else self._depth(source, numbers)
        if isinstance(muted, OperationsError):
            self.unknown.append(f"muted alarms: {muted}")
            muted = frozenset()
        age_alarms = (alarms.get(worker.alarms.get(role, ""), {}) for role in _AGE_ALARMS)
        oldest = None if depth is None else 0.0 if depth.total == 0 else depth.oldest
        return {
            "worker": worker,
            "revision": self.settings.revision,
            "source": f"{source.kind} {source.name}" if source else "unknown",
            "depth": depth,
            "oldest_seconds": numbers.get("oldest") if oldest is None else oldest,
            "acceptable_seconds": next((each["Threshold"] for each in age_alarms if "Threshold" in each), None),
            "arriving_per_minute": numbers.get("arrived"),
            "done_per_minute": numbers.get("done"),
            "dead_letters": None if source is None else self._letters(source, numbers),
            "alarms": [
                _firing(role, alarms[name], muted=name in muted)
                for role, name in worker.alarms.items()
                if _rings(alarms.get(name))
            ],
            "unknown": self.unknown,
        }

    def _depth(self, source: Source, numbers: Mapping[str, float]) -> Depth | None:
        """What the source counts, or else CloudWatch."""

        def ask() -> Depth:
            try:
                return source.depth()
            except UnreachableError:
                if "waiting" not in numbers:
                    raise
                return Depth(waiting=round(numbers["waiting"]), in_flight=round(numbers.get("in_flight", 0)))

        return self._try("backlog", ask)

    def _letters(self, source: Source, numbers: Mapping[str, float]) -> int | None:
        def ask() -> int | None:
            try:
                store = source.dead_letters
                return None if store is None else store.depth().total
            except UnreachableError:
                if "dead_letters" not in numbers:
                    raise
                return round(numbers["dead_letters"])

        return self._try("dead letters", ask)

    def _try(self, what: str, read: Callable[[], T]) -> T | None:
        try:
            with answered(sign_in=self.aws.place.sign_in):
                return read()
        except OperationsError as error:
            self.unknown.append(f"{what}: {error}")
            return None


class _FunctionReader(_Reader):
    """Reads a function."""

    def __init__(self, aws: Aws, worker: FunctionWorker) -> None:
        super().__init__(aws, worker, function_settings(aws, worker))
        self._function = describe_function(aws, worker)

    def read(
        self,
        alarms: Mapping[str, Mapping[str, Any]],
        metrics: Mapping[str, Mapping[str, float]],
        muted: Set[str] | OperationsError,
    ) -> FunctionStatus:
        function, numbers = self._function, metrics.get(self.worker.name, {})
        pause = function_pause_of(function.tags)
        return FunctionStatus(
            **self._common(alarms, numbers, muted),
            function=function,
            concurrency=round(numbers["concurrency"]) if "concurrency" in numbers else None,
            pause=pause,
            changes=function_changed_since(pause, function) if pause else [],
        )


class _ServiceReader(_Reader):
    """Reads a service."""

    worker: ServiceWorker

    def __init__(self, aws: Aws, worker: ServiceWorker, service: ServiceState) -> None:
        super().__init__(aws, worker, task_settings(aws, service.task_definition))
        self._service = service

    def read(
        self,
        alarms: Mapping[str, Mapping[str, Any]],
        metrics: Mapping[str, Mapping[str, float]],
        muted: Set[str] | OperationsError,
    ) -> ServiceStatus:
        worker, service, numbers = self.worker, self._service, metrics.get(self.worker.name, {})
        pause = pause_of(service.tags)
        return ServiceStatus(
            **self._common(alarms, numbers, muted),
            service=service,
            scaling=worker.scaling,
            protected=self._try("protected tasks", self._protected),
            plan=_plan(numbers),
            step=self._try("last scaling", self._last_step),
            pause=pause,
            changes=changed_since(pause, worker.scaling, service, kinds=len(KINDS)) if pause else [],
        )

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
    """The alarms that are muted, or why they are not known."""
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


def _metrics(
    aws: Aws, readers: Sequence[_Reader], alarms: Mapping[str, Mapping[str, Any]], clock: Clock
) -> dict[str, dict[str, float]]:
    """The newest value of each metric, by worker and by key."""
    asked = list(_queries(readers, alarms))
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


def _queries(
    readers: Sequence[_Reader], alarms: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for reader in readers:
        name = reader.worker.name
        if reader.source is not None:
            observed = _observed(alarms[each] for each in reader.worker.alarms.values() if each in alarms)
            for key, stat in reader.source.metrics(observed=observed).items():
                yield name, key, stat
        if isinstance(reader.worker, FunctionWorker):
            dimensions = [{"Name": "FunctionName", "Value": reader.worker.function}]
            running = {"Namespace": "AWS/Lambda", "MetricName": "ConcurrentExecutions", "Dimensions": dimensions}
            yield name, "concurrency", {"Metric": running, "Period": 60, "Stat": "Maximum"}
            continue
        for key, metric in (("plan", "DesiredTasks"), ("backlog_seconds", "BacklogSeconds")):
            dimensions = [{"Name": "Worker", "Value": name}]
            planned = {"Namespace": PLANNER_NAMESPACE, "MetricName": metric, "Dimensions": dimensions}
            yield name, key, {"Metric": planned, "Period": 60, "Stat": "Maximum"}


def _observed(alarms: Iterable[Mapping[str, Any]]) -> str:
    """The name that a source goes by in the observer's metrics: a worker's alarms look at them."""
    for alarm in alarms:
        stats = [each.get("MetricStat", {}).get("Metric", {}) for each in alarm.get("Metrics", [])]
        for metric in (alarm, *stats):
            if metric.get("Namespace") == OBSERVER_NAMESPACE:
                return next((each["Value"] for each in metric["Dimensions"] if each["Name"] == "Source"), "")
    return ""


def _plan(numbers: Mapping[str, float]) -> Plan | None:
    if "plan" not in numbers:
        return None
    return Plan(desired_tasks=round(numbers["plan"]), backlog_seconds=numbers.get("backlog_seconds"))
