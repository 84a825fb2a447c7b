"""`make scan`: cfn-lint, checkov and trivy over the templates in a cloud assembly.

Ends with 0, with 1 when a finding is unacknowledged or an acknowledgement stale, with 2 when a scanner cannot run.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tools.scan.acknowledgements import Acknowledgement, Verdict, everywhere, in_template, judge, without
from tools.scan.findings import Finding
from tools.scan.scanners import SCANNERS, ScannerError

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".local" / "scanners"
RECORD = ROOT / "tests" / "checks" / "scanner_findings.json"


def main(arguments: Sequence[str]) -> int:
    """Scan an assembly.

    Args:
        arguments: The command line.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.scan", description=__doc__)
    parser.add_argument("assembly", type=Path, help="the folder that `cdk synth` wrote")
    parser.add_argument("--json", action="store_true", help="print the result as JSON; progress goes to standard error")
    parser.add_argument(
        "--record", action="store_true", help="write down what was found, for the test of acknowledgements"
    )
    options = parser.parse_args(arguments)

    templates, known = bare_templates(options.assembly, HOME / "templates")
    if not templates:
        return _refuse(f"{options.assembly}: holds no template; run `npx cdk synth` first.")
    known += everywhere(ROOT)
    verdicts: dict[str, Verdict] = {}
    skipped: dict[str, str] = {}
    for scanner in SCANNERS:
        _tell(f"{scanner.name} ...")
        try:
            found = scanner.scan(scanner.prepare(HOME), HOME / "templates")
        except ScannerError as error:
            if not scanner.optional:
                return _refuse(str(error))
            skipped[scanner.name] = str(error)
            continue
        verdicts[scanner.name] = judge(found, (each for each in known if each.scanner == scanner.name))
    if options.record:
        RECORD.write_text(record(verdicts), encoding="utf-8")
    print(json.dumps(as_json(verdicts, skipped), indent=2) if options.json else as_text(verdicts, skipped))
    return 1 if any(verdict.unacknowledged or verdict.stale for verdict in verdicts.values()) else 0


def bare_templates(assembly: Path, folder: Path) -> tuple[list[str], list[Acknowledgement]]:
    """Copy the templates of every environment as if nothing was acknowledged.

    Args:
        assembly: The folder of the assembly.
        folder: Receives the copies.

    Returns:
        The acknowledgements.
    """
    shutil.rmtree(folder, ignore_errors=True)
    names: list[str] = []
    known: list[Acknowledgement] = []
    for path in sorted(assembly.rglob("*.template.json")):
        template: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        name = str(path.relative_to(assembly))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(without(template), indent=1), encoding="utf-8")
        names.append(name)
        known += in_template(name, template)
    return names, known


def as_json(verdicts: dict[str, Verdict], skipped: dict[str, str]) -> dict[str, Any]:
    """Return the verdicts for a program."""
    return {
        "passed": not any(verdict.unacknowledged or verdict.stale for verdict in verdicts.values()),
        "scanners": {
            name: {
                "unacknowledged": [asdict(each) for each in verdict.unacknowledged],
                "stale": [asdict(each) for each in verdict.stale],
                "acknowledged": len(verdict.acknowledged),
                "kinds_acknowledged": sorted({each.rule for each in verdict.acknowledged}),
            }
            for name, verdict in verdicts.items()
        },
        "skipped": skipped,
    }


def as_text(verdicts: dict[str, Verdict], skipped: dict[str, str]) -> str:
    """Return the verdicts for people."""
    lines: list[str] = []
    for name, verdict in verdicts.items():
        kinds = sorted({each.rule for each in verdict.acknowledged})
        lines.append(
            f"{name}: {len(verdict.unacknowledged)} unacknowledged, {len(verdict.acknowledged)} acknowledged "
            f"({', '.join(kinds) or 'none'}), {len(verdict.stale)} acknowledgements stale"
        )
        lines += [f"  {each.rule} {_place(each)}: {each.text}" for each in verdict.unacknowledged]
        lines += [f"  stale: {each.rule} {_place(each)}: {each.reason}" for each in verdict.stale]
    lines += [f"{name}: SKIPPED. {reason}" for name, reason in skipped.items()]
    return "\n".join(lines)


def record(verdicts: dict[str, Verdict]) -> str:
    """Return every finding by scanner, rule and resource, whatever the environment; a test reads it."""
    found = {
        name: sorted({f"{each.rule} {each.resource}" for each in (*verdict.acknowledged, *verdict.unacknowledged)})
        for name, verdict in verdicts.items()
    }
    return json.dumps(found, indent=2) + "\n"


def _place(each: Finding | Acknowledgement) -> str:
    return f"{each.template} {each.resource}".strip() or "everywhere"


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _refuse(text: str) -> int:
    _tell(text)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
