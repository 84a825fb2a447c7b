"""Environment files: what they say, and what a mistake in one gets."""

import json
import re
from pathlib import Path

import pytest
from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from environments.environment import Environment, EnvironmentFileError, load_environment, load_environments
from environments.errors import explain
from environments.schema import SCHEMA, schema

ENVIRONMENTS = Path(__file__).parents[2] / "environments"

_keys = st.sampled_from([*Environment.model_fields, "mode", "availability_zones", "node_type", "multi_az", "nod"])

SMALLEST = """
account = "123456789012"
region = "eu-west-1"

[network]
mode = "endpoints"
availability_zones = ["eu-west-1a", "eu-west-1b"]

[cache]
node_type = "cache.t4g.micro"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "environments"
    folder.mkdir()
    return folder


def load(folder: Path, text: str, *, name: str = "dev") -> Environment:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return load_environment(path)


def refusal(folder: Path, text: str, *, name: str = "dev") -> str:
    with pytest.raises(EnvironmentFileError) as raised:
        load(folder, text, name=name)
    return str(raised.value)


def test_our_own_environments_are_dev_two_local_ones_prod_and_staging() -> None:
    names = [environment.name for environment in load_environments(ENVIRONMENTS)]

    assert names == ["dev", "local-brokers", "local", "prod", "staging"]


def test_one_environment_can_be_asked_for() -> None:
    (prod,) = load_environments(ENVIRONMENTS, "prod")

    assert prod.name == "prod"
    assert len(prod.network.availability_zones) == 3
    assert prod.spot_from is None
    assert not prod.data_may_go


def test_every_environment_passes_the_rule_packs_demands_on_cache_and_network() -> None:
    for environment in load_environments(ENVIRONMENTS):
        assert environment.network.mode == "endpoints"
        assert environment.container_insights
        assert environment.cache.multi_az
        assert environment.cache.snapshot_retention_days >= 15


def test_an_environment_is_called_like_its_file(folder: Path) -> None:
    assert load(folder, SMALLEST, name="tuesday").name == "tuesday"


def test_what_a_file_leaves_out_has_a_default(folder: Path) -> None:
    environment = load(folder, SMALLEST)

    assert environment.architecture == "arm64"
    assert environment.container_insights is True
    assert (environment.min_tasks, environment.max_tasks) == (0, 10)
    assert environment.pacing == "latency"
    assert environment.spot_from is None
    assert environment.alert_emails == ()
    assert environment.access_log_bucket is None
    assert environment.replica_bucket_arn is None
    assert environment.log_retention == logs.RetentionDays.ONE_MONTH
    assert environment.network.nat_gateways == 1
    assert environment.cache.multi_az is True
    assert environment.cache.snapshot_retention_days == 7
    assert environment.removal_policy == RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
    assert environment.deletion_protection is False
    assert environment.reserve_concurrency is False
    assert environment.tags == {}


def test_an_environment_never_changes(folder: Path) -> None:
    environment = load(folder, SMALLEST)

    with pytest.raises(ValidationError, match="frozen"):
        environment.region = "us-east-1"  # type: ignore[misc]


def test_data_may_go_when_the_file_says_so_twice(folder: Path) -> None:
    environment = load(folder, SMALLEST + '[removal]\nallow_data_loss = true\nconfirm = "dev"\n')

    assert environment.data_may_go
    assert environment.removal_policy == RemovalPolicy.DESTROY


@pytest.mark.parametrize("days", [7, 14, 30, 90, 180, 365])
def test_every_retention_on_offer_is_one_of_cloudwatchs(folder: Path, days: int) -> None:
    assert isinstance(load(folder, f"log_retention_days = {days}\n{SMALLEST}").log_retention, logs.RetentionDays)


MISTAKES = {
    "an unknown key": (
        SMALLEST.replace("node_type", "nodetype"),
        'cache.nodetype: unknown key. Did you mean "node_type"?',
    ),
    "an unknown key like no other": (
        SMALLEST + "zzz = 1\n",
        "cache.zzz: unknown key. Known: node_type, multi_az, snapshot_retention_days.",
    ),
    "a missing key": (
        SMALLEST.replace('region = "eu-west-1"', ""),
        'region: is missing; write, for example, region = "eu-west-1".',
    ),
    "a missing section": (SMALLEST.split("[cache]", maxsplit=1)[0], "cache: is missing; write a section [cache]."),
    "a missing mode": (
        SMALLEST.replace('mode = "endpoints"', ""),
        'network.mode: is missing; write, for example, mode = "endpoints".',
    ),
    "an account without quotes": (
        SMALLEST.replace('"123456789012"', "123456789012"),
        'account: 123456789012 must be a 12-digit string in quotes, e.g. "000000012345" '
        "(unquoted, TOML loses leading zeros).",
    ),
    "an account with a leading zero": (
        SMALLEST.replace('"123456789012"', "012345678901"),
        'account: must be a 12-digit string in quotes, e.g. "000000012345" (unquoted, TOML loses leading zeros).',
    ),
    "a short account": (
        SMALLEST.replace("123456789012", "1234"),
        'account: "1234" is not of the right form; write, for example, "123456789012".',
    ),
    "an unknown mode": (
        SMALLEST.replace('"endpoints"', '"endpoint"'),
        'network.mode: "endpoint" is unknown. Did you mean "endpoints"?',
    ),
    "an unknown retention": (
        f"log_retention_days = 31\n{SMALLEST}",
        "log_retention_days: 31 is unknown. Known: 7, 14, 30, 90, 180, 365.",
    ),
    "a wrong type": (
        f'max_tasks = "10"\n{SMALLEST}',
        'max_tasks: "10" is wrong: input should be a valid integer.',
    ),
    "a number out of range": (
        f"max_tasks = 0\n{SMALLEST}",
        "max_tasks: 0 is wrong: input should be greater than or equal to 1.",
    ),
    "a list without brackets": (
        f'alert_emails = "on-call@acme.com"\n{SMALLEST}',
        'alert_emails: "on-call@acme.com" is no list; write, for example, ["on-call@example.com"].',
    ),
    "a word of Python": (
        f"container_insights = True\n{SMALLEST}",
        "is not TOML: True in line 1 is no value; write true or false, in small letters.",
    ),
    "more Spot than tasks": (
        f"max_tasks = 4\nspot_from = 4\n{SMALLEST}",
        "spot_from: 4 is not below max_tasks, 4; lower it, or leave it out.",
    ),
    "a misspelt region": (
        SMALLEST.replace('"eu-west-1"', '"eu-wset-1"'),
        'region: "eu-wset-1" is no region that the CDK knows. Did you mean "eu-west-1"?',
    ),
    "a region in China": (
        SMALLEST.replace("eu-west-1", "cn-north-1"),
        'region: "cn-north-1" is in a partition of its own, for which these stacks are not made; use another.',
    ),
    "a zone that is none": (
        SMALLEST.replace("eu-west-1b", "eu-west-1"),
        'network.availability_zones: "eu-west-1" is not in eu-west-1; use zones like "eu-west-1a".',
    ),
    "tables protected that may go": (
        f'deletion_protection = true\n{SMALLEST}[removal]\nallow_data_loss = true\nconfirm = "dev"\n',
        "deletion_protection: is true while removal.allow_data_loss is true; set it to false.",
    ),
    "a node type of another service": (
        SMALLEST.replace("cache.t4g.micro", "t4g.micro"),
        'cache.node_type: "t4g.micro" is not a cache node type; write it like "cache.t4g.micro".',
    ),
    "no e-mail address": (
        f'alert_emails = ["a@example.com", "on-call"]\n{SMALLEST}',
        'alert_emails.1: "on-call" is not of the right form; write, for example, "on-call@example.com".',
    ),
    "tasks the wrong way round": (
        f"min_tasks = 3\nmax_tasks = 2\n{SMALLEST}",
        "min_tasks: 3 is more than max_tasks, 2; lower it.",
    ),
    "a zone elsewhere": (
        SMALLEST.replace("eu-west-1b", "eu-west-2b"),
        'network.availability_zones: "eu-west-2b" is not in eu-west-1; use zones like "eu-west-1a".',
    ),
    "a zone twice": (
        SMALLEST.replace("eu-west-1b", "eu-west-1a"),
        "network.availability_zones: a zone is named twice; name each once.",
    ),
    "one zone for a cache in two": (
        SMALLEST.replace(', "eu-west-1b"', ""),
        "cache.multi_az: needs two network.availability_zones; add one, or set it to false.",
    ),
    "data loss said once": (
        f"{SMALLEST}[removal]\nallow_data_loss = true\n",
        'removal.confirm: must be "dev", too, because removal.allow_data_loss is true.',
    ),
    "data loss confirmed for another environment": (
        f'{SMALLEST}[removal]\nallow_data_loss = true\nconfirm = "local"\n',
        'removal.confirm: must be "dev", too, because removal.allow_data_loss is true.',
    ),
    "data loss confirmed but not allowed": (
        f'{SMALLEST}[removal]\nconfirm = "dev"\n',
        "removal.confirm: is set while removal.allow_data_loss is false; remove it, or set both.",
    ),
    "a name inside": (
        f'name = "prod"\n{SMALLEST}',
        "name: an environment is called like its file; remove this line.",
    ),
    "a key of two lines": (
        f'{SMALLEST}[removal]\n"\\n" = 1\n',
        'removal."\\n": unknown key. Known: allow_data_loss, confirm.',
    ),
    "no TOML": (
        "[network\n",
        "is not TOML: Expected ']' at the end of a table declaration (at line 1, column 9).",
    ),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_gets_one_line_with_file_key_and_mend(folder: Path, text: str, message: str) -> None:
    said = refusal(folder, text)

    assert said == f"environments/dev.toml: {message}"
    assert "\n" not in said


REAL = SMALLEST.replace("123456789012", "240615730189")
LEFT_OVER = {
    'access_log_bucket = "example-dev-access-logs"': "access_log_bucket",
    'access_log_bucket = "your-bucket"': "access_log_bucket",
    'access_log_bucket = "amzn-s3-demo-logging-bucket"': "access_log_bucket",
    'access_log_bucket = "access-logs.example"': "access_log_bucket",
    'alert_emails = ["a@acme.com", "on-call@example.com"]': "alert_emails.1",
    'alert_emails = ["on-call@mail.example.org"]': "alert_emails.0",
    'alert_emails = ["on-call@acme.invalid"]': "alert_emails.0",
}


def replica(bucket: str = "acme-replica", key: str = "arn:aws:kms:eu-central-1:240615730189:key/7c9e6679-a1b2") -> str:
    return f'replica_bucket_arn = "arn:aws:s3:::{bucket}"\nreplica_key_arn = "{key}"'


LEFT_OVER |= {
    replica(bucket="example-prod-order-files-replica"): "replica_bucket_arn",
    **{
        replica(key=f"arn:aws:kms:eu-central-1:{key}"): "replica_key_arn"
        for key in (
            "111111111111:key/7c9e6679-7425-40de-944b-e07fc1f90ae7",
            "111122223333:key/7c9e6679-7425-40de-944b-e07fc1f90ae7",
            "240615730189:key/00000000-0000-0000-0000-000000000000",
            "240615730189:key/mrk-ffffffffffffffffffffffffffffffff",
            "240615730189:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        )
    },
}


@pytest.mark.parametrize(("line", "key"), LEFT_OVER.items(), ids=list(LEFT_OVER))
def test_no_placeholder_is_left_beside_a_real_account(folder: Path, line: str, key: str) -> None:
    said = refusal(folder, f"{line}\n{REAL}")

    assert said.startswith(f'environments/dev.toml: {key}: "')
    assert " is a placeholder, and the account is a real one; write " in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "line",
    [
        'access_log_bucket = "acme-exampleton-logs"',
        'access_log_bucket = "acme-example-team-logs"',
        'access_log_bucket = "yourself-logs"',
        'alert_emails = ["example@acme.com"]',
        'alert_emails = ["on-call@example.co.uk"]',
        replica(),
    ],
)
def test_a_name_that_only_resembles_a_placeholder_is_accepted(folder: Path, line: str) -> None:
    assert load(folder, f"{line}\n{REAL}")


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_a_shipped_environment_with_ones_own_account_names_what_is_still_to_be_written(
    folder: Path, environment: str
) -> None:
    shipped = (ENVIRONMENTS / f"{environment}.toml").read_text(encoding="utf-8")
    mine = re.sub(r'^account = "\d+"', 'account = "240615730189"', shipped, flags=re.MULTILINE)
    keys = []
    while True:
        try:
            load(folder, mine, name=environment)
        except EnvironmentFileError as error:
            key = str(error).split(": ")[1].split(".")[0]
            keys.append(key)
            gone = ("replica_bucket_arn", "replica_key_arn") if key.startswith("replica") else (key,)
            mine = re.sub(rf"^(?:{'|'.join(gone)}) = .*\n", "", mine, flags=re.MULTILINE)
        else:
            break

    assert keys == ["alert_emails", "access_log_bucket", "replica_bucket_arn"]


@pytest.mark.parametrize("region", ["us-gov-west-1", "ap-southeast-5", "mx-central-1", "ca-west-1"])
def test_every_region_of_the_two_ordinary_partitions_is_known(folder: Path, region: str) -> None:
    assert load(folder, SMALLEST.replace("eu-west-1", region)).region == region


@pytest.mark.parametrize("region", ["us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "eusc-de-east-1"])
def test_partitions_apart_are_refused(folder: Path, region: str) -> None:
    assert "in a partition of its own" in refusal(folder, SMALLEST.replace("eu-west-1", region))


_text = st.text("a1-.\n", max_size=6)
_values = st.one_of(
    st.booleans(), st.integers(-1, 99), _text, st.lists(_text, max_size=2), st.dictionaries(_text, _text, max_size=2)
)


@given(
    values=st.dictionaries(_keys, _values),
    network=st.dictionaries(_keys, _values),
    cache=st.dictionaries(_keys, _values),
)
def test_whatever_a_file_says_it_is_an_environment_or_one_line(
    values: dict[str, object], network: dict[str, object], cache: dict[str, object]
) -> None:
    sections = {**values, "network": network, "cache": cache, "name": "dev"}
    try:
        Environment.model_validate(sections)
    except ValidationError as error:
        said = explain("dev.toml", Environment, error)
        assert said.startswith("dev.toml: ")
        assert "\n" not in said


def test_a_file_name_that_cannot_name_a_stage_is_refused(folder: Path) -> None:
    assert refusal(folder, SMALLEST, name="My Prod") == (
        'environments/My Prod.toml: name: "My Prod" is no name for an environment; '
        "rename the file: lower-case letters, digits and hyphens."
    )


def test_a_file_that_is_not_text_is_refused(folder: Path) -> None:
    path = folder / "dev.toml"
    path.write_bytes(b"\xff\xfe")

    with pytest.raises(EnvironmentFileError, match=r"^environments/dev\.toml: cannot be read as UTF-8 text"):
        load_environment(path)


def test_an_unknown_environment_gets_the_one_that_was_meant() -> None:
    with pytest.raises(EnvironmentFileError) as raised:
        load_environments(ENVIRONMENTS, "prd")

    assert str(raised.value) == 'No environment "prd" in environments/. Did you mean "prod"?'


def test_an_unknown_environment_like_no_other_gets_the_list() -> None:
    with pytest.raises(EnvironmentFileError, match=r"Known: dev, local-brokers, local, prod, staging\.$"):
        load_environments(ENVIRONMENTS, "xyz")


def test_a_folder_without_environments_is_refused(folder: Path) -> None:
    with pytest.raises(EnvironmentFileError, match=r"^No environment file in environments/"):
        load_environments(folder)


def test_the_schema_for_editors_is_fresh() -> None:
    fresh = SCHEMA.read_text(encoding="utf-8") == schema()

    assert fresh, "environments/schema.json is stale; write it anew with `python -m environments.schema`"


def test_the_schema_asks_for_what_a_file_must_have() -> None:
    written = json.loads(schema())

    assert written["required"] == ["account", "region", "network", "cache"]
    assert written["additionalProperties"] is False
    assert "name" not in written["properties"]


NIGHT = """
[[mutes]]
name = "Nightly"
cron = "0 2 * * *"
timezone = "Europe/Berlin"
minutes = 60
excluding = ["DeadLetters"]
"""


def test_a_mute_is_a_window_of_the_constructs(folder: Path) -> None:
    (mute,) = load(folder, SMALLEST + NIGHT).mutes

    assert mute.window.schedule == {
        "expression": "cron(0 2 * * *)",
        "duration": "PT60M",
        "timezone": "Europe/Berlin",
    }
    assert mute.window.excluding == ("DeadLetters",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (NIGHT.replace("60", "0"), "mutes.0.minutes: 0 is wrong"),
        (NIGHT.replace("minutes = 60", ""), "mutes.0.minutes: is missing; write, for example, minutes = 60."),
        (NIGHT.replace("cron", "corn"), 'mutes.0.corn: unknown key. Did you mean "cron"?'),
        (
            NIGHT.replace("0 2", "0 25"),
            "mutes.0: The mute window 'Nightly' begins by '0 25 * * *', whose hour is '25';",
        ),
        (NIGHT.replace("Berlin", "Berlni"), "mutes.0: The mute window 'Nightly': timezone is 'Europe/Berlni'"),
        (NIGHT + NIGHT, 'mutes: "Nightly" is there twice; give each its own name.'),
    ],
)
def test_a_mistake_in_a_mute_is_one_sentence_with_its_place(folder: Path, text: str, sentence: str) -> None:
    said = refusal(folder, SMALLEST + text)

    assert said.startswith(f"environments/dev.toml: {sentence}")
    assert "\n" not in said
