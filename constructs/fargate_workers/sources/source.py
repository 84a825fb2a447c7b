"""What a worker drains: the protocol of every source of work, and the values that pass through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, runtime_checkable

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from fargate_workers.access import Access
from fargate_workers.alarms import AlarmDefinition, Metric
from fargate_workers.cluster import WorkerCluster


@dataclass(frozen=True, kw_only=True)
class Signals:
    """The metrics of a source of work, of each minute. Scaling computes with them; any may be absent.

    Args:
        backlog: Messages that wait. Defaults to absent, as all of them.
        in_flight: Messages that are delivered and not acknowledged.
        oldest_age: Seconds that the oldest message has waited.
        arrivals: Messages that came in the minute.
        deliveries: Messages that were delivered in the minute, repeated deliveries included.
        acknowledged: Messages that were finished in the minute.
    """

    backlog: Metric | None = None
    in_flight: Metric | None = None
    oldest_age: Metric | None = None
    arrivals: Metric | None = None
    deliveries: Metric | None = None
    acknowledged: Metric | None = None

    def present(self) -> Mapping[str, Metric]:
        """The metrics that the source reports, by the name of their field."""
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: metric for name, metric in every.items() if metric is not None}


@dataclass(frozen=True, kw_only=True)
class PlannerInput:
    """What the scaling planner reads of a source itself, in each of its runs.

    Args:
        fields: The fields of the planner's input that name the source.
        longest: The same fields with the longest values that CloudFormation may fill in.
        actions: The IAM actions that the planner calls on the source. Defaults to none, of a source that it knows by
            metrics alone.
        resource: The ARN of the source. Defaults to none.
        most_busy_tasks: Tasks that could be busy at most, such as one for each partition. Defaults to no bound.
    """

    fields: Mapping[str, Any]
    longest: Mapping[str, Any]
    actions: Sequence[str] = ()
    resource: str | None = None
    most_busy_tasks: int | None = None


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a worker needs its source to bear.

    Args:
        max_processing_seconds: Seconds that a handler may take over one message.
        acceptable_age_seconds: Age of the oldest message, in seconds, that raises an alarm.
        max_message_bytes: Bytes beyond which a message is not handled. None is the source's own limit.
        concurrency: Messages that a task handles at once.
        processes: Processes of a task, which share its concurrency.
        max_tasks: Tasks that may run at most; during a deployment twice as many.
        min_tasks: Tasks that always run. Defaults to 1.
    """

    max_processing_seconds: int
    acceptable_age_seconds: int
    max_message_bytes: int | None
    concurrency: int
    processes: int
    max_tasks: int
    min_tasks: int = 1


@runtime_checkable
class WorkSource(Protocol):
    """A source of work: what its worker's container needs, what scaling reads, and the alarms of the source itself.

    `WorkerQueue` is one. Another one is a class with these members; a `QueueWorker` knows no more of it.
    """

    @property
    def broker(self) -> str:
        """The name of the service that holds the messages, for alarms, such as "Kafka"."""
        ...

    @property
    def access(self) -> Access:
        """The variables by which a container finds the source, and the statements that let its task drain it."""
        ...

    @property
    def signals(self) -> Signals:
        """The metrics of the source."""
        ...

    @property
    def planner_input(self) -> PlannerInput | None:
        """What the scaling planner reads. None where the planner cannot read this kind of source."""
        ...

    @property
    def max_receive_count(self) -> int | None:
        """Deliveries after which the source itself gives a message up. None where it counts none, or is not known."""
        ...

    def check_demand(self, worker: str, demand: Demand) -> None:
        """Compare what a worker needs with what the source bears.

        Args:
            worker: The id of the worker, for the error.
            demand: What it needs.

        Raises:
            ConfigurationError: The source cannot bear it.
        """
        ...

    def work_alarms(self, demand: Demand, *, log_group_name: str) -> Sequence[AlarmDefinition]:
        """The alarms of the source while a worker drains it.

        Args:
            demand: What the worker needs.
            log_group_name: The name of the worker's log group, for the commands that an alarm names.
        """
        ...

    def look_command(self) -> str:
        """The AWS CLI command that shows the state of the source."""
        ...


@runtime_checkable
class SharedSource(Protocol):
    """What several workers may drain, each by an access of its own: a topic or a stream, by a consumer group each."""

    def for_worker(self, worker: Construct, demand: Demand) -> WorkSource:
        """The source of one worker.

        Args:
            worker: The worker.
            demand: What it needs.

        Raises:
            ConfigurationError: The source bears no further worker, or not this one.
        """
        ...


class TaskInNetwork(Protocol):
    """A task, or a worker's tasks, as something that stands in a network sees them; `QueueWorker` is one."""

    @property
    def cluster(self) -> WorkerCluster:
        """The cluster that runs the tasks."""
        ...

    @property
    def connections(self) -> ec2.Connections:
        """The connections of the tasks."""
        ...

    @property
    def permissions(self) -> iam.ManagedPolicy:
        """The policy with what the tasks may do."""
        ...


@runtime_checkable
class SourceInNetwork(Protocol):
    """A source that stands in a network, so that a worker's tasks must be let in."""

    def let_in(self, task: TaskInNetwork) -> None:
        """Open the network between a worker's tasks and the source.

        Args:
            task: The worker.
        """
        ...


@runtime_checkable
class OperatedSource(Protocol):
    """A source that someone on call reaches past AWS: by its own protocol, with permissions of its own."""

    @property
    def looking(self) -> Sequence[Mapping[str, Any]]:
        """The statements that a look at it and at its dead letters takes; none where nobody can only look."""
        ...

    @property
    def replaying(self) -> Sequence[Mapping[str, Any]]:
        """The statements that sending dead letters back, and deleting them, takes besides."""
        ...
