"""What was synthesized, in the language of another platform: manifests for Kubernetes, scaled by KEDA."""

from fargate_workers_toolkit.export.keda import Exported, Manifest, export, grace
from fargate_workers_toolkit.export.known_values import KnownValues, read_values
from fargate_workers_toolkit.export.reading import read_workers
from fargate_workers_toolkit.export.triggers import Trigger, Triggers, messages_for_a_pod, triggers_of
from fargate_workers_toolkit.export.trust import trust_statements
from fargate_workers_toolkit.export.worker import ExportedWorker, HealthCheck

__all__ = [
    "Exported",
    "ExportedWorker",
    "HealthCheck",
    "KnownValues",
    "Manifest",
    "Trigger",
    "Triggers",
    "export",
    "grace",
    "messages_for_a_pod",
    "read_values",
    "read_workers",
    "triggers_of",
    "trust_statements",
]
