"""Programs that must be installed, looked for before anything starts."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from fargate_workers_toolkit.errors import LocalError

OLDEST_NODE = 20

#: npm's newest by its number, published by accident.
ACCIDENTAL = "3.0.0"


def find_node() -> Path:
    """Find the machine's Node, which runs the CDK CLI.

    Raises:
        LocalError: It is missing or too old.
    """
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        raise LocalError(f"Node or npm is missing: install Node {OLDEST_NODE} or newer with npm.")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    if not version.removeprefix("v").partition(".")[0].isdigit() or _major(version) < OLDEST_NODE:
        raise LocalError(f"Node {version} is too old: install Node {OLDEST_NODE} or newer.")
    return Path(node)


def find_cdk(root: Path) -> Path:
    """Find the CDK CLI: that of the nearest node_modules, else the one on PATH.

    Args:
        root: The app's folder.

    Raises:
        LocalError: It is missing, or not the version that package.json pins, or the accidental release 3.0.0.
    """
    for folder in (root, *root.parents):
        package = folder / "node_modules" / "aws-cdk"
        if (package / "package.json").is_file():
            _refuse_another(_version(package), pinned=_pinned(folder))
            return package / "bin" / "cdk"
        if _pinned(folder) is not None:
            raise LocalError("The CDK CLI is not installed: run `npm ci`.")
    program = shutil.which("cdk")
    if program is None:
        raise LocalError("The CDK CLI is not installed: run `npm install aws-cdk@2` in the app's folder.")
    package = Path(program).resolve().parents[1]
    if (package / "package.json").is_file():
        _refuse_another(_version(package), pinned=None)
    return Path(program)


def _refuse_another(found: str, *, pinned: str | None) -> None:
    if found == ACCIDENTAL:
        way = f"run `npm ci` to get {pinned}" if pinned else "install an older one with `npm install aws-cdk@2`"
        raise LocalError(f"The CDK CLI {found} is an accidental release that cannot read an app: {way}.")
    if pinned is not None and found != pinned:
        raise LocalError(f"The CDK CLI is {found}, package.json wants {pinned}: run `npm ci`.")


def _version(package: Path) -> str:
    return json.loads((package / "package.json").read_text())["version"]


def _pinned(folder: Path) -> str | None:
    """The exact version that package.json asks for; None for a range, or for no package.json."""
    try:
        package = json.loads((folder / "package.json").read_text())
    except (OSError, ValueError):
        return None
    wanted = {**package.get("dependencies", {}), **package.get("devDependencies", {})}.get("aws-cdk", "")
    return wanted if re.fullmatch(r"\d+\.\d+\.\d+", wanted) else None


def _major(version: str) -> int:
    return int(version.removeprefix("v").partition(".")[0])
