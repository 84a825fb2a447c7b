"""What a repository meets that imports the constructs."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import fargate_workers
import fargate_workers_runtime

ROOT = Path(__file__).parents[2]
SILENCED = "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"
# Stands for the CDK, whose kernel starts as soon as it is imported and takes the environment along.
RECORDING = f"""
import os, sys
class Recorder:
    def find_spec(self, name, path=None, target=None):
        if name == "aws_cdk":
            print(os.environ.get("{SILENCED}"))
            sys.exit()
sys.meta_path.insert(0, Recorder())
import fargate_workers
"""


def silenced(**variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != SILENCED} | variables
    command = [sys.executable, "-c", RECORDING]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_the_banner_about_node_20_is_silenced_before_the_cdk_is_imported() -> None:
    assert silenced() == "20"


def test_what_the_user_silenced_stays() -> None:
    assert silenced(**{SILENCED: "18,20"}) == "18,20"


def test_both_packages_know_their_version() -> None:
    library = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = tomllib.loads((ROOT / "worker_image" / "pyproject.toml").read_text())

    assert fargate_workers.__version__ == library["project"]["version"]
    assert fargate_workers_runtime.__version__ == runtime["project"]["version"]
