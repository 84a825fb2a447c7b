"""A pod's deletion cost: what Kubernetes has instead of protection. Of the pods of a set, the cheap ones end first.

It is a preference and no promise: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#pod-deletion-cost
The time to finish, terminationGracePeriodSeconds, is the promise; this is for handlers that would outlive it.
"""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fargate_workers_runtime.process.protection import Put

ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"
BUSY = "1000"

#: What Kubernetes gives the pods of a service account.
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_API_SECONDS = 6.0


def pod_deletion_cost(
    environment: Mapping[str, str], *, account: Path = ACCOUNT, timeout: float = _API_SECONDS
) -> Put | None:
    """Requests that raise this pod's deletion cost, or take it off; None outside of a pod, or without an account.

    The pod is POD_NAME in POD_NAMESPACE; otherwise the host's name, which is the pod's, in the account's namespace. The
    account must be allowed to patch pods.

    Args:
        environment: The variables of the process, by name.
        account: The folder with the account's token, namespace and certificate authority. Default: Kubernetes' own.
        timeout: How long a request may take, in seconds. Default: 6.
    """
    host = environment.get("KUBERNETES_SERVICE_HOST")
    name = environment.get("POD_NAME") or environment.get("HOSTNAME")
    if not host or not name or not (account / "token").is_file():
        return None
    namespace = environment.get("POD_NAMESPACE") or (account / "namespace").read_text(encoding="utf-8").strip()
    server = f"[{host}]" if ":" in host else host
    port = environment.get("KUBERNETES_SERVICE_PORT_HTTPS") or environment.get("KUBERNETES_SERVICE_PORT") or "443"
    url = f"https://{server}:{port}/api/v1/namespaces/{namespace}/pods/{name}"
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(account / "ca.crt"))),
    )

    def put(enabled: bool, minutes: int) -> str | None:
        del minutes  # a cost does not expire; the next process of the pod takes it off
        token = (account / "token").read_text(encoding="utf-8").strip()  # read each time: it is replaced every hour
        request = urllib.request.Request(
            url,
            data=json.dumps({"metadata": {"annotations": {ANNOTATION: BUSY if enabled else None}}}).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/merge-patch+json"},
            method="PATCH",
        )
        try:
            with direct.open(request, timeout=timeout):
                return None
        except urllib.error.HTTPError as error:
            with error:
                return _reason(error)

    return put


def _reason(error: urllib.error.HTTPError) -> str:
    """The reason in the answer, such as Forbidden."""
    try:
        answer: Any = json.load(error)
        reason = answer["reason"]
    except (ValueError, KeyError, TypeError):  # an answer of a server in between
        reason = None
    return str(reason or f"HTTP {error.code}")
