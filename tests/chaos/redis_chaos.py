"""python -m tests.chaos.redis_chaos --kind stream --messages 10000 --seed 7 [--json]

Real worker processes on a Redis stream or list, which are killed, stopped and frozen, while the server is killed and
cut off. Exit code 0 if nothing is lost, exactly the poison is dead, no effect is repeated without a reason and nothing
stays pending; 1 if not.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from fargate_workers_runtime.brokers.redis_lists import ListProducer
from fargate_workers_runtime.brokers.redis_streams import StreamProducer
from tests.chaos.herd import Herd
from tests.chaos.history import Event, history
from tests.chaos.orders import OF_COROUTINES, Order, orders, sending
from tests.chaos.run import keep_logs
from tests.chaos.worker import Kind as HandlerKind
from tests.doubles.durable_redis import DurableRedis

Kind = Literal["stream", "list"]
What = Literal["kill", "stop", "freeze", "restart", "cut", "hang", "forget scripts"]

NAME = {"stream": "orders", "list": "jobs"}
DEAD = {"stream": "{orders}:dead", "list": "{jobs}:dead"}
GROUP = "apply"

#: How much of the work waits while an attack is to come: the rest is sent once it has begun.
_AHEAD = 0.15

#: Seconds between two looks at the backlog.
_LOOK = 0.1

#: An effect that is repeated so many leases after something happened to its process has no excuse.
_EXCUSED_LEASES = 3


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a run is made of. Durations are in seconds.

    Attributes:
        attacks: How many of each kind.
        handler: Whether handlers are functions or coroutine functions.
        visibility: The length of a lease.
        freeze: How long a frozen process stands still: longer than a lease.
        limit: After so long the run ends, whatever is left.
    """

    kind: Kind
    messages: int
    attacks: dict[What, int] = field(default_factory=dict[What, int])
    handler: HandlerKind = "function"
    seed: int = 0
    processes: int = 4
    concurrency: int = 8
    pace: float = 0.02
    visibility: int = 5
    freeze: float = 9.0
    max_attempts: int = 12
    limit: float = 1200


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run showed; good if all counts of `faults` are zero."""

    scene: Scene
    faults: dict[str, int]
    facts: dict[str, int]
    examples: list[str]

    @property
    def good(self) -> bool:
        return not any(self.faults.values())


def run(scene: Scene, *, folder: Path, tell: Callable[[str], None] = lambda _line: None) -> Result:
    """Send orders, let processes work and suffer until none is left, stop, and judge.

    Args:
        folder: For the server's data, the history and the logs.
        tell: Called with a line on how far the work is.
    """
    with DurableRedis(folder / "server") as server:
        return _Run(scene, folder, server, tell).result()


class _Run:
    def __init__(self, scene: Scene, folder: Path, server: DurableRedis, tell: Callable[[str], None]) -> None:
        self._scene = scene
        self._folder = folder
        self._server = server
        self._tell = tell
        self._chosen = random.Random(scene.seed)
        self._began = time.monotonic()
        self._endings: list[tuple[float, Callable[[], None]]] = []
        self._outages: list[tuple[float, float]] = []
        self._ids: dict[str, str] = {}

    def result(self) -> Result:
        scene = self._scene
        sent = orders(
            scene.messages,
            fifo=False,
            faults={"poison", "flaky", "twice"} | (OF_COROUTINES if scene.handler == "coroutine" else set()),
            transact=False,
            most_failures=3,
            chosen=self._chosen,
        )
        self._unsent = deque(sending(sent, chosen=self._chosen))
        self._total = len(self._unsent)
        herd = self._herd = Herd(
            self._folder,
            places=scene.processes,
            environment=self._environment(),
            stop_timeout=60,
            seed=scene.seed,
            pace=scene.pace,
            suicides=1 if "kill" in scene.attacks else 0,
            slow=scene.visibility * 1.5,
            handler=scene.handler,
        )
        try:
            self._work_off()
            self._tell("stopping")
            herd.stop_all()
        finally:
            herd.close()
        return self._judge(sent)

    def _environment(self) -> dict[str, str]:
        scene, server = self._scene, self._server.environment
        return {
            **server,
            **{name.removeprefix("BROKER_"): value for name, value in server.items()},
            "WORKER_NAME": "chaos",
            "BROKER": f"redis-{scene.kind}",
            "STREAM_NAME": NAME["stream"],
            "STREAM_GROUP": GROUP,
            "STREAM_DEAD_LETTERS": DEAD["stream"],
            "LIST_NAME": NAME["list"],
            "LIST_DEAD_LETTERS": DEAD["list"],
            "CLAIM_STORE": "redis",
            "REDIS_MAX_CONNECTIONS": "20",
            "VISIBILITY_TIMEOUT_SECONDS": str(scene.visibility),
            "MAX_ATTEMPTS": str(scene.max_attempts),
            "STOP_TIMEOUT_SECONDS": "60",
            "CONCURRENCY": str(scene.concurrency),
            **({"MAX_PROCESSING_SECONDS": str(4 * scene.visibility)} if scene.handler == "coroutine" else {}),
            "LOG_LEVEL": "INFO",
        }

    def _send(self, share: float) -> None:
        """Send on until this share of all messages is sent."""
        client = self._server.direct
        producer = (StreamProducer if self._scene.kind == "stream" else ListProducer)(client, NAME[self._scene.kind])
        for _ in range(len(self._unsent) - round(self._total * (1 - share))):
            order, message = self._unsent.popleft()
            self._ids[producer.send(message["body"])] = order.key
        client.close()

    def _plan(self) -> deque[tuple[float, What]]:
        made = [what for what, count in self._scene.attacks.items() for _ in range(count)]
        self._chosen.shuffle(made)
        places = sorted(self._chosen.uniform(0.03, 0.9) for _ in made)
        return deque(zip(places, made, strict=True))

    def _work_off(self) -> None:
        plan = self._plan()
        patience = 6 * self._scene.visibility + 60
        left, looked_at, progress_at, told_at = -1, 0.0, time.monotonic(), 0.0
        self._send(min(1, plan[0][0] + _AHEAD) if plan else 1)
        while left or plan or self._endings:
            now = time.monotonic()
            if now - progress_at > patience or now - self._began > self._scene.limit:
                self._tell("no progress; the rest is left")
                break
            self._herd.tend()
            self._end_what_is_over(now)
            if now - looked_at > _LOOK:
                before, left, looked_at = left, self._backlog() + len(self._unsent), now
                progress_at = progress_at if left == before else now
                done = 1 - left / self._total
                if plan and plan[0][0] <= done:
                    self._attack(plan.popleft()[1], now)
                    self._send(min(1, plan[0][0] + _AHEAD) if plan else 1)
                if now - told_at > 5:
                    told_at = now
                    self._tell(f"{done:6.1%} done, {len(plan)} attacks to come, {self._herd.started} processes so far")
            time.sleep(0.02)  # a poll's pace
        self._end_what_is_over(float("inf"))

    def _backlog(self) -> int:
        with self._server.direct as client:
            if self._scene.kind == "stream":
                return int(client.xlen(NAME["stream"]))
            return int(client.llen(NAME["list"])) + int(client.zcard(f"{{{NAME['list']}}}:leases"))

    def _attack(self, what: What, now: float) -> None:
        place = self._chosen.randrange(self._scene.processes)
        match what:
            case "kill":
                self._herd.kill(place)
            case "stop":
                for each in range(self._scene.processes):
                    self._herd.stop(each)
            case "freeze":
                self._herd.freeze(place, self._scene.freeze)
            case "restart":
                self._server.restart()
                self._outages.append((now, time.monotonic()))
            case "forget scripts":
                self._server.direct.script_flush()
            case "cut" | "hang":
                (self._server.proxy.reset if what == "cut" else self._server.proxy.black_hole)()
                self._endings.append((now + self._chosen.uniform(0.5, 3), self._heal(now)))

    def _heal(self, began: float) -> Callable[[], None]:
        def end() -> None:
            self._server.proxy.heal()
            self._outages.append((began, time.monotonic()))

        return end

    def _end_what_is_over(self, now: float) -> None:
        over = [end for at, end in self._endings if at <= now]
        self._endings = [(at, end) for at, end in self._endings if at > now]
        for end in over:
            end()

    # What is left

    def _judge(self, sent: Sequence[Order]) -> Result:
        self._noticed = _noticed(self._folder)
        events = sorted(history(self._folder / "history"), key=lambda event: event.at)
        effects: defaultdict[str, list[Event]] = defaultdict(list)
        for event in events:
            if event.what == "effect":
                effects[event.key].append(event)
        wanted = {order.key for order in sent if order.wanted}
        poison = Counter(name for name, key in self._ids.items() if key not in wanted)
        dead = Counter(self._dead())
        left = self._left()
        # An effect that was cut off, or made by a process that had stood still, may have another before or after it.
        repeated = [key for key, made in effects.items() if sum(not self._excused(each, events) for each in made) > 1]
        lost = wanted - effects.keys()
        # Whatever the exit codes of those that were killed are read as; one whose handler is deaf is replaced.
        killed = {event.process for event in events if event.what in ("killed", "deaf")}
        examples = [f"lost: {key}" for key in sorted(lost)[:3]]
        examples += [f"dead, and no poison: {self._ids.get(name, name)}" for name in list(dead - poison)[:3]]
        examples += [f"repeated: {key}" for key in repeated[:3]]
        faults = {
            "lost": len(lost),
            "effects of poison": len(effects.keys() - wanted),
            "poison without a dead letter": (poison - dead).total(),
            "dead letters that are no poison, or one too many": (dead - poison).total(),
            "effects repeated without a reason": len(repeated),
            "wrong exits": sum(code != 0 for number, code in self._herd.exits.items() if number not in killed),
            **left,
        }
        facts = {
            "messages": self._total,
            "dead letters": dead.total(),
            "effects repeated with a reason": sum(len(made) > 1 for made in effects.values()) - len(repeated),
            "processes started": self._herd.started,
            "killed from outside": self._herd.killed,
            "killed by themselves": self._herd.died,
            "asked to stop": self._herd.asked,
            "freezes": sum(event.what == "frozen" for event in events),
            "outages": len(self._outages),
            "seconds": round(time.monotonic() - self._began),
        }
        return Result(scene=self._scene, faults=faults, facts=facts, examples=examples)

    def _dead(self) -> list[str]:
        with self._server.direct as client:
            if self._scene.kind == "stream":
                entries = client.xrange(DEAD["stream"])
                return [fields[b"dlq.originalMessageId"].decode() for _, fields in entries]
            return [json.loads(each)["dlq.originalMessageId"] for each in client.lrange(DEAD["list"], 0, -1)]

    def _left(self) -> dict[str, int]:
        with self._server.direct as client:
            if self._scene.kind == "list":
                keys = [key for key in client.scan_iter("*jobs*") if key.decode() != DEAD["list"]]
                return {"keys left": len(keys)}
            consumers: list[dict[str, Any]] = client.xinfo_consumers(NAME["stream"], GROUP)
            return {
                "entries left": int(client.xlen(NAME["stream"])),
                "pending": int(client.xpending(NAME["stream"], GROUP)["pending"]),
                "pending of a consumer": sum(int(each["pending"]) for each in consumers),
                "waiting for another attempt": int(client.zcard(f"{{orders}}:later:{GROUP}")),
                "remembered": int(client.hlen(f"{{orders}}:seen:{GROUP}")),
            }

    def _excused(self, effect: Event, events: Sequence[Event]) -> bool:
        """Whether something happened to the process or the server before the effect can have been recorded.

        On a busy machine a process may stand still without a signal; it notices, and logs that its lease was lost.
        """
        if (effect.process, effect.message) in self._noticed:
            return True
        until = effect.at + _EXCUSED_LEASES * self._scene.visibility
        if any(began <= until and ended >= effect.at - 1 for began, ended in self._outages):
            return True
        hurt = [
            each for each in events if each.process == effect.process and each.what in ("killed", "frozen", "thawed")
        ]
        return any(effect.at - self._scene.pace - 1 <= each.at <= until for each in hurt)


def _noticed(folder: Path) -> set[tuple[int, str]]:
    """Processes and messages whose lease a process has found lost, or whose effect it could not record."""
    found: set[tuple[int, str]] = set()
    for log in folder.glob("*.log"):
        for line in log.read_text(errors="replace").splitlines():
            if any(event in line for event in ('"fenced"', '"lease_lost"', '"effect_not_recorded"')):
                found.add((int(log.stem), json.loads(line).get("message_id", "")))
    return found


LARGE: dict[What, int] = {
    "kill": 20,
    "stop": 5,
    "freeze": 4,
    "restart": 4,
    "cut": 5,
    "hang": 3,
    "forget scripts": 2,
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.redis_chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kind", choices=("stream", "list"), default="stream")
    parser.add_argument("--handler", choices=("function", "coroutine"), default="function")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--keep", type=Path, help="a folder for logs and history")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    scene = Scene(
        kind=options.kind, messages=options.messages, handler=options.handler, seed=options.seed, attacks=LARGE
    )
    with tempfile.TemporaryDirectory() as folder:
        result = run(scene, folder=Path(folder), tell=lambda line: print(line, file=sys.stderr, flush=True))
        if options.keep:
            keep_logs(Path(folder), options.keep)
    if options.json:
        print(json.dumps(asdict(result)))
    else:
        for name, count in (*result.facts.items(), *result.faults.items()):
            print(f"{count:>8}  {name}")
        print(*result.examples, sep="\n")
        again = f"--kind {scene.kind} --messages {scene.messages} --handler {scene.handler} --seed {scene.seed}"
        print(f"{'Good' if result.good else 'Bad'}: {again}")
    return 0 if result.good else 1


if __name__ == "__main__":
    sys.exit(main())
