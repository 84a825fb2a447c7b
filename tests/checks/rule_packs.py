"""What the rule packs find, and what is acknowledged of it."""

from dataclasses import dataclass
from typing import Any

from cdk_nag import AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks, ServerlessChecks
from constructs import IConstruct

PACKS = (AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks, ServerlessChecks)


@dataclass(frozen=True)
class Finding:
    rule: str
    path: str


@dataclass(frozen=True)
class Acknowledged:
    rule: str
    path: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        return finding.rule == self.rule and (finding.path + "/").startswith(self.path + "/")


@dataclass(frozen=True)
class Scan:
    findings: frozenset[Finding]
    acknowledged: frozenset[Acknowledged]


class RecordingValidations:
    """Stands in for the CDK's Validations: acknowledgements are written down and have no effect."""

    def __init__(self, construct: IConstruct, recorded: set[Acknowledged]) -> None:
        self._path = construct.node.path
        self._recorded = recorded

    def acknowledge(self, *acknowledgments: Any) -> None:
        self._recorded.update(Acknowledged(a.id, self._path, a.reason) for a in acknowledgments)


def recorder(recorded: set[Acknowledged]) -> type:
    """What stands in for the CDK's Validations and writes down what is acknowledged."""

    class Recorder:
        @staticmethod
        def of(construct: IConstruct) -> RecordingValidations:
            return RecordingValidations(construct, recorded)

    return Recorder
