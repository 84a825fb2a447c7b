"""The chaos run on Kafka: worker processes of one group, which are hurt by plan until everything has ended."""

import random
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from confluent_kafka import Producer

from tests.chaos.herd import Herd
from tests.chaos.history import history
from tests.chaos.kafka.verdict import Seen, Sent, Verdict, judge
from tests.chaos.orders import OF_COROUTINES, POISON, Order, orders, sending
from tests.chaos.worker import Kind
from tests.doubles.kafka_group import header
from tests.doubles.kafka_servers import KafkaServer, mock_kafka, tansu
from tests.doubles.tcp_proxy import TcpProxy

#: What a run may do, and what it means.
FAULTS: Mapping[str, str] = {
    "kill": "SIGKILL, from outside and around effects",
    "sigterm": "SIGTERM to one process",
    "storm": "SIGTERM to one process after the other, every two seconds",
    "freeze": "SIGSTOP for longer than the session lasts",
    "cut": "all connections to the broker cut, and later healed (Tansu)",
    "poison": "records that can never succeed",
    "flaky": "records whose handler fails a few times",
    "slow": "records whose handler takes long",
    "killer": "records that kill their process twice",
    "twice": "records that are sent once more",
    "overrun": "handlers that outlast their limit at first, and are cancelled (coroutines)",
    "deaf": "handlers that outlast their limit at first, and end only with their process (coroutines)",
    "block": "handlers that block the event loop for a while (coroutines)",
}

#: How much of the work is sent while an attack is to come.
_AHEAD = 0.15
_LOOK = 0.2


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a run is made of. Durations are in seconds.

    Attributes:
        messages: How many orders are sent.
        handler: Whether handlers are functions or coroutine functions.
        server: `tansu`, with classic groups, or `mock`, with those of KIP-848.
        partitions: Of the topic; the mock's has four.
        intensity: How many times as many attacks as usual.
        session: The group's session time-out.
        freeze: How long a process is frozen.
        overrun: How long a coroutine may take.
        limit: After so long the run ends, whatever is left.
    """

    messages: int
    handler: Kind = "function"
    server: Literal["tansu", "mock"] = "tansu"
    faults: Collection[str] = frozenset(FAULTS)
    seed: int = 0
    intensity: float = 1
    partitions: int = 8
    processes: int = 4
    concurrency: int = 8
    pace: float = 0.05
    session: int = 2
    freeze: float = 9
    overrun: int = 20
    max_attempts: int = 6
    stop_timeout: int = 30
    limit: float = 900


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run showed."""

    scene: Scene
    verdict: Verdict
    facts: Mapping[str, Any]


def run(scene: Scene, *, folder: Path, tell: Callable[[str], None] = lambda _line: None) -> Result:
    """Send orders, let processes work and suffer until none is left, stop, and judge.

    Args:
        folder: For the history and the logs.
        tell: Called with a line on how far the work is.
    """
    with ExitStack() as stack:
        server, proxy = stack.enter_context(_server(scene))
        return _Run(scene, folder, tell, server, proxy).result()


@contextmanager
def _server(scene: Scene) -> Iterator[tuple[KafkaServer, TcpProxy | None]]:
    if scene.server == "mock":
        with mock_kafka(session_timeout=scene.session) as server:
            yield server, None
        return
    with TcpProxy(0) as proxy, tansu(session_timeout=scene.session, port=proxy.port, proxy=proxy) as server:
        yield server, proxy


class _Run:
    def __init__(
        self, scene: Scene, folder: Path, tell: Callable[[str], None], server: KafkaServer, proxy: TcpProxy | None
    ) -> None:
        self._scene = scene
        self._folder = folder
        self._tell = tell
        self._server = server
        self._proxy = proxy
        self._chosen = random.Random(scene.seed)
        self._began = time.monotonic()
        self._partitions = scene.partitions if scene.server == "tansu" else 4
        self._topic = server.topic("chaos", partitions=self._partitions)
        self._dead_topic = server.topic("chaos.dead")
        self._producer = Producer(
            {"bootstrap.servers": server.servers, "linger.ms": 5, "log_level": 0, "message.timeout.ms": 300_000}
        )
        self._sent: dict[str, Sent] = {}
        self._places = 0
        self._ends = [0] * self._partitions
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._hurt: dict[str, int] = {}

    def result(self) -> Result:
        scene = self._scene
        made = orders(
            scene.messages,
            fifo=True,
            faults={*scene.faults} - {"doomed"} - (set() if scene.handler == "coroutine" else OF_COROUTINES),
            transact=False,
            most_failures=2,
            chosen=self._chosen,
        )
        # One that always kills its process takes seven sessions to be given up.
        self._unsent = deque(
            (order, body) for order, body in sending(made, chosen=self._chosen) if order.does != "kill"
        )
        self._total = len(self._unsent)
        self._herd = self._open_herd()
        try:
            self._work_off()
            self._tell("stopping")
            self._herd.stop_all()
        finally:
            self._herd.close()
        return self._judge()

    def _open_herd(self) -> Herd:
        scene = self._scene
        environment = {
            "WORKER_NAME": "chaos",
            "BROKER": "kafka",
            "KAFKA_BOOTSTRAP_SERVERS": self._server.servers,
            "KAFKA_AUTHENTICATION": "plaintext",
            "KAFKA_TOPIC": self._topic,
            "KAFKA_GROUP": f"{self._topic}.apply",
            "KAFKA_DEAD_LETTER_TOPIC": self._dead_topic,
            "KAFKA_GROUP_PROTOCOL": self._server.group_protocol,
            "KAFKA_SESSION_TIMEOUT_SECONDS": str(scene.session),
            "CLAIM_STORE": "none",
            "VISIBILITY_TIMEOUT_SECONDS": "30",
            "MAX_ATTEMPTS": str(scene.max_attempts),
            "STOP_TIMEOUT_SECONDS": str(scene.stop_timeout),
            "CONCURRENCY": str(scene.concurrency),
            **({"MAX_PROCESSING_SECONDS": str(scene.overrun)} if scene.handler == "coroutine" else {}),
            "LOG_LEVEL": "INFO",
        }
        return Herd(
            self._folder,
            places=scene.processes,
            environment=environment,
            stop_timeout=scene.stop_timeout,
            seed=scene.seed,
            pace=scene.pace,
            suicides=0.5 if "kill" in scene.faults else 0,
            slow=5.0,
            handler=scene.handler,
        )

    # Sending

    def _send(self, share: float) -> None:
        """Send on until this share of all records is sent."""
        while len(self._unsent) > self._total * (1 - share):
            order, message = self._unsent.popleft()
            self._producer.produce(
                self._topic,
                value=message["body"],
                key=message["group"],
                on_delivery=self._arrived(order, self._places),
            )
            self._places += 1
            self._producer.poll(0)

    def _arrived(self, order: Order, place: int) -> Callable[[object, Any], None]:
        def note(error: object, message: Any) -> None:
            assert error is None, error
            record_id = f"{self._topic}/{message.partition()}/{message.offset()}"
            self._sent[record_id] = Sent(key=order.group or "", place=place, poison=POISON.get(order.does))
            self._ends[message.partition()] = max(self._ends[message.partition()], message.offset() + 1)

        return note

    # Working off

    def _plan(self) -> list[tuple[float, str]]:
        scene = self._scene
        thousands = scene.messages * scene.intensity / 1000
        many = {"kill": 0.8, "sigterm": 0.5, "storm": 0.1, "freeze": 0.3, "cut": 0.3}
        names = [
            name
            for name, per_thousand in many.items()
            if name in scene.faults and (name != "cut" or self._proxy)
            for _ in range(max(1, round(thousands * per_thousand)))
        ]
        self._chosen.shuffle(names)
        return list(zip(sorted(self._chosen.uniform(0.05, 0.85) for _ in names), names, strict=True))

    def _work_off(self) -> None:
        plan = self._plan()
        self._send(min(1, plan[0][0] + _AHEAD) if plan else 1)
        lines = _Tail(self._folder / "history")
        done: set[str] = set()
        looked_at = told_at = 0.0
        wanted = -1
        while True:
            now = time.monotonic()
            if now - self._began > self._scene.limit:
                self._tell("out of time; the rest is left")
                break
            self._herd.tend()
            self._producer.poll(0)  # what is sent amid a cut arrives later
            for due in [each for each in self._due if each[0] <= now]:
                self._due.remove(due)
                due[1]()
            if now - looked_at > _LOOK:
                looked_at = now
                done |= {line.split(" ")[4] for line in lines.read() if line.split(" ")[1] == "effect"}
                wanted = sum(each.poison is None for each in self._sent.values())
                share = len(done) / max(1, self._total)
                if plan and plan[0][0] <= max(share, 0.0):
                    self._hurt_by(plan.pop(0)[1])
                    self._send(min(1, plan[0][0] + _AHEAD) if plan else 1)
                elif plan and len(done) >= wanted:  # poison counts in what was sent, and never in what is done
                    self._send(min(1, 1 - len(self._unsent) / self._total + 0.05))
                all_sent = not self._unsent and len(self._producer) == 0
                if not plan and not self._due and all_sent and len(done) >= wanted and self._all_committed():
                    break
                if now - told_at > 5:
                    told_at = now
                    self._tell(
                        f"{share:6.1%} done, {len(plan)} attacks to come, {self._herd.started} processes so far, "
                        f"{now - self._began:.0f} s"
                    )
            time.sleep(0.02)  # a poll's pace
        for _, end in self._due:
            end()

    def _committed(self) -> list[int]:
        group = f"{self._topic}.apply"
        return [offset for offset, _ in self._server.committed(group, self._topic, partitions=self._partitions)]

    def _all_committed(self) -> bool:
        return [max(0, each) for each in self._committed()] == self._ends

    def _hurt_by(self, name: str) -> None:
        herd, chosen, now = self._herd, self._chosen, time.monotonic()
        place = chosen.randrange(self._scene.processes)
        self._hurt[name] = self._hurt.get(name, 0) + 1
        match name:
            case "kill":
                herd.kill(place)
            case "sigterm":
                herd.stop(place)
            case "storm":
                for wave in range(4):
                    self._due.append((now + 2 * wave, lambda p=(place + wave) % self._scene.processes: herd.stop(p)))
            case "freeze":
                herd.freeze(place, self._scene.freeze)
            case _:
                assert self._proxy
                chosen.choice([self._proxy.reset, self._proxy.black_hole])()
                self._due.append((now + chosen.uniform(1, 4), self._proxy.heal))

    def _judge(self) -> Result:
        letters = self._server.records(self._dead_topic)
        events = list(history(self._folder / "history"))
        verdict = judge(
            Seen(
                sent=self._sent,
                events=events,
                letters=[(header(each, "dlq.originalMessageId"), header(each, "dlq.reason")) for each in letters],
                committed=self._committed(),
                ends=self._ends,
                exits=self._herd.exits,
            )
        )
        facts = {
            **verdict.facts,
            "attacks": dict(sorted(self._hurt.items())),
            "processes": self._herd.started,
            "of them killed from outside": self._herd.killed,
            "of them killed by themselves": self._herd.died,
            "of them asked to stop": self._herd.asked,
            "lines of lost partitions": _count(self._folder, "partitions_lost"),
            "lines of refused commits": _count(self._folder, "commit_refused"),
            "lines of rebalances": _count(self._folder, "partitions_assigned"),
            "longest seconds after a stop": round(max(self._herd.lingered.values(), default=0), 2),
            "seconds": round(time.monotonic() - self._began),
        }
        return Result(scene=self._scene, verdict=verdict, facts=facts)


class _Tail:
    """What is appended to a file, from one look to the next."""

    def __init__(self, path: Path) -> None:
        self._file = path.open()
        self._rest = ""

    def read(self) -> list[str]:
        *lines, self._rest = (self._rest + self._file.read()).split("\n")
        return lines


def _count(folder: Path, event: str) -> int:
    return sum(log.read_text(errors="replace").count(f'"event": "{event}"') for log in folder.glob("*.log"))
