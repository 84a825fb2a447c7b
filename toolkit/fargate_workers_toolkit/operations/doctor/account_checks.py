"""Questions to the account and the region of an environment."""

from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from fargate_workers_toolkit.operations.doctor.check import Check, Finding, Patient, trouble, well
from fargate_workers_toolkit.operations.state import ServiceStatus

_BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"
#: What synthesized templates ask for.
_BOOTSTRAP_VERSION = 6
#: AWS refuses what is signed with another time: https://docs.aws.amazon.com/IAM/latest/UserGuide/signing-elements.html
_CLOCK_SECONDS = 60.0
_STALE_STATES = ("ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")


def _credentials(patient: Patient) -> Sequence[Finding]:
    identity = patient.aws.client("sts").get_caller_identity()
    place = patient.aws.place
    if place.account not in (None, identity["Account"]):
        return [
            trouble(
                "credentials",
                f"They belong to account {identity['Account']}, and {place.named_by} names {place.account}.",
                "Give another --profile.",
            )
        ]
    return [well("credentials", f"{identity['Arn']}.")]


def _clock(patient: Patient) -> Sequence[Finding]:
    headers: Mapping[str, str] = patient.aws.client("sts").get_caller_identity()["ResponseMetadata"]["HTTPHeaders"]
    date = headers.get("date")
    if date is None:
        return [Finding(subject="clock", verdict="unknown", text="AWS does not say what time it is.")]
    apart = abs(parsedate_to_datetime(date).timestamp() - patient.now)
    if apart > _CLOCK_SECONDS:
        return [trouble("clock", f"This machine's clock is {apart:.0f} s off.", "Set it by NTP; AWS refuses at 5 min.")]
    return [well("clock", "As AWS's.")]


def _bootstrap(patient: Patient) -> Sequence[Finding]:
    place = patient.aws.place
    todo = f"npx cdk bootstrap aws://{place.account}/{place.region}"
    try:
        value = patient.aws.client("ssm").get_parameter(Name=_BOOTSTRAP)["Parameter"]["Value"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ParameterNotFound":
            raise
        return [trouble("bootstrap", f"{place.region} is not bootstrapped.", todo)]
    if int(value) < _BOOTSTRAP_VERSION:
        return [trouble("bootstrap", f"Version {value} is older than {_BOOTSTRAP_VERSION}.", todo)]
    return [well("bootstrap", f"Version {value}.")]


def _stacks(patient: Patient) -> Sequence[Finding]:
    cloudformation = patient.aws.client("cloudformation")
    found: list[Finding] = []
    for name in sorted({state.worker.name.partition("/")[0] for state in patient.states}):
        state = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        if state in _STALE_STATES or state.endswith("_FAILED"):
            todo = f"aws cloudformation describe-stack-events --stack-name {name}"
            found.append(trouble(name, f"Its stack is in {state}.", todo))
        else:
            found.append(well(name, f"Its stack is in {state}."))
    return found


def _fargate_quota(patient: Patient) -> Sequence[Finding]:
    if patient.aws.place.is_local:
        return [well("Fargate vCPUs", "The local environment has no quotas.")]
    quota: dict[str, Any] = patient.aws.client("service-quotas").get_service_quota(
        ServiceCode="fargate", QuotaCode="L-3032A538"
    )["Quota"]
    allowed = float(quota["Value"])
    # Old and new tasks of a deployment run together.
    services = [state for state in patient.states if isinstance(state, ServiceStatus)]
    needed = sum(2 * state.scaling.max_tasks * patient.settings[state.worker.name].vcpus for state in services)
    if needed > allowed:
        return [
            trouble(
                "Fargate vCPUs",
                f"{allowed:g} are allowed, and the workers may need {needed:g} during a deployment.",
                "aws service-quotas request-service-quota-increase --service-code fargate --quota-code L-3032A538 "
                f"--desired-value {needed:g}",
            )
        ]
    return [well("Fargate vCPUs", f"{allowed:g} are allowed, {needed:g} may be needed.")]


def _lambda_concurrency(patient: Patient) -> Sequence[Finding]:
    limit = patient.aws.client("lambda").get_account_settings()["AccountLimit"]
    free = limit["UnreservedConcurrentExecutions"]
    if free < 2:
        return [
            trouble(
                "Lambda concurrency",
                f"{free} executions are unreserved; the planner may not run.",
                "aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 "
                "--desired-value 1000",
            )
        ]
    return [well("Lambda concurrency", f"{free} executions are unreserved.")]


CHECKS = (
    Check(name="The credentials are the environment's", look=_credentials),
    Check(name="This machine's clock is right", look=_clock),
    Check(name="The region is bootstrapped", look=_bootstrap),
    Check(name="The stacks are deployed whole", look=_stacks),
    Check(name="Fargate has room for every task", look=_fargate_quota),
    Check(name="Lambda has room for the planner", look=_lambda_concurrency),
)
