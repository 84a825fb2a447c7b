"""The permissions of those who are on call: to look, and to act."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam
from constructs import Construct

from fargate_workers.cloudformation import in_policies
from fargate_workers.compliance import acknowledge
from fargate_workers.errors import ConfigurationError
from fargate_workers.operations.access_statements import changing, function_arn, operated, reading
from fargate_workers.operations.dead_letter_redrive import DeadLetterRedrive
from fargate_workers.stores import DeduplicationTable
from fargate_workers.tasks import TaskConstruct
from fargate_workers.workers import QueueFunction, QueueWorker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_FINDINGS = {
    "AwsSolutions-IAM5": "What describes alarms, metrics, task definitions and schedules knows no resource; the rest "
    "is on the workers' own."
}


class ReaderAccess(Construct):
    """Managed policies with what the commands `status`, `doctor`, `tail`, `dead-letters list` and `show` take.

        ReaderAccess(self, "Readers", workers=[orders], roles=[support])

    It can read dead letters, and with them the bodies of messages; those in Redis it cannot: anyone who signs in to
    a cache may write there as well.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        workers: The workers that may be looked at, functions as well.
        redrives: Their redrives. Defaults to none.
        claims: The tables of their claims, for `tail --key`. Defaults to none.
        tasks: The tasks that `run` may start, which a reader does not. Defaults to none.
        roles: Roles that get the policies. Defaults to none; a permission set names them by `policies`.

    Attributes:
        policies: The policies: as many as IAM's limit of 6,144 characters asks for.

    Raises:
        ConfigurationError: There are no workers.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        workers: Sequence[QueueWorker | QueueFunction],
        redrives: Sequence[DeadLetterRedrive] = (),
        claims: Sequence[DeduplicationTable] = (),
        tasks: Sequence[TaskConstruct] = (),
        roles: Sequence[iam.IRole] = (),
    ) -> None:
        super().__init__(scope, id)
        if not workers:
            raise ConfigurationError(f"{id}: there are no workers; give those that may be operated.")
        names = dict.fromkeys(function.name for redrive in redrives for function in redrive.functions.values())
        self._operated = operated(
            workers,
            redrives=[function_arn(name) for name in names],
            tables=[table.table_arn for table in claims],
            tasks=tasks,
        )
        self.policies: list[iam.ManagedPolicy] = []
        for number, statements in enumerate(in_policies(self._statements()), start=1):
            policy = iam.ManagedPolicy(
                self,
                "Policy" if number == 1 else f"Policy{number}",
                document=iam.PolicyDocument.from_json({"Statement": list(statements)}),
                roles=list(roles) or None,
            )
            acknowledge(policy, _FINDINGS)
            self.policies.append(policy)

    def _statements(self) -> "list[Mapping[str, Any]]":
        return reading(self._operated)


class OperatorAccess(ReaderAccess):
    """Managed policies with what every command of someone on call takes, on these workers and no others.

        OperatorAccess(self, "Operators", workers=[orders, invoices], redrives=[redrive], roles=[on_call])

    `rollback` registers a task definition, which AWS narrows to no resource; it may pass the workers' own roles alone.
    `run` may run any task definition of the account, as the roles of the workers and of `tasks`.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        workers: The workers that may be operated, functions as well.
        redrives: Their redrives, which may be called. Defaults to none.
        claims: The tables of their claims, for `tail --key`. Defaults to none.
        tasks: The tasks that `run` may start, which a reader does not. Defaults to none.
        roles: Roles that get the policies. Defaults to none; a permission set names them by `policies`.

    Attributes:
        policies: The policies: as many as IAM's limit of 6,144 characters asks for.

    Raises:
        ConfigurationError: There are no workers.
    """

    def _statements(self) -> "list[Mapping[str, Any]]":
        return [*reading(self._operated), *changing(self._operated)]
