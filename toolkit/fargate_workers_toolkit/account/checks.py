"""The questions to an account, each answered by what is there, what is needed and what to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from fargate_workers_toolkit.account.errors import AccountError, in_a_sentence
from fargate_workers_toolkit.account.needs import Needs

Client = Callable[[str], Any]

BOOTSTRAP_VERSION = 6  # what the synthesized templates ask for
BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"

# Each is made by the first use of its service, which may fail because the role is not there yet for a moment.
# https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/818
SERVICES_WITH_ROLES = (
    "ecs.amazonaws.com",
    "ecs.application-autoscaling.amazonaws.com",
    "elasticache.amazonaws.com",
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer to one question.

    Args:
        name: What was asked for.
        ready: Whether it is ready. None: it could not be found out.
        found: What there is.
        todo: What to type, or where to ask, when it is not ready. Defaults to nothing.
    """

    name: str
    ready: bool | None
    found: str
    todo: str = ""


def ask(needs: Needs, client: Client) -> Iterator[Answer]:
    """Look at everything that a first deployment needs; change nothing.

    Args:
        needs: What the environment needs.
        client: Returns a boto3 client by the name of its service.

    Raises:
        AccountError: There are no credentials, or they are another account's.
    """
    _right_account(needs, client)
    yield _answered("bootstrap", lambda: _bootstrap(needs, client))
    for service in SERVICES_WITH_ROLES:
        yield _answered(f"service-linked role of {service}", partial(_service_role, service, client))
    yield _answered("Fargate vCPUs", lambda: _quota("Fargate vCPUs", needs.vcpus, "fargate", "L-3032A538", client))
    if needs.spot_vcpus:
        name = "Fargate Spot vCPUs"
        yield _answered(name, lambda: _quota(name, needs.spot_vcpus, "fargate", "L-36FBB829", client))
    yield _answered("Lambda concurrency", lambda: _concurrency(needs, client))
    yield _answered("VPCs", lambda: _vpcs(client))
    if needs.addresses:
        yield _answered("elastic addresses", lambda: _addresses(needs, client))


def make_service_role(service: str, client: Client) -> None:
    """Make the role that a service makes at its first use.

    Args:
        service: The service's principal.
        client: Returns a boto3 client by the name of its service.

    Raises:
        AccountError: AWS refuses.
    """
    try:
        client("iam").create_service_linked_role(AWSServiceName=service)
    except ClientError as error:
        if "has been taken" in str(error):  # another one was quicker
            return
        raise AccountError(in_a_sentence(error)) from error
    except BotoCoreError as error:
        raise AccountError(in_a_sentence(error)) from error


def _right_account(needs: Needs, client: Client) -> None:
    try:
        account = client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise AccountError(in_a_sentence(error)) from error
    if account != needs.account:
        raise AccountError(
            f"These credentials are of account {account}, and {needs.file} names {needs.account}; correct one."
        )


def _answered(name: str, question: Callable[[], Answer]) -> Answer:
    try:
        return question()
    except (BotoCoreError, ClientError) as error:
        return Answer(name=name, ready=None, found=in_a_sentence(error))


def _bootstrap(needs: Needs, client: Client) -> Answer:
    todo = f"npx cdk bootstrap aws://{needs.account}/{needs.region}"
    try:
        value = client("ssm").get_parameter(Name=BOOTSTRAP_PARAMETER)["Parameter"]["Value"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ParameterNotFound":
            raise
        return Answer(name="bootstrap", ready=False, found=f"{needs.region} is not bootstrapped", todo=todo)
    ready = int(value) >= BOOTSTRAP_VERSION
    found = f"version {value}, {BOOTSTRAP_VERSION} or newer needed"
    return Answer(name="bootstrap", ready=ready, found=found, todo="" if ready else todo)


def _service_role(service: str, client: Client) -> Answer:
    name = f"service-linked role of {service}"
    roles = client("iam").list_roles(PathPrefix=f"/aws-service-role/{service}/")["Roles"]
    if roles:
        return Answer(name=name, ready=True, found=roles[0]["RoleName"])
    todo = f"aws iam create-service-linked-role --aws-service-name {service}"
    return Answer(name=name, ready=False, found="missing", todo=todo)


def _quota(name: str, needed: float, service: str, code: str, client: Client, *, used: int = 0) -> Answer:
    quota = float(client("service-quotas").get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]["Value"])
    ready = quota - used >= needed
    in_use = f", {used} in use" if used else ""
    todo = f"aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code}"
    return Answer(
        name=name,
        ready=ready,
        found=f"{quota:g} allowed{in_use}, {needed:g} needed",
        todo="" if ready else f"{todo} --desired-value {needed + used:g}",
    )


def _concurrency(needs: Needs, client: Client) -> Answer:
    limit = client("lambda").get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    ready = limit >= needs.executions
    todo = (
        "Set reserve_concurrency to false in the environment's file, or ask for more: aws service-quotas "
        "request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value 1000"
    )
    found = f"{limit} executions unreserved, {needs.executions} needed"
    return Answer(name="Lambda concurrency", ready=ready, found=found, todo="" if ready else todo)


def _vpcs(client: Client) -> Answer:
    pages = client("ec2").get_paginator("describe_vpcs").paginate()
    return _quota("VPCs", 1, "vpc", "L-F678F1CE", client, used=sum(len(page["Vpcs"]) for page in pages))


def _addresses(needs: Needs, client: Client) -> Answer:
    used = len(client("ec2").describe_addresses()["Addresses"])
    return _quota("elastic addresses", needs.addresses, "ec2", "L-0263D0A3", client, used=used)
