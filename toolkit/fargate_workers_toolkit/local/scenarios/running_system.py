"""A deployed app as a scenario sees it."""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.error import HTTPError

from fargate_workers_toolkit.console import Progress, Report
from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.scenarios.deployed import Deployed
from fargate_workers_toolkit.local.scenarios.mailbox import Mailbox
from fargate_workers_toolkit.local.workspace import Workspace
from fargate_workers_toolkit.templates import Assembly

POLL_SECONDS = 0.5

# A killed worker's messages come back when their lease has run out.
DEADLINE_SECONDS = 300.0

Seen = TypeVar("Seen")


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """The messages of a queue.

    Args:
        waiting: How many can be received.
        in_flight: How many are received and not yet acknowledged.
    """

    waiting: int
    in_flight: int

    @property
    def total(self) -> int:
        """How many are not acknowledged."""
        return self.waiting + self.in_flight


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service and its tasks.

    Args:
        name: Its name in ECS.
        cluster: The name of its cluster.
        desired: How many tasks it should have.
        running: How many run.
    """

    name: str
    cluster: str
    desired: int
    running: int


@dataclass(frozen=True, kw_only=True)
class TaskProcess:
    """The process that stands in for a container.

    Args:
        task: The ARN of its task.
        pid: Its number on this machine.
        log: The file with what it wrote.
    """

    task: str
    pid: int
    log: Path


class RunningSystem(Deployed):
    """A deployed app: its resources by construct path, clients, progress, and what a test does to it.

    Args:
        aws: Where it runs.
        assembly: Its stacks.
        workspace: Where its logs are.
        progress: Shows the steps of a scenario.
    """

    def __init__(self, aws: EmbeddedAws, assembly: Assembly, *, workspace: Workspace, progress: Progress) -> None:
        super().__init__(aws, assembly)
        self.workspace = workspace
        self._progress = progress

    def step(self, what: str) -> AbstractContextManager[Report]:
        """Show a block as a step of the run.

        Args:
            what: What the step does.

        Returns:
            A context manager; it gives the block a function that shows how far it is.
        """
        return self._progress.step(what)

    def wait_for(
        self, look: Callable[[], Seen], *, within: float = DEADLINE_SECONDS, every: float = POLL_SECONDS
    ) -> Seen:
        """Look until something is true.

        Args:
            look: Returns what there is to see.
            within: How long to look, in seconds. Defaults to five minutes.
            every: The pause between two looks, in seconds. Defaults to half a second.

        Returns:
            What was seen last: something true, or what there was when the time was over, for a check to judge.
        """
        deadline = time.monotonic() + within
        while not (seen := look()) and time.monotonic() < deadline:
            time.sleep(every)
        return seen

    def backlog(self, queue: str) -> Backlog:
        """Return the messages of a queue.

        Args:
            queue: Its construct path.
        """
        url = self.physical_id(queue, type="AWS::SQS::Queue")
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        found = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
        return Backlog(waiting=int(found[names[0]]), in_flight=int(found[names[1]]))

    def service(self, worker: str) -> Service:
        """Return a service and the counts of its tasks.

        Args:
            worker: The construct path of the service, or of the construct that has it.
        """
        *_, cluster, name = self.physical_id(worker, type="AWS::ECS::Service").split("/")
        (found,) = self.client("ecs").describe_services(cluster=cluster, services=[name])["services"]
        return Service(name=name, cluster=cluster, desired=found["desiredCount"], running=found["runningCount"])

    def processes(self, worker: str) -> list[TaskProcess]:
        """Return the running processes of a service's tasks.

        Args:
            worker: The construct path of the service, or of the construct that has it.
        """
        service = self.service(worker)
        tasks = self.client("ecs").list_tasks(cluster=service.cluster, serviceName=service.name)["taskArns"]
        return [
            TaskProcess(task=each["task"], pid=each["pid"], log=Path(each["log"]))
            for each in self.aws.get("containers")
            if each["task"] in tasks and each["status"] == "running"
        ]

    def invoke(self, schedule: str) -> list[str]:
        """Invoke the target of a schedule now; its own times stay.

        Args:
            schedule: Its construct path.

        Returns:
            The ARNs of the tasks that were started.
        """
        name = self.physical_id(schedule, type="AWS::Scheduler::Schedule")
        return self.aws.post(f"schedules/default/{name}/invocations")["tasks"]

    def exit_code(self, task: str) -> int | None:
        """Return the exit code of a task's first container; None while it runs, and for an unknown task.

        Args:
            task: Its ARN.
        """
        cluster = task.split("/")[-2]
        found = self.client("ecs").describe_tasks(cluster=cluster, tasks=[task])["tasks"]
        return found[0]["containers"][0].get("exitCode") if found else None

    def sql(self, database: str, statements: str) -> list[list[str]]:
        """Run statements in a database as its master user: its tables before the work, its rows afterwards.

        Args:
            database: The construct path of the cluster, or of the construct that has it.
            statements: The statements.

        Returns:
            The rows of their results, one after the other, as text.

        Raises:
            LocalError: The server refused a statement; the text is the server's.
        """
        name = self.physical_id(database, type="AWS::RDS::DBCluster")
        try:
            return self.aws.post(f"databases/{name}/statements", statements)["rows"]
        except HTTPError as error:
            raise LocalError(json.load(error)["message"]) from None

    def mailbox(self, topic: str) -> Mailbox:
        """Subscribe a new queue to a topic.

        Args:
            topic: Its construct path.
        """
        arn = self.physical_id(topic, type="AWS::SNS::Topic")
        return Mailbox(sqs=self.client("sqs"), sns=self.client("sns"), topic_arn=arn)
