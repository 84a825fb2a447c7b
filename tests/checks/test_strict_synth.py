"""`cdk synth` of all environments as continuous integration runs it: the real CLI, the built-in validation, strict."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The assembly and the runs of the app, after a synth without any credentials."""
    folder = tmp_path_factory.mktemp("strict")
    runs = folder / "runs.txt"
    # Outside AWS's reach: no profile, no keys, no region.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    environment |= {"CDK_VALIDATION": "true", "CI": "true", "AWS_EC2_METADATA_DISABLED": "true"}
    environment |= dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), str(folder / "none"))
    app = f"echo run >> {runs}; {shlex.join([sys.executable, str(ROOT / 'app.py')])}"
    result = subprocess.run(
        ["node_modules/.bin/cdk", "synth", "--quiet", "--strict", "--output", str(folder / "out"), "--app", app],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / "out", runs.read_text().split()


def manifests(assembly: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in assembly.glob("**/manifest.json")]


def test_the_app_runs_exactly_once(synthesized: tuple[Path, list[str]]) -> None:
    _, runs = synthesized

    assert runs == ["run"]


def test_nothing_is_missing_so_no_lookup_is_ever_made(synthesized: tuple[Path, list[str]]) -> None:
    assembly, _ = synthesized

    assert [manifest["missing"] for manifest in manifests(assembly) if manifest.get("missing")] == []


def test_the_validation_report_holds_no_finding(synthesized: tuple[Path, list[str]]) -> None:
    assembly, _ = synthesized
    report = json.loads((assembly / "validation-report.json").read_text())

    assert [violation for plugin in report["pluginReports"] for violation in plugin["violations"]] == []


def test_the_cli_synthesizes_what_the_tests_synthesize(synthesized: tuple[Path, list[str]], assembly: Path) -> None:
    strict, _ = synthesized

    def resources(folder: Path) -> dict[str, dict[str, Any]]:
        """Without what only the CLI adds: each resource's construct path and asset paths, as metadata."""
        return {
            path.name: {
                logical_id: {key: value for key, value in resource.items() if key != "Metadata"}
                for logical_id, resource in json.loads(path.read_text())["Resources"].items()
                if resource["Type"] != "AWS::CDK::Metadata"
            }
            for path in folder.glob("assembly-*/*.template.json")
        }

    assert resources(strict) == resources(assembly)
