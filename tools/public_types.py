"""Checks that the public names of both distributions have types, as the type checker of a user finds them.

python -m tools.public_types
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = ("fargate_workers", "fargate_workers_runtime")

#: The least share of names with a type that every checker reads in the same way.
LEAST = 0.98
#: Each package exports more; fewer are the sign of a package that was not found.
FEWEST = 500


def shortfall(package: str, report: Mapping[str, Any]) -> str | None:
    """What a package lacks, as one sentence; None if nothing.

    Args:
        package: Its name.
        report: The `typeCompleteness` of pyright's report on it.

    Example:
        >>> shortfall("shop", {"exportedSymbolCounts": {"withKnownType": 3}, "completenessScore": 1, "symbols": []})
        'shop: pyright found 3 public names with a type, and there are more than 500; run make setup.'
    """
    known = report["exportedSymbolCounts"]["withKnownType"]
    if known <= FEWEST:
        found = f"{package}: pyright found {known} public names with a type"
        return f"{found}, and there are more than {FEWEST}; run make setup."
    if report["completenessScore"] >= LEAST:
        return None
    unclear = [
        f"{symbol['name']} ({diagnostic['message'].splitlines()[0]})"
        for symbol in report["symbols"]
        if symbol["isExported"] and (not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"])
        for diagnostic in symbol["diagnostics"]
    ]
    return (
        f"{package}: {100 * report['completenessScore']:.1f} % of the public names have a type, "
        f"and {100 * LEAST:.0f} % must; annotate {', '.join(unclear)}."
    )


def report_on(package: str) -> Mapping[str, Any]:
    """The `typeCompleteness` of pyright's report on a package.

    Args:
        package: Its name.
    """
    command = [ROOT / "node_modules" / ".bin" / "pyright", "--verifytypes", package, "--ignoreexternal", "--outputjson"]
    # pyright looks for the package where the first `python` of the path does.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    with TemporaryDirectory() as folder:  # the project's own configuration is not a user's
        result = subprocess.run(
            command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
        )
    return json.loads(result.stdout)["typeCompleteness"]


def main() -> int:
    """Print what is missing; returns the exit code."""
    missing = [text for package in PACKAGES if (text := shortfall(package, report_on(package)))]
    for text in missing:
        print(text, file=sys.stderr)
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main())
