"""Calling the CDK CLI: when, and what is said when it fails."""

import stat
from pathlib import Path

import pytest

from fargate_workers_toolkit.local import deployment
from fargate_workers_toolkit.local.deployment import DeploymentError
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.workspace import Workspace

AWS = EmbeddedAws(pid=1, port=1, region="us-east-1", seconds_per_minute=2)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "app.py").write_text("one")
    (tmp_path / ".local" / "cdk.out").mkdir(parents=True)
    return Workspace(tmp_path)


def stand_in(workspace: Workspace, script: str) -> Path:
    """A program in the CLI's place."""
    cdk = workspace.root / "cdk"
    cdk.write_text(f"#!/bin/sh\n{script}\n")
    cdk.chmod(cdk.stat().st_mode | stat.S_IXUSR)
    return cdk


def test_the_same_sources_are_synthesized_once(workspace: Workspace) -> None:
    cdk = stand_in(workspace, "true")
    assert [deployment.synthesize(workspace, cdk=cdk) for _ in range(2)] == [True, False]
    (workspace.root / "app.py").write_text("two")
    assert deployment.synthesize(workspace, cdk=cdk)


def test_a_failed_synthesis_is_tried_again(workspace: Workspace) -> None:
    with pytest.raises(DeploymentError):
        deployment.synthesize(workspace, cdk=stand_in(workspace, "exit 1"))
    assert deployment.synthesize(workspace, cdk=stand_in(workspace, "true"))


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
    cdk = stand_in(workspace, f"cat {workspace.root}/output; exit 1")
    with pytest.raises(DeploymentError, match=rf"cdk synth failed \(.*cdk\.log\): .*{reason}"):
        deployment.synthesize(workspace, cdk=cdk)


def test_a_deploy_reaches_nothing_but_loopback(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    deployment.deploy(workspace, AWS, cdk=stand_in(workspace, f"env > {workspace.root}/environment"))
    variables = dict(line.split("=", 1) for line in (workspace.root / "environment").read_text().splitlines())
    assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert variables["HOME"] == str(workspace.home)
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTPS_PROXY"} & variables.keys()


def test_progress_names_the_resource_just_made(workspace: Workspace) -> None:
    said: list[str] = []
    line = "local-Data | 3/9 | 4:04:59 AM | CREATE_COMPLETE | AWS::SQS::Queue | local/Data/Orders/Queue (Orders1)"
    deployment.deploy(workspace, AWS, cdk=stand_in(workspace, f"echo '{line}'"), say=said.append)
    assert said == ["local-Data local/Data/Orders/Queue"]
