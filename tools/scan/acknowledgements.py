"""What was acknowledged: in the metadata of a resource, or for every template in the scanner's own file."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.scan.findings import Finding

METADATA = ("checkov", "cfn-lint")


@dataclass(frozen=True, order=True)
class Acknowledgement:
    """A finding that is accepted, with the reason.

    Args:
        scanner: The scanner.
        rule: Its rule.
        template: The template; all of them where it is empty.
        resource: The logical id; all of them where both are empty.
        reason: Why it is accepted.
    """

    scanner: str
    rule: str
    template: str
    resource: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Return whether a finding is the one that is accepted."""
        everywhere = not self.template
        here = (self.template, self.resource) == (finding.template, finding.resource)
        return (self.scanner, self.rule) == (finding.scanner, finding.rule) and (everywhere or here)


@dataclass(frozen=True)
class Verdict:
    """What the acknowledgements leave.

    Args:
        unacknowledged: Findings without an acknowledgement.
        acknowledged: Findings with one.
        stale: Acknowledgements without a finding.
    """

    unacknowledged: list[Finding]
    acknowledged: list[Finding]
    stale: list[Acknowledgement]


def judge(findings: Iterable[Finding], acknowledgements: Iterable[Acknowledgement]) -> Verdict:
    """Return which findings nothing acknowledges, and which acknowledgements nothing is found for."""
    found, known = sorted(set(findings)), sorted(set(acknowledgements))
    covered = [finding for finding in found if any(each.covers(finding) for each in known)]
    return Verdict(
        unacknowledged=[finding for finding in found if finding not in covered],
        acknowledged=covered,
        stale=[each for each in known if not any(each.covers(finding) for finding in found)],
    )


def in_template(name: str, template: Mapping[str, Any]) -> Iterator[Acknowledgement]:
    """Return the acknowledgements in the metadata of a template's resources, and in its own, which mean its outputs."""
    for logical_id, holder in (("", template), *template.get("Resources", {}).items()):
        metadata = holder.get("Metadata", {})
        for skipped in metadata.get("checkov", {}).get("skip", ()):
            yield Acknowledgement("checkov", skipped["id"], name, logical_id, skipped["comment"])
        linted = metadata.get("cfn-lint", {})
        for rule in linted.get("config", {}).get("ignore_checks", ()):
            yield Acknowledgement("cfn-lint", rule, name, logical_id, linted.get("reasons", {}).get(rule, ""))


def without(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a template as if nothing had been acknowledged in it."""
    bare: dict[str, Any] = json.loads(json.dumps(template))
    for holder in (bare, *bare.get("Resources", {}).values()):
        for scanner in METADATA:
            holder.get("Metadata", {}).pop(scanner, None)
    return bare


def everywhere(root: Path) -> Iterator[Acknowledgement]:
    """Return the acknowledgements in the scanners' own files, which give each reason in a comment or a statement."""
    for rule in _read(root / ".checkov.yaml").get("skip-check", ()):
        yield Acknowledgement("checkov", rule, "", "", "in .checkov.yaml")
    for entry in _read(root / ".trivyignore.yaml").get("misconfigurations", ()):
        yield Acknowledgement("trivy", entry["id"], "", "", entry["statement"])


def _read(file: Path) -> Mapping[str, Any]:
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
