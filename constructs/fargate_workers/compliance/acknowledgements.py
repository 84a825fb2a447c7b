"""Acknowledge a finding at the resource that causes it, with the evidence as the reason."""

from collections.abc import Mapping

from aws_cdk import Acknowledgment, CfnResource, Stack, Validations
from constructs import IConstruct

# Packs of one author and one set of rules: what one of them finds, the other two mostly find as well.
COMPLIANCE_PACKS = ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321")


def acknowledge(construct: IConstruct, findings: Mapping[str, str]) -> None:
    """Acknowledge findings of rule packs on a construct.

    Args:
        construct: The construct that causes them.
        findings: Id -> reason. An id needs its granular part, such as `[Resource::*]`.
    """
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=finding, reason=reason) for finding, reason in findings.items())
    )


def acknowledge_checkov(resource: CfnResource, findings: Mapping[str, str]) -> None:
    """Acknowledge findings of checkov on a resource, in the template, where checkov reads it.

    https://www.checkov.io/2.Basics/Suppressing%20and%20Skipping%20Policies.html

    Args:
        resource: The resource that causes them.
        findings: Id -> reason.
    """
    skip = [{"id": finding, "comment": reason} for finding, reason in findings.items()]
    resource.add_metadata("checkov", {"skip": skip})


def acknowledge_cfn_lint(resource: CfnResource, findings: Mapping[str, str]) -> None:
    """Acknowledge findings of cfn-lint on a resource, in the template, where cfn-lint reads it.

    Args:
        resource: The resource that causes them.
        findings: Id -> reason.
    """
    resource.add_metadata("cfn-lint", {"config": {"ignore_checks": [*findings]}, "reasons": dict(findings)})


def acknowledge_cfn_lint_in_outputs(stack: Stack, findings: Mapping[str, str]) -> None:
    """Acknowledge findings of cfn-lint on outputs, which have no metadata but the template's.

    Args:
        stack: The stack of the outputs.
        findings: Id -> reason.
    """
    metadata = stack.template_options.metadata or {}
    ignored = {**metadata.get("cfn-lint", {}).get("reasons", {}), **findings}
    stack.template_options.metadata = {
        **metadata,
        "cfn-lint": {"config": {"ignore_checks": [*ignored]}, "reasons": ignored},
    }
