"""A Python function on Lambda: the only place that knows how one is packed, placed and permitted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import aws_cdk
from aws_cdk import CfnResource, IgnoreMode
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from fargate_workers.cloudformation import CustomizedRole, ServiceRole, allow, ownership_tags, service_role
from fargate_workers.compliance import COMPLIANCE_PACKS, acknowledge, acknowledge_checkov

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

    from fargate_workers.cluster.worker_cluster import WorkerCluster

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
    role: ServiceRole | CustomizedRole
    statements: Sequence[Mapping[str, Any]]
    security_group_id: str | None = None

    def permit(self, *more: Mapping[str, Any]) -> None:
        """Allow `more` besides what it was made with, in the place of what was permitted like this before."""
        self.role.permit([*self.statements, *more])


def python_function(
    scope: Construct,
    package: ModuleType,
    *,
    cluster: "WorkerCluster",
    name: str,
    role_tag: str,
    description: str,
    environment: Mapping[str, str] | None = None,
    statements: Sequence[Mapping[str, Any]],
    dead_letter_queue_arn: str,
    timeout_seconds: int = 60,
    memory_mib: int = 256,
    needs_network: bool = False,
) -> PythonFunction:
    """Run the `handler` of a package in the cluster's network, allowed to do `statements` and no more.

    Tags name what it belongs to, by its qualified `name`, and what it is to that. In a "public" network it stays
    outside: a function in a public subnet has no address of its own, hence no way out. One that `needs_network`,
    because it connects to something there, calls no service of AWS and stands in any network.
    """
    inside = needs_network or cluster.network != "public"
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
    for policy in role.policies:
        acknowledge(
            policy,
            {
                "AwsSolutions-IAM5[Resource::*]": "AWS lets nobody narrow traces or metrics to a resource, nor the "
                "interfaces that Lambda makes for itself before their ids exist."
            },
        )
        if inside and isinstance(policy, CfnResource):  # where others make the roles, there is none to acknowledge
            reason = "Lambda makes network interfaces by permissions that AWS narrows to no resource."
            acknowledge_checkov(policy, {"CKV_AWS_111": reason})
    # Loaded here and not above: it is one of the CDK's largest modules, and most who import us make no function.
    cfn_function = aws_cdk.aws_lambda.CfnFunction
    code = _code(scope, package)
    security_group = _security_group(scope, cluster, calls_aws=not needs_network) if inside else None
    function = cfn_function(
        scope,
        "Function",
        description=description,
        runtime=RUNTIME,
        architectures=["arm64"],
        handler=f"{package.__name__}.handler.handler",
        code=cfn_function.CodeProperty(s3_bucket=code.s3_bucket_name, s3_key=code.s3_object_key),
        environment=None if environment is None else cfn_function.EnvironmentProperty(variables=environment),
        role=role.role,
        timeout=timeout_seconds,
        memory_size=memory_mib,
        reserved_concurrent_executions=1 if cluster.reserve_concurrency else None,
        dead_letter_config=cfn_function.DeadLetterConfigProperty(target_arn=dead_letter_queue_arn),
        tracing_config=cfn_function.TracingConfigProperty(mode="Active"),
        logging_config=cfn_function.LoggingConfigProperty(log_group=log_group_name, log_format="JSON"),
        vpc_config=None
        if security_group is None
        else cfn_function.VpcConfigProperty(
            subnet_ids=cluster.subnet_ids, security_group_ids=[security_group.attr_group_id]
        ),
        tags=ownership_tags(environment=cluster.environment, name=name, role=role_tag),
    )
    # Where the CDK's tools and ours find the source; written when the app's context asks for it, as the CLI does.
    code.add_resource_metadata(function, "Code")
    checkov: dict[str, str] = {}
    if not inside:
        reason = 'network="public" was chosen: in a public subnet the function would have no way out to AWS.'
        acknowledge(function, {f"{pack}-LambdaInsideVPC": reason for pack in COMPLIANCE_PACKS})
        checkov["CKV_AWS_117"] = reason
    if not cluster.reserve_concurrency:
        # https://github.com/aws-samples/one-observability-demo/issues/278
        reason = "Called now and then. An account that may run 10 functions at once, as new ones do, can reserve none."
        acknowledge(function, {f"{pack}-LambdaConcurrency": reason for pack in ("HIPAA.Security", "NIST.800.53.R5")})
        checkov["CKV_AWS_115"] = reason
    if environment:
        what = "names and an address" if needs_network else "queues' names and a rate"
        checkov["CKV_AWS_173"] = f"Its variables are {what}: nothing secret. Lambda's key encrypts them."
    if checkov:
        acknowledge_checkov(function, checkov)
    group_id = None if security_group is None else security_group.attr_group_id
    return PythonFunction(function, function.ref, log_group_name, role, every_statement, group_id)


def _code(scope: Construct, package: ModuleType) -> assets.Asset:
    """The package alone, out of the folder that it is imported from: the sources' in a checkout, or site-packages."""
    folder, name = Path(package.__path__[0]).parent, package.__name__
    return assets.Asset(
        scope,
        "Code",
        path=str(folder),
        # By allow-list: caches and what editors leave behind would change the hash from machine to machine.
        exclude=["*", f"!{name}", f"!{name}/**/", f"!{name}/**/*.py"],
        ignore_mode=IgnoreMode.GIT,
    )


def _security_group(scope: Construct, cluster: "WorkerCluster", *, calls_aws: bool) -> ec2.CfnSecurityGroup:
    https = ec2.CfnSecurityGroup.EgressProperty(
        ip_protocol="tcp", from_port=443, to_port=443, cidr_ip="0.0.0.0/0", description="AWS over HTTPS"
    )
    # Without any rule EC2 would let everything out.
    nowhere = ec2.CfnSecurityGroup.EgressProperty(
        ip_protocol="icmp", from_port=252, to_port=86, cidr_ip="255.255.255.255/32", description="Disallow all traffic"
    )
    what = "A function that calls AWS and nothing else" if calls_aws else "A function that connects within the network"
    return ec2.CfnSecurityGroup(
        scope,
        "SecurityGroup",
        group_description=what,
        vpc_id=cluster.vpc,
        security_group_egress=[https if calls_aws else nowhere],
    )
