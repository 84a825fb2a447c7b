"""The peers, from their registries into environments of their own under `.local/benchmarks`."""

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from benchmarks.worker.runtimes import Runtime
from fargate_workers_toolkit.console.progress import Progress


class InstallationError(Exception):
    """One sentence: what could not be installed, and how to mend it."""


def install(runtimes: Sequence[Runtime], *, progress: Progress) -> None:
    """Install what is missing; environments that hold the wanted versions are left alone.

    Raises:
        InstallationError: A registry cannot be reached, or does not have that version.
    """
    for home, runtime in {runtime.home: runtime for runtime in runtimes if runtime.packages}.items():
        stamp = home / "installed.json"
        wanted = json.dumps({"python": sys.version_info[:2], **runtime.packages})
        if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
            continue
        with progress.step(f"Install {', '.join(map(' '.join, runtime.packages.items()))}"):
            shutil.rmtree(home, ignore_errors=True)
            if runtime.is_javascript:
                _npm(home, runtime)
            else:
                _pip(home, runtime)
            stamp.write_text(wanted, encoding="utf-8")


def _npm(home: Path, runtime: Runtime) -> None:
    home.mkdir(parents=True)
    package = {"private": True, "dependencies": dict(runtime.packages)}
    (home / "package.json").write_text(json.dumps(package), encoding="utf-8")
    _run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"], home, runtime)


def _pip(home: Path, runtime: Runtime) -> None:
    venv.create(home)
    pip = [sys.executable, "-m", "pip", "--python", str(runtime.interpreter), "--disable-pip-version-check"]
    versions = [f"{name}=={version}" for name, version in runtime.packages.items()]
    _run([*pip, "install", "--quiet", "--retries=1", *versions], home, runtime)


def _run(command: Sequence[str], home: Path, runtime: Runtime) -> None:
    result = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()
        raise InstallationError(
            f"{runtime.name} could not be installed ({lines[-1] if lines else 'no reason given'}); "
            "go online and try again, or run with --counts, which needs no peers."
        )
