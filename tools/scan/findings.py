"""What a scanner found, as values, and how each scanner writes it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast


@dataclass(frozen=True, order=True)
class Finding:
    """What a scanner found.

    Args:
        scanner: The scanner.
        rule: Its rule.
        template: The template.
        resource: The logical id; empty for the whole template.
        text: What is wrong.
    """

    scanner: str
    rule: str
    template: str
    resource: str
    text: str


def of_checkov(written: str, _templates: Path) -> Iterator[Finding]:
    """Read checkov's report, or one for each framework that found a file."""
    read = json.loads(written)
    reports = cast("list[Any]", read if isinstance(read, list) else [read])
    for report in reports:
        for check in report.get("results", {}).get("failed_checks", ()):
            template, resource = check["file_path"].lstrip("/"), check["resource"].rsplit(".", 1)[-1]
            yield Finding("checkov", check["check_id"], template, resource, check["check_name"])


def of_cfn_lint(written: str, templates: Path) -> Iterator[Finding]:
    """Read cfn-lint's report."""
    for match in json.loads(written or "[]"):
        path: list[Any] = match["Location"].get("Path") or []
        resource = str(path[1]) if len(path) > 1 and path[0] == "Resources" else ""
        template = _relative(match["Filename"], templates)
        yield Finding("cfn-lint", match["Rule"]["Id"], template, resource, match["Message"])


def of_trivy(written: str, templates: Path) -> Iterator[Finding]:
    """Read trivy's report, which has lines, and only for some checks the resource."""
    for result in json.loads(written).get("Results") or ():
        resources = resources_by_line((templates / result["Target"]).read_text(encoding="utf-8"))
        for found in result.get("Misconfigurations") or ():
            line = found.get("CauseMetadata", {}).get("StartLine", 0)
            yield Finding("trivy", found["ID"], result["Target"], resources.get(line, ""), found["Title"])


def resources_by_line(template: str) -> Mapping[int, str]:
    """Return the logical id by line, of a template indented by one blank a level."""
    found: dict[int, str] = {}
    section = resource = ""
    for number, line in enumerate(template.splitlines(), start=1):
        indent = len(line) - len(line.lstrip())
        if indent == 1:
            section, resource = line.strip().split('"')[1] if '"' in line else "", ""
        elif indent == 2 and section == "Resources" and line.strip().startswith('"'):
            resource = line.split('"')[1]
        if resource:
            found[number] = resource
    return found


def _relative(path: str, folder: Path) -> str:
    return str(Path(path).resolve().relative_to(folder.resolve())) if Path(path).is_absolute() else path
