"""Whether an account is ready: what is asked, what is answered, and what each refusal of AWS becomes."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ProfileNotFound,
    SSOTokenLoadError,
)
from moto import mock_aws
from typer.testing import CliRunner

from fargate_workers_toolkit.account import needs
from fargate_workers_toolkit.account.checks import (
    BOOTSTRAP_PARAMETER,
    SERVICES_WITH_ROLES,
    Answer,
    ask,
    make_service_role,
)
from fargate_workers_toolkit.account.errors import AccountError, in_a_sentence
from fargate_workers_toolkit.command import app

# The file: the room gives the command of the same name.
account = import_module("fargate_workers_toolkit.commands.account")

ACCOUNT = "123456789012"  # moto's
_make: Any = boto3.Session.client
SESSION = boto3.Session(region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing")
FILE = f"""
account = "{ACCOUNT}"
region = "eu-west-1"
max_tasks = 8
spot_from = 2

[network]
mode = "nat"
nat_gateways = 2
"""


class Quotas:
    def __init__(self, **values: float) -> None:
        self._values = values

    def get_service_quota(self, *, ServiceCode: str, QuotaCode: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        return {"Quota": {"Value": self._values.get(ServiceCode, 1_000.0)}}


class Lambda:
    def __init__(self, unreserved: int = 1_000) -> None:
        self._unreserved = unreserved

    def get_account_settings(self) -> dict[str, Any]:
        return {"AccountLimit": {"ConcurrentExecutions": 1_000, "UnreservedConcurrentExecutions": self._unreserved}}


@cache
def client(name: str) -> Any:
    """One for all tests: reading a service's model takes longer than any test."""
    return _make(SESSION, name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "dev.toml").write_text(FILE)
    return tmp_path / "environments"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """A new account: moto's, with the two services that moto does not have."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    fakes: dict[str, Any] = {"service-quotas": Quotas(), "lambda": Lambda()}
    with mock_aws():
        monkeypatch.setattr(boto3.Session, "client", lambda self, name: fakes.get(name) or client(name))
        yield lambda name: fakes if name == "fakes" else fakes.get(name) or client(name)


def prepare(aws: Callable[[str], Any]) -> None:
    aws("ssm").put_parameter(Name=BOOTSTRAP_PARAMETER, Value="30", Type="String")
    for service in SERVICES_WITH_ROLES:
        make_service_role(service, aws)


def answers(folder: Path, aws: Callable[[str], Any]) -> dict[str, Answer]:
    return {each.name: each for each in ask(needs.read(folder / "dev.toml"), aws)}


def test_a_new_account_is_told_what_it_lacks_and_how_to_get_it(folder: Path, aws: Callable[[str], Any]) -> None:
    found = answers(folder, aws)

    lacking = {name: each.todo for name, each in found.items() if not each.ready}
    assert lacking == {
        "bootstrap": f"npx cdk bootstrap aws://{ACCOUNT}/eu-west-1",
        **{
            f"service-linked role of {service}": f"aws iam create-service-linked-role --aws-service-name {service}"
            for service in SERVICES_WITH_ROLES
        },
    }


def test_a_prepared_account_is_ready(folder: Path, aws: Callable[[str], Any]) -> None:
    prepare(aws)

    assert all(each.ready for each in answers(folder, aws).values())


def test_an_old_bootstrap_is_not_enough(folder: Path, aws: Callable[[str], Any]) -> None:
    prepare(aws)
    aws("ssm").put_parameter(Name=BOOTSTRAP_PARAMETER, Value="5", Type="String", Overwrite=True)

    found = answers(folder, aws)["bootstrap"]

    assert (found.ready, found.found) == (False, "version 5, 6 or newer needed")


def test_quotas_are_compared_with_what_is_needed_beside_what_is_used(folder: Path, aws: Callable[[str], Any]) -> None:
    prepare(aws)
    fakes = aws("fakes")
    fakes["service-quotas"], fakes["lambda"] = Quotas(fargate=3, vpc=1, ec2=1), Lambda(unreserved=10)
    (folder / "dev.toml").write_text("reserve_concurrency = true\n" + FILE)

    lacking = {name: each for name, each in answers(folder, aws).items() if not each.ready}

    assert {name: each.found for name, each in lacking.items()} == {
        "Fargate Spot vCPUs": "3 allowed, 6 needed",
        "Lambda concurrency": "10 executions unreserved, 102 needed",
        "VPCs": "1 allowed, 1 in use, 1 needed",
        "elastic addresses": "1 allowed, 2 needed",
    }
    assert lacking["VPCs"].todo.endswith("--service-code vpc --quota-code L-F678F1CE --desired-value 2")
    assert lacking["Lambda concurrency"].todo.startswith(
        "Set reserve_concurrency to false in the environment's file, or"
    )


def test_what_an_environment_does_not_use_is_not_asked_for(folder: Path, aws: Callable[[str], Any]) -> None:
    (folder / "dev.toml").write_text(FILE.replace("spot_from = 2", "").replace('"nat"', '"endpoints"'))

    assert {"Fargate Spot vCPUs", "elastic addresses"}.isdisjoint(answers(folder, aws))


def test_what_may_not_be_asked_is_unknown_and_the_rest_is_answered(folder: Path, aws: Callable[[str], Any]) -> None:
    prepare(aws)

    class Denied:
        def get_service_quota(self, **_: str) -> None:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetServiceQuota")

    aws("fakes")["service-quotas"] = Denied()
    found = answers(folder, aws)

    assert {name for name, each in found.items() if each.ready is None} == {
        "Fargate vCPUs",
        "Fargate Spot vCPUs",
        "VPCs",
        "elastic addresses",
    }
    assert found["VPCs"].found == (
        "These credentials may not call GetServiceQuota; use others, or ask whoever administers the account."
    )


def test_the_command_reads_and_only_with_apply_makes_the_roles(folder: Path, aws: Callable[[str], Any]) -> None:
    run = CliRunner().invoke

    first = run(app, ["account", "dev", "--json"])
    assert first.exit_code == 1
    assert json.loads(first.stdout)["ready"] is False
    assert run(app, ["account", "dev", "--json"]).stdout == first.stdout

    aws("ssm").put_parameter(Name=BOOTSTRAP_PARAMETER, Value="30", Type="String")
    made = run(app, ["account", "dev", "--apply"])
    assert made.exit_code == 0
    assert "ready   service-linked role of ecs.amazonaws.com: made now" in made.stdout
    assert run(app, ["account", "dev"]).exit_code == 0
    assert run(app, ["account", "dev", "--apply"]).exit_code == 0


def test_credentials_of_another_account_are_one_sentence(folder: Path, aws: Callable[[str], Any]) -> None:
    (folder / "dev.toml").write_text(FILE.replace(ACCOUNT, "240615730189"))

    result = CliRunner().invoke(app, ["account", "dev"])

    assert result.exit_code == 2
    assert result.stderr == (
        f"These credentials are of account {ACCOUNT}, and environments/dev.toml names 240615730189; correct one.\n"
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "environments/prd.toml does not exist; known environments: dev."),
        ("account = 1", "environments/prd.toml: account: must be a 12-digit string in quotes."),
        (
            f'account = "{ACCOUNT}"',
            'environments/prd.toml: region: is missing; write, for example, region = "eu-west-1".',
        ),
        ("account =", "environments/prd.toml cannot be read: Invalid value (at end of document)."),
    ],
)
def test_a_wrong_file_is_one_sentence(folder: Path, text: str | None, sentence: str) -> None:
    if text is not None:
        (folder / "prd.toml").write_text(text)

    result = CliRunner().invoke(app, ["account", "prd"])

    assert (result.exit_code, result.stderr) == (2, f"{sentence}\n")


def test_an_unknown_profile_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nonsense")

    result = CliRunner().invoke(app, ["account", "dev"])

    assert (result.exit_code, result.stderr) == (
        2,
        "The config profile (nonsense) could not be found; correct AWS_PROFILE.\n",
    )


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (NoCredentialsError(), "There are no AWS credentials; set AWS_PROFILE, or sign in with `aws sso login`."),
        (ProfileNotFound(profile="x"), "The config profile (x) could not be found; correct AWS_PROFILE."),
        (SSOTokenLoadError(error_msg="no\ntoken"), "Error loading SSO Token: no token"),
        (EndpointConnectionError(endpoint_url="https://sts"), 'Could not connect to the endpoint URL: "https://sts"'),
        (ConnectTimeoutError(endpoint_url="https://sts"), 'Connect timeout on endpoint URL: "https://sts"'),
        (
            ClientError({"Error": {"Code": "ExpiredToken", "Message": "x"}}, "GetCallerIdentity"),
            "AWS no longer takes these credentials (ExpiredToken); sign in again.",
        ),
        (
            ClientError({"Error": {"Code": "Throttling", "Message": "Rate\nexceeded"}}, "GetRole"),
            "GetRole failed with Throttling: Rate exceeded",
        ),
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "long"}}, "GetRole"),
            "These credentials may not call GetRole; use others, or ask whoever administers the account.",
        ),
    ],
)
def test_each_error_of_aws_is_one_sentence(error: Any, sentence: str) -> None:
    assert in_a_sentence(error) == sentence


def test_a_role_that_appeared_meanwhile_is_taken_for_made() -> None:
    class Quicker:
        def __init__(self, message: str) -> None:
            self._message = message

        def create_service_linked_role(self, **_: str) -> None:
            raise ClientError({"Error": {"Code": "InvalidInput", "Message": self._message}}, "CreateServiceLinkedRole")

    make_service_role("ecs.amazonaws.com", lambda _: Quicker("Service role name X has been taken in this account"))
    with pytest.raises(AccountError, match=r"^CreateServiceLinkedRole failed with InvalidInput: nonsense$"):
        make_service_role("ecs.amazonaws.com", lambda _: Quicker("nonsense"))


def test_the_command_is_the_one_of_the_toolkit() -> None:
    assert account.account.__doc__
    assert "account" in CliRunner().invoke(app, ["--help"]).stdout


def test_the_account_of_the_embedded_aws_lacks_nothing_and_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "local.toml").write_text('account = "000000000000"\nregion = "us-east-1"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(boto3, "Session", None)

    ended = CliRunner().invoke(app, ["account", "local"])

    assert ended.exit_code == 0, ended.output
    assert ended.stdout == "ready   account: environments/local.toml names the embedded AWS's, which lacks nothing\n"
