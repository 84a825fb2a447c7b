"""requirements.txt is the lock, with hashes, of everything pyproject.toml asks for. `make lock` refreshes it."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([a-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def locked() -> dict[str, str]:
    return dict(PIN.findall((ROOT / "requirements.txt").read_text()))


def asked_for() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = chain.from_iterable(project["project"]["optional-dependencies"].values())
    foreign = [each for each in extras if Requirement(each).name != project["project"]["name"]]
    return [*project["project"]["dependencies"], *foreign, *project["dependency-groups"]["dev"]]


@pytest.mark.parametrize("requirement", asked_for())
def test_the_lock_satisfies_pyproject(requirement: str) -> None:
    wanted = Requirement(requirement)

    version = locked().get(wanted.name.lower())

    assert version is not None, f"{wanted.name} is not in requirements.txt: run `make lock`"
    assert version in wanted.specifier, f"{wanted.name} {version} does not satisfy {requirement}: run `make lock`"


def test_every_locked_package_carries_hashes() -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", (ROOT / "requirements.txt").read_text())

    assert [block.split()[0] for block in blocks if "==" in block and "--hash=sha256:" not in block] == []
