"""Acknowledge a finding at the resource that causes it, with the evidence as the reason."""

from collections.abc import Mapping

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct

# Packs of one author and one set of rules: what one of them finds, the other two mostly find as well.
COMPLIANCE_PACKS = ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321")


def acknowledge(construct: IConstruct, findings: Mapping[str, str]) -> None:
    """Acknowledge `findings` (id -> reason) on `construct`; an id needs its granular part, e.g. `[Resource::*]`."""
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=finding, reason=reason) for finding, reason in findings.items())
    )
