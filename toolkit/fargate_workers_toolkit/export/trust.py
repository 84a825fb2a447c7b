"""The principals that a worker's role must trust in Kubernetes: its pods, and KEDA, which looks at the source with it.

https://keda.sh/docs/latest/authentication-providers/aws/
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fargate_workers_toolkit.export.worker import ExportedWorker

KEDA = "system:serviceaccount:keda:keda-operator"


def trust_statements(worker: ExportedWorker, *, provider: str, namespace: str) -> Sequence[Mapping[str, Any]]:
    """The statements to add to the trust policy of a worker's role.

    Args:
        worker: The worker.
        provider: The ARN of the cluster's OIDC provider.
        namespace: The namespace of the worker.
    """
    issuer = provider.partition(":oidc-provider/")[2]
    return [
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{issuer}:sub": account, f"{issuer}:aud": "sts.amazonaws.com"}},
        }
        for account in (f"system:serviceaccount:{namespace}:{worker.name}", KEDA)
    ]
