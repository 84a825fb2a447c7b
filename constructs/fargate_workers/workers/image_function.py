"""A Lambda function that runs the workers' image: its role, permissions, network and logs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import aws_cdk
from aws_cdk import CfnResource
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from fargate_workers.access import Access
from fargate_workers.cloudformation import FUNCTION_ROLE, allow, environment_of, ownership_tags
from fargate_workers.cluster import WorkerCluster
from fargate_workers.compliance import COMPLIANCE_PACKS, acknowledge, acknowledge_checkov
from fargate_workers.errors import ConfigurationError
from fargate_workers.tasks import Architecture, Runner, architecture_of, image_uri

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

#: The second entry point of the image: AWS's runtime client, which calls the handler. The first is the task's command.
ENTRY_POINT = ("python", "-m", "awslambdaric")

_NETWORK_INTERFACES = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


class ImageFunction(Runner):
    """A function of the tasks' image. As Lambda has it, it can write nothing but /tmp and runs as no user of its own.

    In a cluster's network it may connect anywhere by HTTPS, and to whatever `connections` allows. Without a cluster it
    runs outside of any network, from where it reaches AWS and the internet.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        cluster: The cluster in whose network it runs, and whose settings its log has.
        image: The image, of ECR.
        handler: The module and attribute that the runtime client calls.
        name: Its name in descriptions and errors.
        qualified_name: The qualified name of what it belongs to, for those who are on call.
        uses: The permissions and variables that it has from the start.
        environment: Its further variables.
        timeout_seconds: Its time-out.
        memory_mib: Its memory.
        architecture: What it runs on. None is what the image is built for.
        reserved_concurrency: Invocations that are set aside for it. None is none.
        tracing: Whether X-Ray traces it.

    Attributes:
        resource: The function.
        function_name: Its name.
        role: Its role.
        permissions: What it may do: grants to the function are statements in here.
        log_group: Its log group.

    Raises:
        ConfigurationError: The image is none of ECR, or is built for another architecture, or the network gives a
            function no way out.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: WorkerCluster | None,
        image: ecs.ContainerImage,
        handler: str,
        name: str,
        qualified_name: str,
        uses: Sequence[Access],
        environment: Mapping[str, str],
        timeout_seconds: int,
        memory_mib: int,
        architecture: Architecture | None,
        reserved_concurrency: int | None,
        tracing: bool,
    ) -> None:
        super().__init__(
            scope,
            id,
            cluster=cluster,
            name=name,
            qualified_name=qualified_name,
            described=f"The function {name}.",
            uses=uses,
        )
        if not 128 <= memory_mib <= 10_240:
            raise ConfigurationError(f"{name}: memory_mib is {memory_mib}; Lambda takes 128 to 10240.")
        if cluster is not None and cluster.network == "public":
            raise ConfigurationError(
                f'{name}: network="public" gives a function no way out, for it has no address there; leave cluster '
                'out, or choose "nat" or "endpoints".'
            )
        self.log_group: logs.LogGroup = logs.LogGroup(
            self,
            "Logs",
            encryption_key=None if cluster is None else cluster.log_encryption_key,
            retention=logs.RetentionDays.ONE_MONTH if cluster is None else cluster.log_retention,
            removal_policy=aws_cdk.RemovalPolicy.DESTROY if cluster is None else cluster.log_removal_policy,
        )
        self._role = self.role = cast(
            "iam.IRole",
            iam.Role(self, "Role", assumed_by=cast("iam.IPrincipal", iam.ServicePrincipal("lambda.amazonaws.com"))),
        )
        anywhere = [
            *([allow(_NETWORK_INTERFACES, "*")] if cluster is not None else []),
            *([allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*")] if tracing else []),
        ]
        self._statements += [
            allow(["logs:CreateLogStream", "logs:PutLogEvents"], self.log_group.log_group_arn),
            *anywhere,
        ]
        self._variables = {**environment, **self._variables}
        built_for = architecture_of(name, image, architecture)
        # Loaded here: it is one of the CDK's largest modules, and most who import us make no function.
        self._types: type[lambda_.CfnFunction] = aws_cdk.aws_lambda.CfnFunction
        self.resource: lambda_.CfnFunction = self._types(
            self,
            "Resource",
            description=f"Handles the messages of {name[:200]}.",
            package_type="Image",
            code=self._types.CodeProperty(image_uri=image_uri(self, name, image)),
            image_config=self._types.ImageConfigProperty(entry_point=list(ENTRY_POINT), command=[handler]),
            architectures=[built_for],
            environment=self._types.EnvironmentProperty(variables=self._variables),
            role=self.role.role_arn,
            timeout=timeout_seconds,
            memory_size=memory_mib,
            reserved_concurrent_executions=reserved_concurrency,
            tracing_config=self._types.TracingConfigProperty(mode="Active") if tracing else None,
            logging_config=self._types.LoggingConfigProperty(
                log_group=self.log_group.log_group_name, log_format="JSON"
            ),
            vpc_config=None
            if cluster is None
            else self._types.VpcConfigProperty(
                subnet_ids=cluster.subnet_ids, security_group_ids=[self.security_group.security_group_id]
            ),
            tags=ownership_tags(environment=environment_of(self), name=qualified_name, role=FUNCTION_ROLE),
        )
        # Lambda looks whether the role may do what the function's place takes.
        self.resource.node.add_dependency(self.permissions)
        self.function_name: str = self.resource.ref
        self._acknowledge(anywhere=bool(anywhere), reserved=reserved_concurrency is not None, tracing=tracing)

    def add_environment(self, name: str, value: str) -> None:
        """Set one variable.

        Args:
            name: The variable.
            value: Its value.
        """
        self._variables[name] = value
        self.resource.environment = self._types.EnvironmentProperty(variables=self._variables)

    def _acknowledge(self, *, anywhere: bool, reserved: bool, tracing: bool) -> None:
        checkov = {
            "CKV_AWS_116": "A queue calls it: what it cannot handle goes to the queue's own dead-letter queue.",
            "CKV_AWS_173": "Its variables are names and addresses of resources. Lambda's key encrypts them.",
        }
        packs = ("HIPAA.Security", "NIST.800.53.R5", "Serverless")
        findings = {f"{pack}-LambdaDLQ": checkov["CKV_AWS_116"] for pack in packs}
        if not reserved:
            reason = "The event source mapping limits how many invocations there are at once."
            findings |= {f"{pack}-LambdaConcurrency": reason for pack in ("HIPAA.Security", "NIST.800.53.R5")}
            checkov["CKV_AWS_115"] = reason
        if self._network_of is None:
            reason = "It needs nothing of a network; a cluster= would place it in one."
            findings |= {f"{pack}-LambdaInsideVPC": reason for pack in COMPLIANCE_PACKS}
            checkov["CKV_AWS_117"] = reason
        if not tracing:
            findings["Serverless-LambdaTracing"] = "Off unless tracing=True: traces cost by the invocation."
        acknowledge(self.resource, findings)
        acknowledge_checkov(self.resource, checkov)
        policy = self.permissions.node.default_child
        if self._network_of is not None and isinstance(policy, CfnResource):  # none where others make the roles
            reason = "Lambda makes network interfaces by permissions that AWS narrows to no resource."
            acknowledge_checkov(policy, {"CKV_AWS_111": reason})
        if anywhere:
            acknowledge(
                self.permissions,
                {
                    "AwsSolutions-IAM5[Resource::*]": "AWS lets nobody narrow traces to a resource, nor the interfaces "
                    "that Lambda makes for itself before their ids exist."
                },
            )
