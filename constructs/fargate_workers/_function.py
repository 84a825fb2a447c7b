"""A Python function of ours on Lambda: the only place that knows how one is packed, placed and permitted."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import aws_cdk
from aws_cdk import IgnoreMode
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from fargate_workers._acknowledge import COMPLIANCE_PACKS, acknowledge
from fargate_workers._service_role import allow, policy_document, service_role
from fargate_workers._sources import source_dir

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

    from fargate_workers.worker_cluster import WorkerCluster

RUNTIME = "python3.14"  # a test says when the CDK knows a newer one

_TRACES = allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*")
_NETWORK_INTERFACES = allow(
    [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ],
    "*",
)


class PythonFunction(NamedTuple):
    resource: "lambda_.CfnFunction"
    name: str
    log_group_name: str
    policy: iam.CfnManagedPolicy
    statements: Sequence[Mapping[str, Any]]

    def permit(self, *more: Mapping[str, Any]) -> None:
        """Allow `more` besides what it was made with, in the place of what was permitted like this before."""
        self.policy.policy_document = policy_document([*self.statements, *more])


def python_function(
    scope: Construct,
    name: str,
    *,
    cluster: "WorkerCluster",
    description: str,
    environment: Mapping[str, str] | None = None,
    statements: Sequence[Mapping[str, Any]],
    dead_letter_queue_arn: str,
    timeout_seconds: int = 60,
    memory_mib: int = 256,
) -> PythonFunction:
    """Run `lambda_src/<name>` in the cluster's network, allowed to do `statements` and no more.

    In a "public" network it stays outside: a function in a public subnet has no address of its own, hence no way out.
    """
    inside = cluster.network != "public"
    log_group = logs.LogGroup(
        scope,
        "Logs",
        encryption_key=cluster.log_encryption_key,
        retention=cluster.log_retention,
        removal_policy=cluster.log_removal_policy,
    )
    log_group_name = log_group.log_group_name
    every_statement = [
        *statements,
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], log_group.log_group_arn),
        allow(["sqs:SendMessage"], dead_letter_queue_arn),
        *([_NETWORK_INTERFACES] if inside else []),
        _TRACES,
    ]
    role = service_role(scope, "lambda.amazonaws.com", every_statement, only_for_this_account=False)
    acknowledge(
        role.policy,
        {
            "AwsSolutions-IAM5[Resource::*]": "AWS lets nobody narrow traces or metrics to a resource, nor the "
            "interfaces that Lambda makes for itself before their ids exist."
        },
    )
    # Loaded here and not above: it is one of the CDK's largest modules, and most who import us make no function.
    cfn_function = aws_cdk.aws_lambda.CfnFunction
    code = _code(scope, name)
    function = cfn_function(
        scope,
        "Function",
        description=description,
        runtime=RUNTIME,
        architectures=["arm64"],
        handler=f"{name}.handler.handler",
        code=cfn_function.CodeProperty(s3_bucket=code.s3_bucket_name, s3_key=code.s3_object_key),
        environment=None if environment is None else cfn_function.EnvironmentProperty(variables=environment),
        role=role.role,
        timeout=timeout_seconds,
        memory_size=memory_mib,
        reserved_concurrent_executions=1 if cluster.reserve_concurrency else None,
        dead_letter_config=cfn_function.DeadLetterConfigProperty(target_arn=dead_letter_queue_arn),
        tracing_config=cfn_function.TracingConfigProperty(mode="Active"),
        logging_config=cfn_function.LoggingConfigProperty(log_group=log_group_name, log_format="JSON"),
        vpc_config=_network(scope, cluster) if inside else None,
    )
    # Where the CDK's tools and ours find the source; written when the app's context asks for it, as the CLI does.
    code.add_resource_metadata(function, "Code")
    if not inside:
        reason = 'network="public" was chosen: in a public subnet the function would have no way out to AWS.'
        acknowledge(function, {f"{pack}-LambdaInsideVPC": reason for pack in COMPLIANCE_PACKS})
    if not cluster.reserve_concurrency:
        # https://github.com/aws-samples/one-observability-demo/issues/278
        reason = "Called now and then. An account that may run 10 functions at once, as new ones do, can reserve none."
        acknowledge(function, {f"{pack}-LambdaConcurrency": reason for pack in ("HIPAA.Security", "NIST.800.53.R5")})
    return PythonFunction(function, function.ref, log_group_name, role.policy, every_statement)


def _code(scope: Construct, name: str) -> assets.Asset:
    return assets.Asset(
        scope,
        "Code",
        path=str(source_dir("lambda_src")),
        # By allow-list: caches and what editors leave behind would change the hash from machine to machine.
        exclude=["*", f"!{name}", f"!{name}/**/", f"!{name}/**/*.py"],
        ignore_mode=IgnoreMode.GIT,
    )


def _network(scope: Construct, cluster: "WorkerCluster") -> "lambda_.CfnFunction.VpcConfigProperty":
    group = ec2.CfnSecurityGroup(
        scope,
        "SecurityGroup",
        group_description="A function that calls AWS and nothing else",
        vpc_id=cluster.vpc,
        security_group_egress=[
            ec2.CfnSecurityGroup.EgressProperty(
                ip_protocol="tcp", from_port=443, to_port=443, cidr_ip="0.0.0.0/0", description="AWS over HTTPS"
            )
        ],
    )
    return aws_cdk.aws_lambda.CfnFunction.VpcConfigProperty(
        subnet_ids=cluster.subnet_ids, security_group_ids=[group.attr_group_id]
    )
