"""Rule packs and scanners, and what is acknowledged to them."""

from fargate_workers.compliance.acknowledgements import (
    COMPLIANCE_PACKS,
    acknowledge,
    acknowledge_cfn_lint,
    acknowledge_cfn_lint_in_outputs,
    acknowledge_checkov,
)

__all__ = [
    "COMPLIANCE_PACKS",
    "acknowledge",
    "acknowledge_cfn_lint",
    "acknowledge_cfn_lint_in_outputs",
    "acknowledge_checkov",
]
