"""Calling the CDK CLI: when, with what, and which line is shown when it fails."""

import json
import stat
from pathlib import Path

import pytest

from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local import deployment
from fargate_workers_toolkit.local.app.synthesis import Selection, Synthesis
from fargate_workers_toolkit.local.deployment import DeploymentError
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.workspace import Workspace

AWS = EmbeddedAws(pid=1, port=1, region="eu-central-1", account="123456789012", seconds_per_minute=2)
ALL = Selection()

# What a stack names that names neither.
ANYWHERE = ("unknown-account", "unknown-region")


def listed(*places: tuple[str, str]) -> str:
    """What `cdk list --long --json` prints of stacks in these accounts and regions."""
    return json.dumps(
        [
            {"name": f"Stack{number}", "environment": {"account": account, "region": region}}
            for number, (account, region) in enumerate(places)
        ]
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "app.py").write_text("one")
    (tmp_path / ".local" / "cdk.out").mkdir(parents=True)
    return Workspace(tmp_path)


def stand_in(workspace: Workspace, script: str = "true", *, stacks: str = listed(ANYWHERE)) -> Path:
    """A program in the CLI's place, outside the app: it lists `stacks`, and runs `script` for all else."""
    folder = workspace.local / "stand-in"
    folder.mkdir(exist_ok=True)
    (folder / "stacks").write_text(stacks)
    cdk = folder / "cdk"
    cdk.write_text(f'#!/bin/sh\nif [ "$1" = list ]; then cat "{folder}/stacks"; exit; fi\n{script}\n')
    cdk.chmod(cdk.stat().st_mode | stat.S_IXUSR)
    return cdk


def test_the_same_sources_are_synthesized_once(workspace: Workspace) -> None:
    cdk = stand_in(workspace)
    assert [deployment.synthesize(workspace, ALL, cdk=cdk) for _ in range(2)] == [True, False]
    (workspace.root / "app.py").write_text("two")
    assert deployment.synthesize(workspace, ALL, cdk=cdk)


@pytest.mark.parametrize("name", ["stacks/more.py", "image/Dockerfile", "deeper/down/values.toml", ".dockerignore"])
def test_any_file_of_the_app_may_change_what_it_synthesizes_to(name: str, workspace: Workspace) -> None:
    cdk = stand_in(workspace)
    deployment.synthesize(workspace, ALL, cdk=cdk)
    (workspace.root / name).parent.mkdir(parents=True, exist_ok=True)
    (workspace.root / name).write_text("new")
    assert deployment.synthesize(workspace, ALL, cdk=cdk)


@pytest.mark.parametrize(
    "name", [".git/index", "node_modules/aws-cdk/x", "env/pyvenv.cfg", "cdk.out/cdk.out", "a/__pycache__/b.pyc"]
)
def test_what_is_installed_or_generated_does_not(name: str, workspace: Workspace) -> None:
    cdk = stand_in(workspace)
    deployment.synthesize(workspace, ALL, cdk=cdk)
    (workspace.root / name).parent.mkdir(parents=True, exist_ok=True)
    (workspace.root / name).write_text("new")
    assert not deployment.synthesize(workspace, ALL, cdk=cdk)


@pytest.mark.parametrize("other", [Selection(stacks=("dev/**",)), Selection(context=("environment=dev",))])
def test_another_selection_is_another_synthesis(other: Selection, workspace: Workspace) -> None:
    cdk = stand_in(workspace)
    assert [deployment.synthesize(workspace, each, cdk=cdk) for each in (ALL, other, other)] == [True, True, False]


def test_the_app_of_cdk_json_is_asked_for_what_the_command_names(workspace: Workspace) -> None:
    cdk = stand_in(workspace, f'echo "$@" > "{workspace.local}/arguments"')
    deployment.synthesize(workspace, Selection(stacks=("dev/**",), context=("color=blue",)), cdk=cdk)
    words = (workspace.local / "arguments").read_text().split()
    assert words[:2] == ["synth", "dev/**"]
    assert "--context=color=blue" in words
    assert not [word for word in words if word.startswith("--app")]


def test_the_stacks_name_account_and_region(workspace: Workspace) -> None:
    stacks = listed(("123456789012", "eu-west-1"), ("123456789012", "eu-west-1"))
    deployment.synthesize(workspace, ALL, cdk=stand_in(workspace, stacks=stacks))
    synthesis = Synthesis.load(workspace)
    assert synthesis is not None
    assert (synthesis.account, synthesis.region) == ("123456789012", "eu-west-1")
    assert synthesis.stacks == ("Stack0", "Stack1")


@pytest.mark.parametrize(("given", "region"), [(None, "us-east-1"), ("sa-east-1", "sa-east-1")])
def test_stacks_that_name_none_take_the_region_of_the_shell(
    given: str | None, region: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    if given is not None:
        monkeypatch.setenv("AWS_REGION", given)
    deployment.synthesize(workspace, ALL, cdk=stand_in(workspace))
    synthesis = Synthesis.load(workspace)
    assert synthesis is not None
    assert (synthesis.account, synthesis.region) == ("000000000000", region)


@pytest.mark.parametrize(
    ("stacks", "sentence"),
    [
        (
            listed(("1", "eu-west-1"), ("2", "eu-west-1")),
            r"several environments \(aws://1/eu-west-1, aws://2/eu-west-1\)",
        ),
        (listed(), "has no stack; add one"),
    ],
)
def test_what_cannot_run_together_is_refused_and_not_remembered(
    stacks: str, sentence: str, workspace: Workspace
) -> None:
    with pytest.raises(LocalError, match=sentence):
        deployment.synthesize(workspace, ALL, cdk=stand_in(workspace, stacks=stacks))
    assert deployment.synthesize(workspace, ALL, cdk=stand_in(workspace))


def test_a_failed_synthesis_is_tried_again(workspace: Workspace) -> None:
    with pytest.raises(DeploymentError):
        deployment.synthesize(workspace, ALL, cdk=stand_in(workspace, "exit 1"))
    assert deployment.synthesize(workspace, ALL, cdk=stand_in(workspace))


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            "Traceback\n  raise ValueError(\nValueError: too short; make it longer.\nSubprocess exited with error 1",
            "too short",
        ),
        ("environments/local.toml: max_taks: unknown key.\nSubprocess exited with error 2", "max_taks"),
        ("Stack | CREATE_FAILED | AWS::SQS::Queue | no such key\n❌ failed\nError: x", "no such key"),
        ("", "no output"),
    ],
)
def test_what_went_wrong_is_taken_from_the_output(workspace: Workspace, output: str, reason: str) -> None:
    (workspace.root / "output").write_text(output)
    cdk = stand_in(workspace, f'cat "{workspace.root}/output"; exit 1')
    with pytest.raises(DeploymentError, match=rf"cdk synth failed \(.*cdk\.log\): .*{reason}"):
        deployment.synthesize(workspace, ALL, cdk=cdk)


def test_a_synthesis_knows_no_account_of_the_user(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    monkeypatch.setenv("COLOR", "blue")
    deployment.synthesize(workspace, ALL, cdk=stand_in(workspace, f'env > "{workspace.local}/environment"'))
    variables = environment_of(workspace.local / "environment")
    assert variables["COLOR"] == "blue"
    assert variables["CDK_DEFAULT_ACCOUNT"] == "000000000000"
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & variables.keys()


@pytest.mark.parametrize(("given", "validation"), [(None, "false"), ("true", "true")])
def test_a_synthesis_validates_only_where_the_shell_says_so(
    given: str | None, validation: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CDK_VALIDATION", raising=False)
    if given is not None:
        monkeypatch.setenv("CDK_VALIDATION", given)
    deployment.synthesize(workspace, ALL, cdk=stand_in(workspace, f'env > "{workspace.local}/environment"'))
    assert environment_of(workspace.local / "environment")["CDK_VALIDATION"] == validation


def test_a_deploy_reaches_nothing_but_loopback(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    deployment.deploy(workspace, AWS, cdk=stand_in(workspace, f'env > "{workspace.local}/environment"'))
    variables = environment_of(workspace.local / "environment")
    assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert (variables["AWS_ACCESS_KEY_ID"], variables["AWS_REGION"]) == ("123456789012", "eu-central-1")
    assert variables["HOME"] == str(workspace.home)
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTPS_PROXY"} & variables.keys()


def test_progress_names_the_resource_just_made(workspace: Workspace) -> None:
    reported: list[str] = []
    line = "local-Data | 3/9 | 4:04:59 AM | CREATE_COMPLETE | AWS::SQS::Queue | local/Data/Orders/Queue (Orders1)"
    deployment.deploy(workspace, AWS, cdk=stand_in(workspace, f"echo '{line}'"), report=reported.append)
    assert reported == ["local-Data local/Data/Orders/Queue"]


def environment_of(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
