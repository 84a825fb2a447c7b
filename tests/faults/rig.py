"""A queue of a test's own on the server, the processes that work on it, and what the server knows about it.

The server runs in this process, so that a test can ask its memory: when a message will show again, by the queue's own
clock, and how often it was delivered, even after it is gone.
"""

import json
import logging
import signal
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlparse

import redis
from moto.core import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer
from moto.sqs.models import Message, SQSBackend, sqs_backends

from tests import patience
from tests.faults import clock
from tests.faults.program import Plan, session, work
from tests.forking import fork, send_signal

REGION = "eu-west-1"

#: Seconds. Short, and long enough for the worker's margins: a second for the round trip, a third for the heartbeat,
#: which on a busy machine is late by more than a second at times.
VISIBILITY = 5

Store = Literal["none", "dynamodb", "redis"]

#: The access keys of processes to which the server gives no message, whatever their open polls ask for.
ABSENT: set[str] = set()


def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; many processes share the machine, and a slower poll leaves it to them."""
    patience.until(condition, every=0.03)


class Server:
    """AWS on loopback, with a table of claims."""

    def __init__(self, *, redis_port: int) -> None:
        logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for each request
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, self.port = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{self.port}"
        self.redis_port = redis_port
        credentials = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": REGION}
        self.dynamodb = session().client("dynamodb", endpoint_url=self.endpoint, **credentials)
        self.sqs = session().client("sqs", endpoint_url=self.endpoint, **credentials)
        # The first request of each service makes the server read its model; the first forty would do so all at once.
        self.sqs.list_queues()
        self.table = f"claims-{uuid.uuid4().hex}"
        self.dynamodb.create_table(
            TableName=self.table,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def stop(self) -> None:
        self._server.stop()


class Process:
    """A worker process, and what it says about itself."""

    def __init__(self, plan: Plan, *, program: Callable[[Plan], None] = work) -> None:
        self.plan = plan
        self._process = fork.Process(target=program, args=(plan,), daemon=True)
        self._process.start()

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal that ended it."""
        return self._process.exitcode

    @property
    def state(self) -> str:
        """As the kernel calls it: S, R, T (stopped) ..."""
        return Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[-1].split()[0]

    def send(self, number: signal.Signals) -> None:
        send_signal(self._process, number)

    def ended(self) -> int:
        until(lambda: self.exit_code is not None)
        code = self.exit_code
        assert code is not None
        return code

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.send(signal.SIGTERM)
        return self.ended()

    def log(self) -> list[dict[str, Any]]:
        """Every line it has logged, but the metrics."""
        lines = [json.loads(line) for line in self._lines("log")]
        return [line for line in lines if "event" in line]

    def logged(self) -> list[str]:
        return [line["event"] for line in self.log()]

    def steps(self) -> list[str]:
        return self._lines("steps")

    def signalled_at(self) -> float | None:
        lines = self._lines("signalled")
        return float(lines[0]) if lines else None

    def _lines(self, suffix: str) -> list[str]:
        path = self.plan.folder / f"{self.plan.name}.{suffix}"
        return path.read_text().split("\n")[:-1] if path.exists() else []  # the last line may be half written


class Rig:
    """One queue, its dead-letter queue, and its processes."""

    def __init__(self, server: Server, folder: Path, *, claims: Store = "none") -> None:
        folder.mkdir(exist_ok=True)
        self.server = server
        self.folder = folder
        self.name = uuid.uuid4().hex
        self._queue, self._dead = (_sqs().create_queue(f"{self.name}{part}", region=REGION) for part in ("", "-dead"))
        self.processes: list[Process] = []
        endpoint = urlparse(server.endpoint)
        self.url, self.dead_letter_url = (queue.url(endpoint) for queue in (self._queue, self._dead))
        self.environment = {
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "WORKER_NAME": self.name,
            "QUEUE_URL": self.url,
            "DEAD_LETTER_QUEUE_URL": self.dead_letter_url,
            "CLAIM_STORE": claims,
            "CLAIMS_TABLE_NAME": server.table if claims == "dynamodb" else "",
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(server.redis_port),
            "REDIS_TLS": "false",
            "HEALTH_FILE": str(folder / "healthy"),
            "VISIBILITY_TIMEOUT_SECONDS": str(VISIBILITY),
            # Long enough to be a long poll, and shorter than the visibility: the poll of a process that was killed
            # stays open on the server, and would swallow the message.
            "RECEIVE_WAIT_SECONDS": "1",
            "CONCURRENCY": "1",
            "LOG_LEVEL": "DEBUG",
        }

    def send(self, order_id: str = "1", *, text: str | None = None, **body: Any) -> Message:
        """Send an order, or `text`; returns the server's own record of it."""
        return _sqs().send_message(self.name, text or json.dumps({"order_id": order_id, **body}))

    def start(self, name: str, *, program: Callable[[Plan], None] = work, **changes: Any) -> Process:
        """Start a worker that runs `program`; `changes` are those of its Plan, and variables in capitals."""
        variables = {name: changes.pop(name) for name in list(changes) if name.isupper()}
        plan = Plan(folder=self.folder, name=name, environment={**self.environment, **variables}, **changes)
        process = Process(plan, program=program)
        self.processes.append(process)
        return process

    def close(self) -> None:
        """Leave no process behind."""
        for process in self.processes:
            process.send(signal.SIGKILL)
            process.ended()

    def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass: for the queue, the claims in Redis, and the clocks of the processes."""
        clock.advance(self.folder, seconds)
        milliseconds = round(seconds * 1000)
        for message in self.messages:
            message.visible_at -= milliseconds
        claims = redis.Redis(port=self.server.redis_port)
        for key in claims.scan_iter(f"claim:{{{self.name}#*"):
            claims.hincrby(key, "lu", -milliseconds)

    @property
    def messages(self) -> list[Message]:
        """Those that the queue has, hidden ones included."""
        return list(self._queue._messages)  # noqa: SLF001  moto's

    @property
    def empty(self) -> bool:
        return not self.messages

    @property
    def hidden(self) -> list[Message]:
        return [message for message in self.messages if not message.visible]

    @property
    def dead_letters(self) -> list[Message]:
        return list(self._dead._messages)  # noqa: SLF001

    def history(self, what: str) -> list[tuple[str, int]]:
        """Order and delivery of each time that a handler has `begun`, or made its `effect`."""
        path = self.folder / "history"
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [(order_id, int(count)) for event, order_id, count in lines if event == what]

    def effects(self, order_id: str = "1") -> int:
        """How often the order's effect was made, in the file and in transactions."""
        key = {"pk": {"S": f"effects#{self.name}#{order_id}"}}
        item = self.server.dynamodb.get_item(TableName=self.server.table, Key=key).get("Item", {})
        in_file = [order for order, _ in self.history("effect")].count(order_id)
        return in_file + int(item.get("effects", {}).get("N", "0"))


def _sqs() -> SQSBackend:
    return sqs_backends[DEFAULT_ACCOUNT_ID][REGION]
