"""What must be installed, checked before anything is made."""

import json
import shutil
import subprocess
from pathlib import Path

from fargate_workers_toolkit.local.errors import LocalError

OLDEST_NODE = 20


def find_node() -> Path:
    """Node of the machine, which runs the CDK CLI. Raises LocalError when it is missing or too old."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        raise LocalError(f"Node or npm is missing: install Node {OLDEST_NODE} or newer with npm.")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    if not version.removeprefix("v").partition(".")[0].isdigit() or _major(version) < OLDEST_NODE:
        raise LocalError(f"Node {version} is too old: install Node {OLDEST_NODE} or newer.")
    return Path(node)


def find_cdk(root: Path) -> Path:
    """The CDK CLI that package.json pins. Raises LocalError when it is missing or another one."""
    package = root / "node_modules" / "aws-cdk"
    if not (package / "package.json").is_file():
        raise LocalError("The CDK CLI is not installed: run `npm ci`.")
    wanted = json.loads((root / "package.json").read_text())["devDependencies"]["aws-cdk"]
    found = json.loads((package / "package.json").read_text())["version"]
    if found == "3.0.0":
        raise LocalError(
            f"The CDK CLI 3.0.0 is an accidental release that cannot read this app: run `npm ci` to get {wanted}."
        )
    if found != wanted:
        raise LocalError(f"The CDK CLI is {found}, package.json wants {wanted}: run `npm ci`.")
    return package / "bin" / "cdk"


def _major(version: str) -> int:
    return int(version.removeprefix("v").partition(".")[0])
