"""A task that is let in later, and how many of them a security group takes."""

from typing import Protocol

from aws_cdk import aws_ec2 as ec2

from fargate_workers.access import AccessibleTask
from fargate_workers.errors import ConfigurationError

# Rules of a security group, in each direction: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
MOST_TASKS = 60


class ConnectingTask(AccessibleTask, Protocol):
    """A task that is let in later: a QueueWorker or something like it."""

    @property
    def name(self) -> str: ...

    @property
    def max_tasks(self) -> int: ...

    @property
    def connections(self) -> ec2.Connections: ...


class TaskRules:
    """The rules by which tasks reach a store: one for each task, and AWS takes only so many in a security group.

    Args:
        id: The id of the store, for the error.
        connections: The store's security group and port.
        protocol: What is spoken there, for the rules' descriptions.
        instead: What the error proposes for further tasks.
    """

    def __init__(self, id: str, connections: ec2.Connections, *, protocol: str, instead: str) -> None:
        self._id = id
        self._connections = connections
        self._protocol = protocol
        self._instead = instead
        self._let_in = 0

    def let_in(self, connections: ec2.Connections) -> None:
        """Open the network between a task and the store.

        Raises ConfigurationError when more tasks connect than AWS takes rules in one security group.
        """
        self._let_in += 1
        if self._let_in > MOST_TASKS:
            raise ConfigurationError(
                f"{self._id}: more than {MOST_TASKS} tasks connect to it, and AWS takes {MOST_TASKS} rules in "
                f"its security group; {self._instead}."
            )
        # From the task's side, so that both rules end up in its stack: the store's stack never points back at it.
        connections.allow_to_default_port(self._connections, self._protocol)
