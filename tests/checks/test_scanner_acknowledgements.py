"""Every acknowledgement for a scanner stands beside something the scanner found when it last ran.

`make scan SCAN_ARGUMENTS=--record` writes the findings anew; running the scanners takes too long for a test.
"""

import json
from pathlib import Path

from tools.scan.acknowledgements import everywhere, in_template

ROOT = Path(__file__).parents[2]


def test_what_is_acknowledged_is_what_was_found_when_the_scanners_last_ran(assembly: Path) -> None:
    found: dict[str, list[str]] = json.loads((ROOT / "tests" / "checks" / "scanner_findings.json").read_text())
    recorded = {(scanner, *each.split(" ", 1)) for scanner, each_of in found.items() for each in each_of}
    templates = [json.loads(path.read_text()) for path in assembly.glob("assembly-*/*.template.json")]
    known = [*everywhere(ROOT), *(each for template in templates for each in in_template("", template))]

    assert [each for each in known if not each.reason] == []
    stale = [
        each
        for each in known
        if not any(
            (each.scanner, each.rule) == finding[:2] and each.resource in ("", finding[2]) for finding in recorded
        )
    ]
    assert stale == []
    unknown = [
        finding
        for finding in recorded
        if not any((each.scanner, each.rule) == finding[:2] and each.resource in ("", finding[2]) for each in known)
    ]
    assert unknown == []
