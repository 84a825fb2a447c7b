"""Both wheels, built without a network and installed away from this checkout: what a user of an index gets."""

import json
import subprocess
import zipfile
from email.message import Message
from email.parser import Parser
from functools import cache
from pathlib import Path

import pytest

from tests.wheels import ROOT, SOURCES, install

DISTRIBUTIONS = list(SOURCES)

# Imported by the interpreter of the embedded AWS, which has MiniStack.
ELSEWHERE = "fargate_workers_toolkit.local.emulator."
# Not modules of the library: the code of its functions, as CloudFormation gets it.
FUNCTIONS = "fargate_workers.lambda_src."

IMPORT_ALL = """
import importlib, json, sys
failed = {}
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = repr(error)
print(json.dumps(failed))
"""


@cache
def files(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def metadata(wheel: Path) -> Message:
    (name,) = [name for name in files(wheel) if name.endswith(".dist-info/METADATA")]
    with zipfile.ZipFile(wheel) as archive:
        return Parser().parsestr(archive.read(name).decode())


def modules(wheel: Path) -> list[str]:
    names = [name for name in files(wheel) if name.endswith(".py") and not name.endswith("__main__.py")]
    dotted = [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in names]
    return [name for name in dotted if not name.startswith((ELSEWHERE, FUNCTIONS))]


def run(python: Path, *arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [python, "-P", *arguments], cwd=cwd, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_module_can_be_imported(name: str, wheels: dict[str, Path], installed: Path, tmp_path: Path) -> None:
    names = modules(wheels[name])
    assert len(names) > 20
    result = run(installed / "bin" / "python", "-c", IMPORT_ALL, json.dumps(names), cwd=tmp_path)
    assert json.loads(result.stdout) == {}, result.stderr


def test_the_installed_package_is_the_one_that_is_imported(installed: Path, tmp_path: Path) -> None:
    code = "import fargate_workers as a, fargate_workers_runtime as b, fargate_workers_toolkit as c\n"
    code += "print(a.__file__, b.__file__, c.__file__)"
    result = run(installed / "bin" / "python", "-c", code, cwd=tmp_path)
    assert result.stdout.count(str(installed.resolve())) == 3, result.stdout + result.stderr


def test_the_command_runs(installed: Path, tmp_path: Path) -> None:
    result = run(installed / "bin" / "python", str(installed / "bin" / "fargate-workers"), "--help", cwd=tmp_path)
    assert result.returncode == 0
    assert "local" in result.stdout


def test_the_command_without_its_extra_names_the_extra(wheels: dict[str, Path], tmp_path: Path) -> None:
    bare = install(tmp_path / "venv", wheels, with_dependencies=False)
    result = run(bare / "bin" / "python", str(bare / "bin" / "fargate-workers"), cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.endswith('run pip install "fargate-workers[toolkit]".\n')
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_metadata_is_complete(name: str, wheels: dict[str, Path]) -> None:
    found = metadata(wheels[name])
    assert found["License-Expression"] == "Apache-2.0"
    assert found["Author"]
    assert found["Keywords"]
    assert found["Summary"]
    assert str(found.get_payload()).startswith("# ")  # the page that an index shows
    classifiers = found.get_all("Classifier") or []
    for minor in range(11, 15):
        assert f"Programming Language :: Python :: 3.{minor}" in classifiers
    assert "Typing :: Typed" in classifiers
    labels = {str(url).partition(",")[0] for url in found.get_all("Project-URL") or []}
    assert labels == {"Homepage", "Documentation", "Changelog", "Issues"}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_licence_comes_along(name: str, wheels: dict[str, Path]) -> None:
    (licence,) = [file for file in files(wheels[name]) if file.endswith("/licenses/LICENSE")]
    with zipfile.ZipFile(wheels[name]) as archive:
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("fargate_workers", "fargate_workers"),
        ("fargate_workers", "fargate_workers_toolkit"),
        ("fargate_workers_runtime", "fargate_workers_runtime"),
    ],
)
def test_every_package_says_that_it_is_typed(name: str, package: str, wheels: dict[str, Path]) -> None:
    assert f"{package}/py.typed" in files(wheels[name])


def test_what_the_embedded_aws_needs_comes_along(wheels: dict[str, Path]) -> None:
    assert "fargate_workers_toolkit/local/requirements.txt" in files(wheels["fargate_workers"])


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_nothing_comes_along_that_another_distribution_may_have(name: str, wheels: dict[str, Path]) -> None:
    tops = {file.partition("/")[0] for file in files(wheels[name])}
    assert [top for top in tops if not top.startswith("fargate_workers")] == []
