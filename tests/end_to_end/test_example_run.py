"""The example, copied away from this repository, runs by the installed wheels: no file of the pipeline is near it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import boto3
import pytest

from tests.wheels import build, install

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "video_thumbnails"

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy under a path with a space in it, with the embedded AWS's packages that this repository installed."""
    folder = tmp_path_factory.mktemp("elsewhere") / "my videos"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", "cdk.out", ".local"))
    (folder / ".local").mkdir()
    (folder / ".local" / "venv").symlink_to(ROOT / ".local" / "venv", target_is_directory=True)
    return folder


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`fargate-workers` as pip installs it from the wheels, in an environment under a path with a space."""
    wheels = build(tmp_path_factory.mktemp("wheels"))
    return (
        install(tmp_path_factory.mktemp("in stalled") / "venv", wheels, with_dependencies=True)
        / "bin"
        / "fargate-workers"
    )


def local(app: Path, command: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    bins = [str(ROOT / "node_modules" / ".bin"), os.environ["PATH"]]
    return subprocess.run(
        [command, "local", *arguments, "--json"],
        cwd=app,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHONPATH"))},
            "PATH": os.pathsep.join(bins),
            "AWS_REGION": "eu-central-1",
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def result(app: Path, command: Path) -> "subprocess.CompletedProcess[str]":
    return local(app, command, "run", "--scenario", "scenario:play")


def test_the_run_passes(result: "subprocess.CompletedProcess[str]") -> None:
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(result.stdout)["passed"]


def test_it_checks_what_the_scenario_checks(result: "subprocess.CompletedProcess[str]") -> None:
    assert [(each["name"], each["passed"]) for each in json.loads(result.stdout)["checks"]] == [
        ("The partner has every thumbnail", True),
        ("The report ended well", True),
        ("The report counts both", True),
    ]


def test_it_is_deployed_where_the_shell_says(app: Path, result: "subprocess.CompletedProcess[str]") -> None:
    synthesis = json.loads((app / ".local" / "cdk.out" / "synthesis.json").read_text())
    assert (synthesis["stacks"], synthesis["region"]) == (["VideoThumbnails"], "eu-central-1")


def test_nothing_of_it_is_left(app: Path, result: "subprocess.CompletedProcess[str]") -> None:
    assert not (app / ".local" / "run").exists()


def test_up_leaves_it_running_and_down_removes_it(
    app: Path, command: Path, result: "subprocess.CompletedProcess[str]"
) -> None:
    try:
        up = local(app, command, "up")
        assert up.returncode == 0, up.stderr
        assert "nothing changed since the last time" in up.stderr
        found = json.loads(up.stdout)
        paths = {resource["path"] for resource in found["resources"]}
        assert {"VideoThumbnails/Videos", "VideoThumbnails/Report/Schedule"} <= paths
        client = boto3.client(
            "s3",
            endpoint_url=found["environment"]["AWS_ENDPOINT_URL"],
            region_name=found["environment"]["AWS_REGION"],
            aws_access_key_id=found["environment"]["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=found["environment"]["AWS_SECRET_ACCESS_KEY"],
        )
        buckets = {resource["name"] for resource in found["resources"] if resource["kind"] == "bucket"}
        assert buckets <= {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    finally:
        down = local(app, command, "down")
    assert json.loads(down.stdout) == {"stopped": True}
    assert not (app / ".local" / "run").exists()
