"""A worker as manifests for Kubernetes: a Deployment that KEDA scales, and what it needs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fargate_workers_toolkit.errors import ExportError
from fargate_workers_toolkit.export.known_values import KnownValues
from fargate_workers_toolkit.export.triggers import Triggers, messages_for_a_pod, triggers_of
from fargate_workers_toolkit.export.worker import ExportedWorker, HealthCheck

Manifest = Mapping[str, Any]

KEDA = "keda.sh/v1alpha1"

#: Seconds that the runtime keeps of a stop for itself.
STOP_MARGIN = 15
#: Pods wait for their handlers for an hour at most; ones that take longer ask to be spared.
LONGEST_STOP = 3_600
#: KEDA's and the autoscaler's own defaults, written out.
POLLING, COOLDOWN, STABILIZATION = 30, 300, 300


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The manifests of one worker.

    Args:
        worker: The worker.
        manifests: The manifests, in the order in which they are applied.
        notes: What a person must do besides.
    """

    worker: ExportedWorker
    manifests: tuple[Manifest, ...]
    notes: tuple[str, ...]


def export(
    worker: ExportedWorker,
    known: KnownValues,
    *,
    namespace: str = "default",
    seconds_a_message: float | None = None,
    messages_a_pod: int | None = None,
    jobs: bool = False,
) -> Exported:
    """The manifests of a worker.

    Args:
        worker: The worker.
        known: Knows the addresses that no variable has.
        namespace: The namespace. Defaults to `default`.
        seconds_a_message: What a message takes, for `Scaling.for_latency`. Defaults to what the template has.
        messages_a_pod: The messages for each pod. Defaults to what follows from the worker's scaling.
        jobs: Whether each pod is a job, which ends when the queue is empty and which nothing else ends. Defaults to
            False.

    Raises:
        ExportError: KEDA cannot scale such a worker.
    """
    wanted = messages_for_a_pod(worker, seconds_a_message) if messages_a_pod is None else messages_a_pod
    triggers = triggers_of(worker, known, messages_a_pod=wanted)
    if jobs and triggers.each[0].type != "aws-sqs-queue":
        raise ExportError(f"{worker.path} drains no queue, and only a queue can be empty; export it without --jobs.")
    return Exported(
        worker=worker,
        manifests=tuple(_manifests(worker, triggers, namespace, jobs=jobs)),
        notes=(*triggers.notes, *_secret_notes(worker)),
    )


def grace(worker: ExportedWorker) -> int:
    """Seconds from SIGTERM to SIGKILL: a pod may finish its handlers, which a task on Fargate may for 120 s.

    Args:
        worker: The worker.
    """
    return min(max(worker.stop_timeout, worker.max_processing + STOP_MARGIN), LONGEST_STOP)


def _manifests(worker: ExportedWorker, triggers: Triggers, namespace: str, *, jobs: bool) -> Iterator[Manifest]:
    meta = {"name": worker.name, "namespace": namespace, "labels": _labels(worker)}
    yield {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            **meta,
            "annotations": {
                "eks.amazonaws.com/role-arn": worker.role_arn,
                "eks.amazonaws.com/sts-regional-endpoints": "true",
            },
        },
    }
    if _asks_to_be_spared(worker) and not jobs:
        yield from _permission_to_patch_itself(worker, meta, namespace)
    if not jobs:
        yield {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": _deployment(worker)}
        yield {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": meta,
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _selector(worker)}},
        }
    yield {
        "apiVersion": KEDA,
        "kind": "TriggerAuthentication",
        "metadata": meta,
        "spec": triggers.authentication,
    }
    kind, spec = ("ScaledJob", _scaled_job) if jobs else ("ScaledObject", _scaled_object)
    yield {"apiVersion": KEDA, "kind": kind, "metadata": meta, "spec": spec(worker, triggers)}


def _scaled_object(worker: ExportedWorker, triggers: Triggers) -> Mapping[str, Any]:
    return {
        "scaleTargetRef": {"name": worker.name},
        "pollingInterval": POLLING,
        "cooldownPeriod": COOLDOWN,
        "minReplicaCount": max(worker.least, triggers.least),
        "maxReplicaCount": worker.most,
        "advanced": {
            "horizontalPodAutoscalerConfig": {
                "behavior": {
                    # Out: all that is missing, at once. In: half, after five minutes that did not need them.
                    "scaleUp": {
                        "stabilizationWindowSeconds": 0,
                        "policies": [{"type": "Pods", "value": worker.most, "periodSeconds": 15}],
                    },
                    "scaleDown": {
                        "stabilizationWindowSeconds": STABILIZATION,
                        "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}],
                    },
                }
            }
        },
        "triggers": _triggers(worker, triggers),
    }


def _scaled_job(worker: ExportedWorker, triggers: Triggers) -> Mapping[str, Any]:
    return {
        "jobTargetRef": {
            "parallelism": 1,
            "completions": 1,
            # A job that fails leaves its messages in the queue, for which KEDA starts another one.
            "backoffLimit": 0,
            "template": _pod(worker, job=True),
        },
        "pollingInterval": POLLING,
        "successfulJobsHistoryLimit": 5,
        "failedJobsHistoryLimit": 5,
        "minReplicaCount": worker.least,
        "maxReplicaCount": worker.most,
        # A new version is for new jobs; those that run end by themselves.
        "rollout": {"strategy": "gradual"},
        # The queue's length has the messages in flight, so that running jobs are deducted.
        "scalingStrategy": {"strategy": "default"},
        "triggers": _triggers(worker, triggers),
    }


def _triggers(worker: ExportedWorker, triggers: Triggers) -> Sequence[Mapping[str, Any]]:
    return [
        {"type": each.type, "metadata": dict(each.metadata), "authenticationRef": {"name": worker.name}}
        for each in triggers.each
    ]


def _deployment(worker: ExportedWorker) -> Mapping[str, Any]:
    return {
        "selector": {"matchLabels": _selector(worker)},
        # The new pods start before the old ones stop. There are no replicas: their number belongs to KEDA.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "100%"}},
        "template": _pod(worker, job=False),
    }


def _pod(worker: ExportedWorker, *, job: bool) -> Mapping[str, Any]:
    return {
        "metadata": {"labels": _labels(worker)},
        "spec": {
            "serviceAccountName": worker.name,
            **({"restartPolicy": "Never"} if job else {}),
            # The pod's own first process then forwards signals and reaps children, as ECS's init process does.
            "shareProcessNamespace": worker.init_process,
            "terminationGracePeriodSeconds": grace(worker),
            "nodeSelector": {"kubernetes.io/arch": worker.architecture},
            "securityContext": _pod_security(worker),
            "containers": [_container(worker, job=job)],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }


def _container(worker: ExportedWorker, *, job: bool) -> Mapping[str, Any]:
    size = {"cpu": f"{round(1_000 * worker.vcpus)}m", "memory": f"{worker.mebibytes}Mi"}
    return {
        "name": "worker",
        "image": worker.image,
        # Kubernetes' command is the entry point of an image, and its args are the image's command.
        **({"command": list(worker.entry_point)} if worker.entry_point else {}),
        **({"args": list(worker.command)} if worker.command else {}),
        "env": list(_variables(worker, job=job)),
        "resources": {"requests": size, "limits": size},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": worker.read_only,
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108  a volume of the pod's own
        **({} if worker.health is None else {"livenessProbe": _probe(worker.health)}),
    }


def _variables(worker: ExportedWorker, *, job: bool) -> Iterator[Mapping[str, Any]]:
    own = {"AWS_REGION": worker.region, **worker.environment, "STOP_TIMEOUT_SECONDS": str(grace(worker))}
    if job:
        # One process, which nothing replaces when it ends.
        own |= {"UNTIL_EMPTY": "true", "PROCESSES": "1", "MAX_MESSAGES_PER_PROCESS": "0"}
    for name, value in own.items():
        yield {"name": name, "value": value}
    for name in worker.secrets:
        yield {"name": name, "valueFrom": {"secretKeyRef": {"name": f"{worker.name}-secrets", "key": name}}}
    if _asks_to_be_spared(worker) and not job:
        for name, path in (("POD_NAME", "metadata.name"), ("POD_NAMESPACE", "metadata.namespace")):
            yield {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _probe(health: HealthCheck) -> Mapping[str, Any]:
    return {
        "exec": {"command": list(health.command)},
        "initialDelaySeconds": health.start_period,
        "periodSeconds": health.interval,
        "timeoutSeconds": health.timeout,
        "failureThreshold": health.retries,
    }


def _pod_security(worker: ExportedWorker) -> Mapping[str, Any]:
    context: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if worker.user is not None:
        context["runAsUser"] = worker.user
    if worker.group is not None:
        context |= {"runAsGroup": worker.group, "fsGroup": worker.group}
    return context


def _asks_to_be_spared(worker: ExportedWorker) -> bool:
    """Whether a handler may outlive the longest stop; the runtime then raises its pod's deletion cost."""
    return worker.max_processing > grace(worker) - STOP_MARGIN


def _permission_to_patch_itself(worker: ExportedWorker, meta: Mapping[str, Any], namespace: str) -> Iterator[Manifest]:
    group = "rbac.authorization.k8s.io"
    yield {
        "apiVersion": f"{group}/v1",
        "kind": "Role",
        "metadata": meta,
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}],
    }
    yield {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": worker.name},
        "subjects": [{"kind": "ServiceAccount", "name": worker.name, "namespace": namespace}],
    }


def _labels(worker: ExportedWorker) -> Mapping[str, str]:
    return {**_selector(worker), "app.kubernetes.io/managed-by": "fargate-workers"}


def _selector(worker: ExportedWorker) -> Mapping[str, str]:
    return {"app.kubernetes.io/name": worker.name}


def _secret_notes(worker: ExportedWorker) -> Iterator[str]:
    if worker.secrets:
        pairs = ", ".join(f"{name} from {arn}" for name, arn in worker.secrets.items())
        yield f"{worker.name}: make a Secret {worker.name}-secrets with {pairs}."
