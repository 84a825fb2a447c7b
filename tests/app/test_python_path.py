"""A user's PYTHONPATH with a folder named `constructs` changes nothing: neither for the app nor under make."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WHERE = "import importlib.util as u; print(u.find_spec('constructs').origin)"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "constructs").mkdir()
    (tmp_path / "constructs" / "__init__.py").touch()
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def output(command: str, environment: dict[str, str]) -> str:
    return subprocess.run(
        command, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_app_imports_the_package_that_the_cdk_needs(environment: dict[str, str]) -> None:
    app = json.loads((ROOT / "cdk.json").read_text())["app"]
    assert app.endswith(" app.py")
    assert environment["PYTHONPATH"] not in output(f'{app.removesuffix("app.py")} -c "{WHERE}"', environment)


def test_make_passes_no_python_path_on(environment: dict[str, str]) -> None:
    assert output("make --silent --eval 'shown: ; @echo [$$PYTHONPATH]' shown", environment) == "[]"
