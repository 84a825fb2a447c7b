"""One environment of the order pipeline, read from `environments/<name>.toml` and checked before anything is built."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_logs as logs
from aws_cdk.region_info import Fact
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from environments.errors import EnvironmentFileError, explain, explain_syntax, suggestion
from environments.placeholders import left_over
from fargate_workers.alarms import MuteWindow
from fargate_workers.errors import ConfigurationError
from fargate_workers.stores import cache_node

__all__ = ["Environment", "EnvironmentFileError", "load_environment", "load_environments"]


def _known_node_type(node_type: str) -> str:
    cache_node.max_clients(node_type)
    return node_type


def _known_region(region: str) -> str:
    if region.startswith(_PARTITIONS_APART):
        raise ValueError(f'"{region}" is in a partition of its own, for which these stacks are not made; use another.')
    if region not in _regions():
        raise ValueError(f'"{region}" is no region that the CDK knows. {suggestion(region, _regions())}')
    return region


@cache
def _regions() -> list[str]:
    return [region for region in Fact.regions if not region.startswith(_PARTITIONS_APART)]


# China, the European Sovereign Cloud and the isolated regions: other endpoints, engine versions and node types.
_PARTITIONS_APART = ("cn-", "eusc-", "eu-iso", "us-iso")

_LOG_RETENTION = {
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}

# TOML has arrays, we keep tuples: an environment never changes.
Names = Annotated[tuple[str, ...], Field(strict=False)]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True)


class Network(_Section):
    """Where tasks run, and by which way they reach AWS."""

    mode: Literal["nat", "endpoints", "public"] = Field(examples=["endpoints"])
    """`nat`: through NAT gateways; `endpoints`: through interface endpoints, without internet; `public`: directly.

    Final with the first deployment: another mode is a new environment, to which the data is moved.
    """

    availability_zones: Names = Field(min_length=1, max_length=6, examples=[["eu-west-1a", "eu-west-1b"]])
    """The zones by name, so that synthesis looks nothing up.

    Further zones may be added at the end, up to six; those that were deployed stay, in their order.
    """

    nat_gateways: int = Field(default=1, ge=1)
    """How many NAT gateways in mode `nat`; one per zone survives the loss of a zone."""


class Cache(_Section):
    """The read model's cache."""

    node_type: Annotated[str, AfterValidator(_known_node_type)] = Field(examples=["cache.t4g.micro"])
    """How large each node is."""

    multi_az: bool = True
    """Whether a replica in another zone takes over when the primary fails."""

    snapshot_retention_days: int = Field(default=7, ge=0, le=35)
    """How many daily snapshots to keep; 0 takes none."""


class QueueSystems(_Section):
    """Further queue systems, each with a worker of the same orders in a stack of its own; none without this section."""

    database: bool = False
    """Aurora PostgreSQL, in whose transactions a worker deduplicates: from 88 USD a month."""

    function: bool = False
    """A Lambda function that drains a queue: paid per message, nothing while there are none."""

    function_timeout_seconds: int = Field(default=13, ge=6, le=60)
    """The function's time-out; the messages of a killed invocation come back after six times as long."""

    kafka: bool = False
    """A Kafka cluster on MSK with Standard brokers: from 470 USD a month with three zones, 620 with two."""

    redis_stream: bool = False
    """A stream on a Redis cache of its own: from 25 USD a month for two small nodes."""

    redis_list: bool = False
    """A list on a Redis cache of its own: from 25 USD a month for two small nodes."""


class Mute(_Section):
    """A time in which alarms notify nobody. Those of scaling, of roll-backs and those that watch for silence go on."""

    name: str = Field(examples=["NightlyLoadTest"])
    """Its name, in PascalCase."""

    minutes: int = Field(ge=1, le=15 * 24 * 60, examples=[60])
    """How long it lasts."""

    cron: str | None = Field(default=None, examples=["0 2 * * SUN"])
    """When it begins, again and again: minute, hour, day of the month, month, day of the week."""

    at: str | None = Field(default=None, examples=["2026-12-23T00:00"])
    """When it begins, once; one of both is given."""

    timezone: str = Field(default="UTC", examples=["Europe/Berlin"])
    """The time zone of either."""

    why: str = ""
    """Why, for those who ask."""

    alarms: Names = ()
    """The alarms, by the titles of their runbooks; left out, all that may be muted."""

    excluding: Names = ()
    """Alarms that go on to notify."""

    @property
    def window(self) -> MuteWindow:
        """The same for the constructs."""
        values = self.model_dump(exclude={"minutes"})
        return MuteWindow(**values, duration=Duration.minutes(self.minutes))

    @model_validator(mode="after")
    def _is_one_that_cloudwatch_takes(self) -> "Mute":
        try:
            _ = self.window
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        return self


class Removal(_Section):
    """Whether deleting a stack deletes its data: only when both keys allow it."""

    allow_data_loss: bool = False
    """Queues, tables, files and cache go with their stack; the bucket is emptied by a function for it."""

    confirm: str = ""
    """The environment's name, once more."""


class Environment(_Section):
    """Everything that differs between two deployments of the order pipeline.

    Read it with `load_environment`, whose error names what is wrong with a file in one sentence.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    """The file's name; the stage's name, too."""

    account: str = Field(pattern=r"^\d{12}$", examples=["123456789012"])
    """The AWS account's number, in quotes. With a real one, no other placeholder is accepted."""

    region: Annotated[str, Field(pattern=r"^[a-z]{2,4}(-[a-z]+)+-\d$"), AfterValidator(_known_region)] = Field(
        examples=["eu-west-1"]
    )
    """The AWS region. Final with the first deployment, as the account is: another region is another environment."""

    production: bool | None = None
    """Whether `fargate-workers` asks before it changes something; left out, it asks in `prod` and `production`."""

    architecture: Literal["arm64", "x86_64"] = "arm64"
    """The processor of every task; the image is built for it."""

    container_insights: bool = True
    """Whether ECS reports metrics per service and task."""

    reserve_concurrency: bool = False
    """Whether each function reserves an execution, which AWS refuses in an account that may run few, as new ones do."""

    deletion_protection: bool = False
    """Whether the tables refuse to be deleted. Set it after the first deployment, which could not be undone with it."""

    log_retention_days: Literal[7, 14, 30, 90, 180, 365] = 30
    """How long logs are kept."""

    min_tasks: int = Field(default=0, ge=0)
    """How many tasks of each worker run when its queue is empty."""

    max_tasks: int = Field(default=10, ge=1)
    """How many tasks of each worker run at most."""

    pacing: Literal["latency", "economy"] = "latency"
    """`latency`: messages are fetched at once; `economy`: they gather for a second, which halves SQS's requests."""

    spot_from: int | None = Field(default=None, ge=0)
    """Tasks of a worker beyond this many run on Fargate Spot; left out, none does."""

    alert_emails: tuple[Email, ...] = Field(default=(), strict=False, examples=[["on-call@example.com"]])
    """Addresses that receive alerts; each has to confirm a mail from AWS once."""

    access_log_bucket: str | None = Field(
        default=None, pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", examples=["example-access-logs"]
    )
    """A bucket of this account and region that takes the access log of the order files."""

    replica_bucket_arn: str | None = Field(
        default=None,
        pattern=r"^arn:aws[a-z-]*:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        examples=["arn:aws:s3:::example-replica"],
    )
    """A versioned bucket that takes a copy of every order file."""

    replica_key_arn: str | None = Field(
        default=None,
        pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$",
        examples=["arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"],
    )
    """The key that encrypts those copies, in the replica's region."""

    network: Network
    cache: Cache
    queue_systems: QueueSystems = QueueSystems()
    mutes: tuple[Mute, ...] = Field(default=(), strict=False)
    """Times in which alarms notify nobody; none without this section."""

    removal: Removal = Removal()
    tags: Mapping[str, str] = Field(default_factory=dict)
    """Put on every resource."""

    @property
    def data_may_go(self) -> bool:
        """Whether the file allows twice that data goes with its stack."""
        return self.removal.allow_data_loss

    @property
    def removal_policy(self) -> RemovalPolicy:
        """Kept data survives its stack, but not a failed first deployment, whose retry it would stand in the way of."""
        return RemovalPolicy.DESTROY if self.data_may_go else RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE

    @property
    def log_retention(self) -> logs.RetentionDays:
        return _LOG_RETENTION[self.log_retention_days]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "Environment":
        for mistake in (
            self._mistake_in_tasks(),
            self._mistake_in_zones(),
            self._mistake_in_replica(),
            self._mistake_in_removal(),
            self._mistake_in_mutes(),
            left_over(self.model_dump()),
        ):
            if mistake is not None:
                raise ValueError(mistake)
        return self

    def _mistake_in_tasks(self) -> str | None:
        if self.min_tasks > self.max_tasks:
            return f"min_tasks: {self.min_tasks} is more than max_tasks, {self.max_tasks}; lower it."
        if self.spot_from is not None and self.spot_from >= self.max_tasks:
            return f"spot_from: {self.spot_from} is not below max_tasks, {self.max_tasks}; lower it, or leave it out."
        return None

    def _mistake_in_zones(self) -> str | None:
        zones = self.network.availability_zones
        for zone in zones:
            if zone[:-1] != self.region or not zone[-1].isalpha():
                return f'network.availability_zones: "{zone}" is not in {self.region}; use zones like "{self.region}a".'
        if len(set(zones)) < len(zones):
            return "network.availability_zones: a zone is named twice; name each once."
        if self.cache.multi_az and len(zones) < 2:
            return "cache.multi_az: needs two network.availability_zones; add one, or set it to false."
        return None

    def _mistake_in_replica(self) -> str | None:
        if (self.replica_bucket_arn is None) != (self.replica_key_arn is None):
            return "replica_bucket_arn: needs replica_key_arn, and the other way round; give both or neither."
        return None

    def _mistake_in_mutes(self) -> str | None:
        names = [mute.name for mute in self.mutes]
        for name in names:
            if names.count(name) > 1:
                return f'mutes: "{name}" is there twice; give each its own name.'
        return None

    def _mistake_in_removal(self) -> str | None:
        confirmed = self.removal.confirm == self.name
        if self.removal.allow_data_loss and not confirmed:
            return f'removal.confirm: must be "{self.name}", too, because removal.allow_data_loss is true.'
        if self.removal.allow_data_loss and self.deletion_protection:
            return "deletion_protection: is true while removal.allow_data_loss is true; set it to false."
        if self.removal.confirm and not self.removal.allow_data_loss:
            return "removal.confirm: is set while removal.allow_data_loss is false; remove it, or set both."
        return None


def load_environments(folder: Path, name: str | None = None) -> list[Environment]:
    """The environments whose files are in a folder, in order of their names.

    Args:
        folder: The folder.
        name: The only environment to load. Defaults to None: all.

    Raises:
        EnvironmentFileError: There is no such environment, or a file is wrong; the text is one line.
    """
    files = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    if not files:
        raise EnvironmentFileError(f"No environment file in {folder.name}/; add one, such as {folder.name}/dev.toml.")
    if name is None:
        return [load_environment(path) for path in files.values()]
    if name not in files:
        raise EnvironmentFileError(f'No environment "{name}" in {folder.name}/. {suggestion(name, files)}')
    return [load_environment(files[name])]


def load_environment(path: Path) -> Environment:
    """The environment in a file, called like the file.

    Args:
        path: The file.

    Raises:
        EnvironmentFileError: The file is wrong; the text is one line.
    """
    where = f"{path.parent.name}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFileError(f"{where}: cannot be read as UTF-8 text ({error}).") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise EnvironmentFileError(explain_syntax(where, text, error)) from error
    if "name" in values:
        raise EnvironmentFileError(f"{where}: name: an environment is called like its file; remove this line.")
    try:
        return Environment.model_validate({**values, "name": path.stem})
    except ValidationError as error:
        raise EnvironmentFileError(explain(where, Environment, error)) from error
