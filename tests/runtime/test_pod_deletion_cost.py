"""A pod's deletion cost, against a server of Kubernetes' API on loopback, with TLS; and the pod's longer stop."""

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme

from fargate_workers_runtime.entry_points.worker import protection_of
from fargate_workers_runtime.errors import SettingsError
from fargate_workers_runtime.process.pod_deletion_cost import ANNOTATION, pod_deletion_cost
from fargate_workers_runtime.settings import Settings


@dataclass
class Kubernetes:
    """The API server: what it was asked, and what it answers."""

    port: int = 0
    account: Path = Path()
    status: int = 200
    answer: dict[str, Any] = field(default_factory=lambda: {"kind": "Pod"})
    asked: list[tuple[str, str, str, str, Any]] = field(default_factory=list[tuple[str, str, str, str, Any]])

    @property
    def environment(self) -> dict[str, str]:
        return {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self.port),
            "HOSTNAME": "apply-orders-7d9f-x2x4z",
        }


@pytest.fixture
def kubernetes(tmp_path: Path) -> Iterator[Kubernetes]:
    found = Kubernetes(account=tmp_path)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PATCH(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = (self.headers["Authorization"], self.headers["Content-Type"])
            found.asked.append((self.command, self.path, *headers, body))
            answer = json.dumps(found.answer).encode()
            self.send_response(found.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Be quiet."""

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    (tmp_path / "ca.crt").write_bytes(authority.cert_pem.bytes())
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "namespace").write_text("shop")
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_it_is_raised_while_busy_and_taken_off_when_idle(kubernetes: Kubernetes) -> None:
    put = pod_deletion_cost(kubernetes.environment, account=kubernetes.account)

    assert put is not None
    assert [put(True, 16), put(False, 16)] == [None, None]
    assert [asked[:2] for asked in kubernetes.asked] == [
        ("PATCH", "/api/v1/namespaces/shop/pods/apply-orders-7d9f-x2x4z")
    ] * 2
    assert {asked[2:4] for asked in kubernetes.asked} == {("Bearer first", "application/merge-patch+json")}
    assert [asked[4]["metadata"]["annotations"] for asked in kubernetes.asked] == [
        {ANNOTATION: "1000"},
        {ANNOTATION: None},
    ]


def test_the_token_is_read_again_because_it_is_replaced(kubernetes: Kubernetes) -> None:
    put = pod_deletion_cost(kubernetes.environment, account=kubernetes.account)
    assert put is not None
    put(True, 16)
    (kubernetes.account / "token").write_text("second")
    put(True, 16)

    assert [asked[2] for asked in kubernetes.asked] == ["Bearer first", "Bearer second"]


def test_the_names_that_the_deployment_gives_come_first(kubernetes: Kubernetes) -> None:
    names = {"POD_NAME": "orders-1", "POD_NAMESPACE": "prod"}
    put = pod_deletion_cost(kubernetes.environment | names, account=kubernetes.account)
    assert put is not None
    put(True, 16)

    assert kubernetes.asked[0][1] == "/api/v1/namespaces/prod/pods/orders-1"


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (403, {"kind": "Status", "reason": "Forbidden"}, "Forbidden"),
        (502, {}, "HTTP 502"),
        (500, {"reason": ""}, "HTTP 500"),
    ],
)
def test_a_refusal_is_a_reason(kubernetes: Kubernetes, status: int, answer: dict[str, Any], reason: str) -> None:
    kubernetes.status, kubernetes.answer = status, answer
    put = pod_deletion_cost(kubernetes.environment, account=kubernetes.account)

    assert put is not None
    assert put(True, 16) == reason


def test_a_server_with_another_certificate_is_not_asked(kubernetes: Kubernetes) -> None:
    (kubernetes.account / "ca.crt").write_bytes(trustme.CA().cert_pem.bytes())
    put = pod_deletion_cost(kubernetes.environment, account=kubernetes.account)

    assert put is not None
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        put(True, 16)
    assert kubernetes.asked == []


def test_outside_of_a_pod_and_without_an_account_there_is_none(kubernetes: Kubernetes, tmp_path: Path) -> None:
    elsewhere = {"HOSTNAME": "laptop"}

    assert pod_deletion_cost(elsewhere, account=kubernetes.account) is None
    assert pod_deletion_cost(kubernetes.environment, account=tmp_path / "nothing") is None


@pytest.mark.parametrize(("max_processing", "asks"), [(900, False), (7_200, True)])
def test_a_pod_asks_only_where_a_handler_may_outlive_its_stop(
    max_processing: int, asks: bool, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_account = partial(pod_deletion_cost, account=kubernetes.account)
    monkeypatch.setattr("fargate_workers_runtime.entry_points.worker.pod_deletion_cost", of_account)
    for name, value in kubernetes.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ECS_AGENT_URI", raising=False)
    settings = Settings(
        worker_name="orders", queue_url="memory", stop_timeout=915, max_processing=max_processing, health_file=None
    )
    protection = protection_of(settings)

    assert (protection is not None) == asks
    if protection is not None:
        # What a container before this one in the same pod may have left is taken off at the start.
        protection.look()
        assert [asked[4]["metadata"]["annotations"] for asked in kubernetes.asked] == [{ANNOTATION: None}]


def test_a_stop_takes_two_minutes_on_fargate_and_longer_in_a_pod() -> None:
    variables = {"WORKER_NAME": "orders", "QUEUE_URL": "https://sqs", "STOP_TIMEOUT_SECONDS": "915"}

    with pytest.raises(SettingsError, match="STOP_TIMEOUT_SECONDS"):
        Settings.from_environment(variables)
    in_a_pod = Settings.from_environment(variables | {"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert (in_a_pod.stop_timeout, in_a_pod.drain_seconds) == (915, 900)
