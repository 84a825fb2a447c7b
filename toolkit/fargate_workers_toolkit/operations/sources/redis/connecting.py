"""The server of a stream or a list, as a command reaches it."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from typing import Any

from fargate_workers_observer.resp import RedisError
from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.sources.source import UnreachableError, missing_package

#: A server of a network that this machine is not in answers never; a person waits.
_CONNECT_SECONDS = 3.0
_ANSWER_SECONDS = 15.0


class RedisServer:
    """A server, to which it connects at the first command.

    With `--endpoint` it connects there, and checks the certificate against the server's own name all the same.

    Args:
        aws: The AWS that it belongs to.
        variables: The variables of the worker's container, of which it reads BROKER_REDIS_*.
    """

    def __init__(self, aws: Aws, variables: Mapping[str, str]) -> None:
        self._aws = aws
        self._user = variables.get("BROKER_REDIS_USER", "")
        self._group = variables.get("BROKER_REDIS_REPLICATION_GROUP_ID", "")
        self._tls = variables.get("BROKER_REDIS_TLS", "true") == "true"
        # The embedded AWS's name for the machine that it runs on.
        self._host: str = variables["BROKER_REDIS_HOST"].replace("host.docker.internal", "127.0.0.1")
        self._port = int(variables.get("BROKER_REDIS_PORT", "6379"))

    def call(self, *command: Any) -> Any:
        """Send one command; returns its answer as it is, in bytes.

        Args:
            command: The command's words.

        Raises:
            OperationsError: The server cannot be reached, or refuses.
        """
        with self._answering():
            return self._client.execute_command(*command)

    def call_all(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Send commands together; returns their answers as text, a refusal in the place of an answer.

        Args:
            commands: The commands' words.

        Raises:
            OperationsError: The server cannot be reached.
        """
        with self._answering():
            pipeline = self._client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            return [_text(answer) for answer in pipeline.execute(raise_on_error=False)]

    def run(self, script: str, *, keys: Sequence[str], arguments: Sequence[str | bytes | int]) -> Any:
        """Run a script, which is one step for everybody else; returns its answer in bytes.

        Args:
            script: The script, in Lua.
            keys: The keys that it uses.
            arguments: Its arguments.

        Raises:
            OperationsError: The server cannot be reached, or refuses.
        """
        return self.call("EVAL", script, len(keys), *keys, *arguments)

    @property
    def _package(self) -> Any:
        try:
            return import_module("redis")
        except ModuleNotFoundError:
            raise missing_package("redis", extra="redis") from None

    @cached_property
    def _client(self) -> Any:
        redis = self._package
        place = self._aws.place
        host, port = place.broker_address or (self._host, self._port)
        options: dict[str, Any] = {}
        if self._tls:
            kind = redis.SSLConnection
            options["ssl_ca_certs"] = None if place.certificate_authority is None else str(place.certificate_authority)
        else:
            kind = redis.Connection
        if self._user:
            options |= {"username": self._user, "password": self._password()}
        pool = redis.ConnectionPool(
            connection_class=_through(kind, self._host) if self._tls and place.broker_address else kind,
            host=host,
            port=port,
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_timeout=_ANSWER_SECONDS,
            protocol=2,
            **options,
        )
        client: Any = redis.Redis(connection_pool=pool)
        # Answers as the server sends them: a dictionary would have each field of an entry once.
        client.response_callbacks.clear()
        return client

    def _password(self) -> str:
        """A request to connect, signed with the credentials of the person who runs the command.

        https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
        """
        if self._aws.place.is_local:
            return "local"  # the embedded AWS has no IAM to ask
        with answered(sign_in=self._aws.place.sign_in):
            signed = self._aws.presigned(
                "elasticache", f"https://{self._group.lower()}/", {"Action": "connect", "User": self._user}
            )
        return signed.removeprefix("https://")

    @contextmanager
    def _answering(self) -> Generator[None]:
        redis = self._package
        try:
            yield
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
            raise UnreachableError(
                f"{self._host} refuses the user {self._user or 'default'} ({error}); use a role that may sign in as "
                "it, such as OperatorAccess."
            ) from error
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise UnreachableError.of(self._host, error) from error
        except redis.OutOfMemoryError as error:
            raise OperationsError(f"{self._host} has no memory left; nothing was sent.") from error
        except redis.RedisError as error:
            raise OperationsError(f"{self._host} refuses: {error}.") from error


def _through(kind: Any, name: str) -> Any:
    """A connection that leads through another address, and checks the certificate of the server's own name."""

    def wrap(self: Any, sock: Any) -> Any:
        address, self.host = self.host, name
        try:
            return kind._wrap_socket_with_ssl(self, sock)  # noqa: SLF001  the one place that knows the name
        finally:
            self.host = address

    return type("Through", (kind,), {"_wrap_socket_with_ssl": wrap})


def _text(answer: Any) -> Any:
    if isinstance(answer, bytes):
        return answer.decode(errors="replace")
    if isinstance(answer, list):
        return [_text(each) for each in answer]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(answer, Exception):
        # redis-py leaves out ERR, and the arithmetic reads the server's own words.
        return RedisError(str(answer) if str(answer).startswith("NOGROUP") else f"ERR {answer}")
    return answer
