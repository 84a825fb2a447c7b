"""The types of the packages' public names, as the type checker of a user finds them in the installed wheels."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.wheels import ROOT

#: The least share of names with a type that every checker reads in the same way.
LEAST = 0.98


@pytest.mark.parametrize("package", ["fargate_workers", "fargate_workers_runtime"])
def test_the_public_names_have_types(package: str, installed: Path, tmp_path: Path) -> None:
    # pyright looks for the package where the first `python` of the path does; the folder is empty, without a config.
    path = os.pathsep.join((str(installed / "bin"), os.environ["PATH"]))
    command = [ROOT / "node_modules" / ".bin" / "pyright", "--verifytypes", package, "--ignoreexternal", "--outputjson"]
    result = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    report = json.loads(result.stdout)["typeCompleteness"]
    unclear = [
        f"{symbol['name']}: {diagnostic['message'].splitlines()[0]}"
        for symbol in report["symbols"]
        if symbol["isExported"] and (not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"])
        for diagnostic in symbol["diagnostics"]
    ]
    assert report["exportedSymbolCounts"]["withKnownType"] > 500
    assert report["completenessScore"] >= LEAST, unclear
