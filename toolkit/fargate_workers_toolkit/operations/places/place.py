"""An environment's place in AWS, as its file, its synthesized stacks or the local run name it."""

import json
import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from fargate_workers_toolkit import local as local_run
from fargate_workers_toolkit.operations.errors import OperationsError

#: The environment that `fargate-workers local up` deploys.
LOCAL = "local"
#: Environments in which every change is confirmed first, where their file lacks the key.
PRODUCTION = frozenset({"prod", "production"})


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an environment is deployed.

    Args:
        environment: Its name.
        account: The account's number. None: whichever the credentials belong to.
        region: The region. None: the profile's own.
        production: Whether changes are confirmed first.
        named_by: What names account and region, for messages.
        profile: The profile of the credentials. Defaults to AWS_PROFILE, or the default one.
        endpoint: The address of the embedded AWS. Defaults to none: AWS itself.
        broker_address: Host and port at which brokers are reached. Defaults to none: where the worker reaches them.
        certificate_authority: The authority of the servers' certificates. Defaults to none: those of this machine.
        options: The options by which the next command finds the same place. Defaults to none.
    """

    environment: str
    account: str | None
    region: str | None
    production: bool
    named_by: str
    profile: str | None = None
    endpoint: str | None = None
    broker_address: tuple[str, int] | None = None
    certificate_authority: Path | None = None
    options: Sequence[str] = ()

    def typed(self, *words: str) -> str:
        """A command as it is to be typed next, to the same place.

        Args:
            words: The subcommand and its arguments.
        """
        return shlex.join(["fargate-workers", *words, *self.options])

    @property
    def is_local(self) -> bool:
        """Whether the embedded AWS runs it."""
        return self.endpoint is not None

    @property
    def sign_in(self) -> str:
        """The command that signs in again."""
        return f"aws sso login --profile {self.profile}" if self.profile else "aws sso login"


def find_place(environment: str, *, folder: Path, profile: str | None = None, local: bool = False) -> Place:
    """Find where an environment is deployed.

    The embedded AWS for the environment `local`, for one whose file names its account, and with `local=True`; else what
    `environments/NAME.toml` names; else what the stages in `cdk.out` name.

    Args:
        environment: The environment's name.
        folder: The folder of the CDK app.
        profile: The profile of the credentials. Defaults to AWS_PROFILE, or the default one.
        local: Whether the embedded AWS runs it, whatever its file names. Defaults to False.

    Raises:
        OperationsError: No file and no stage has the name, or no embedded AWS runs.
    """
    file = folder / "environments" / f"{environment}.toml"
    if environment == LOCAL:
        return _local(environment, folder)
    if local:
        return replace(_local(environment, folder), options=("--local",))
    place = _found(environment, file, folder / "cdk.out")
    if place.account == local_run.DEFAULT_ACCOUNT:
        return _local(environment, folder)
    return replace(place, profile=profile, options=("--profile", profile) if profile else ())


def _found(environment: str, file: Path, cdk_out: Path) -> Place:
    """The place of an environment in AWS.

    Raises:
        OperationsError: No file and no stage has the name.
    """
    if file.is_file():
        return _of_file(environment, file)
    stages = _stages(cdk_out)
    if environment in stages:
        account, region = stages[environment]
        return Place(
            environment=environment,
            account=account,
            region=region,
            production=environment in PRODUCTION,
            named_by="cdk.out",
        )
    known = sorted({path.stem for path in file.parent.glob("*.toml")} | set(stages)) or ["none"]
    raise OperationsError(
        f'There is no environment "{environment}": neither environments/{environment}.toml nor cdk.out has it '
        f"(known: {', '.join(known)})."
    )


def _local(environment: str, folder: Path) -> Place:
    workspace = local_run.Workspace.here(folder)
    aws = local_run.running(workspace)
    if aws is None:
        raise OperationsError("No local environment is running; start it with `fargate-workers local up`.")
    return Place(
        environment=environment,
        account=aws.account,
        region=aws.region,
        production=False,
        named_by="the local run",
        endpoint=aws.endpoint,
        certificate_authority=workspace.certificate_authority,
    )


def _of_file(environment: str, file: Path) -> Place:
    where = f"environments/{file.name}"
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OperationsError(f"{where} cannot be read: {error}.") from error
    account, region = values.get("account"), values.get("region")
    if not (isinstance(account, str) and re.fullmatch(r"\d{12}", account)):
        raise OperationsError(f"{where}: account: must be a 12-digit string in quotes.")
    if not (isinstance(region, str) and region):
        raise OperationsError(f'{where}: region: is missing; write, for example, region = "eu-west-1".')
    production = values.get("production", environment in PRODUCTION)
    if not isinstance(production, bool):
        raise OperationsError(f"{where}: production: must be true or false, without quotes.")
    return Place(
        environment=environment,
        account=account,
        region=region,
        production=production,
        named_by=where,
    )


def _stages(cdk_out: Path) -> dict[str, tuple[str | None, str | None]]:
    """The account and region of each stage, or of each stack that stands in none."""
    found: dict[str, tuple[str | None, str | None]] = {}
    for name, artifact in _artifacts(cdk_out).items():
        properties = artifact.get("properties", {})
        if artifact.get("type") == "cdk:cloud-assembly":
            stage = str(properties.get("displayName", name)).rpartition("/")[2]
            inner = _artifacts(cdk_out / str(properties.get("directoryName", "")))
            stacks = [each for each in inner.values() if each.get("type") == "aws:cloudformation:stack"]
            if stacks:
                found[stage] = _account_and_region(stacks[0])
        elif artifact.get("type") == "aws:cloudformation:stack":
            found[str(properties.get("stackName", name))] = _account_and_region(artifact)
    return found


def _account_and_region(artifact: Mapping[str, Any]) -> tuple[str | None, str | None]:
    match = re.fullmatch(r"aws://([^/]+)/([^/]+)", str(artifact.get("environment", "")))
    account, region = match.groups() if match else ("unknown-account", "unknown-region")
    return (None if account == "unknown-account" else account), (None if region == "unknown-region" else region)


def _artifacts(folder: Path) -> dict[str, Mapping[str, Any]]:
    try:
        manifest: object = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    artifacts = cast("dict[str, Any]", manifest).get("artifacts") if isinstance(manifest, dict) else None
    return cast("dict[str, Mapping[str, Any]]", artifacts) if isinstance(artifacts, dict) else {}
