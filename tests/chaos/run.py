"""The chaos run: real worker processes on one queue, which are hurt by plan until everything has ended."""

import pickle
import random
import shutil
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from fargate_workers_runtime.handlers.asynchronous import GRACE
from tests.chaos.checker import Observed, Verdict, check
from tests.chaos.herd import Herd
from tests.chaos.history import history
from tests.chaos.orders import OF_COROUTINES, Order, orders, sending
from tests.chaos.plan import FAULTS, Attack, Step, attacks
from tests.chaos.stand import ChaosStand
from tests.chaos.weather import Outage
from tests.chaos.worker import Kind
from tests.faults.redis_rig import RedisRig
from tests.patience import PATIENCE

Store = Literal["dynamodb", "redis", "none"]
_SERVICES = {"dynamodb": "DynamoDB", "redis": "Redis", "none": "none"}

#: How much of the work waits in the queue while an attack is to come: the rest is sent once it has begun, so that no
#: machine, however its processes are scheduled, has done the work before it was hurt.
_AHEAD = 0.15

#: Visibility timeouts that a coroutine may take: longer than a slow one whose process is frozen meanwhile.
_LIMIT = 4

#: Seconds between two looks at a queue of a thousand messages, which counts itself by looking at every one.
_LOOK = 0.1


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a run is made of. Durations are in seconds.

    Attributes:
        messages: How many orders are sent.
        fifo: Whether the queue is FIFO.
        handler: Whether handlers are functions or coroutine functions.
        claims: Where effects are claimed.
        faults: Names of tests.chaos.plan.FAULTS.
        seed: Makes the same choices again: what is sent, what fails, when who is attacked; timing stays the machine's.
        intensity: How many times as many attacks as usual.
        processes: Workers at a time.
        concurrency: Handlers of each.
        pace: What a handler takes at most, but a slow one.
        visibility: The visibility timeout; the shorter, the sooner the run has ended.
        max_attempts: After how many failures of its own a message is given up.
        max_receives: The queue's maxReceiveCount, a guard above.
        longest: The longest outage of SQS.
        stop_timeout: Between SIGTERM and SIGKILL.
        limit: After so long the run ends, whatever is left.
    """

    messages: int
    fifo: bool = False
    handler: Kind = "function"
    claims: Store = "dynamodb"
    faults: Collection[str] = field(default_factory=lambda: frozenset(FAULTS))
    seed: int = 0
    intensity: float = 1
    processes: int = 4
    concurrency: int = 8
    pace: float = 0.05
    visibility: int = 10
    max_attempts: int = 4
    max_receives: int = 100
    longest: float = 30
    stop_timeout: int = 60
    limit: float = 3600


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run showed. `facts` are counts for the reader; the verdict does not depend on them."""

    scene: Scene
    verdict: Verdict
    facts: dict[str, Any]

    @property
    def good(self) -> bool:
        return self.verdict.good


def run(scene: Scene, *, folder: Path, tell: Callable[[str], None] = lambda _line: None) -> Result:
    """Send orders, let processes work and suffer until none is left, redrive the dead letters, stop, and judge.

    Args:
        folder: For the history and the logs.
        tell: Called with a line on how far the work is.
    """
    return _Run(scene, folder, tell).result()


class _Run:
    def __init__(self, scene: Scene, folder: Path, tell: Callable[[str], None]) -> None:
        self._scene = scene
        self._folder = folder
        self._tell = tell
        self._began = time.monotonic()
        self._chosen = random.Random(scene.seed)
        self._due: list[tuple[float, Step]] = []
        self._endings: list[tuple[float, Callable[[], None]]] = []
        self._redis_outages: list[Outage] = []
        self._attacks = 0
        self._key_of: dict[str, str] = {}

    def result(self) -> Result:
        scene = self._scene
        sent = orders(
            scene.messages,
            fifo=scene.fifo,
            faults=scene.faults if scene.handler == "coroutine" else {*scene.faults} - OF_COROUTINES,
            transact=scene.claims == "dynamodb",
            most_failures=scene.max_attempts - 2,
            chosen=self._chosen,
        )
        with ExitStack() as stack:
            self._redis = stack.enter_context(_claims_server(scene.claims))
            self._stand = stack.enter_context(self._open_stand())
            self._unsent = deque(sending(sent, chosen=self._chosen))
            self._total = len(self._unsent)
            self._herd = self._open_herd()
            try:
                self._work_off(self._plan())
                healed_at = time.monotonic()
                (self._folder / "healed").touch()
                redriven = self._stand.redrive()
                self._work_off([])
                self._tell("stopping")
                self._herd.stop_all()
            finally:
                self._herd.close()
            return self._judge(sent, healed_at, redriven)

    def _open_stand(self) -> ChaosStand:
        scene = self._scene
        chances = {fault: share for fault, share in _CHANCES.items() if fault in scene.faults}
        options = {_OPTIONS[fault]: share for fault, share in chances.items()}
        return ChaosStand(
            fifo=scene.fifo, visibility=scene.visibility, max_receives=scene.max_receives, seed=scene.seed, **options
        )

    def _send(self, share: float) -> None:
        """Send on until this share of all messages is sent."""
        portion = [self._unsent.popleft() for _ in range(len(self._unsent) - round(self._total * (1 - share)))]
        for start in range(0, len(portion), 1000):
            some = portion[start : start + 1000]
            ids = self._stand.send([message for _, message in some])
            self._key_of.update(zip(ids, (order.key for order, _ in some), strict=True))

    def _open_herd(self) -> Herd:
        scene = self._scene
        redis = (
            {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(self._redis.proxy.port), "REDIS_TLS": "false"}
            if self._redis
            else {}
        )
        environment = {
            **self._stand.client,
            **redis,
            "WORKER_NAME": "chaos",
            "QUEUE_URL": self._stand.url,
            "DEAD_LETTER_QUEUE_URL": self._stand.letters_url,
            "CLAIM_STORE": scene.claims,
            "CLAIMS_TABLE_NAME": "chaos" if scene.claims == "dynamodb" else "",
            "VISIBILITY_TIMEOUT_SECONDS": str(scene.visibility),
            "MAX_RECEIVE_COUNT": str(scene.max_receives),
            "MAX_ATTEMPTS": str(scene.max_attempts),
            "STOP_TIMEOUT_SECONDS": str(scene.stop_timeout),
            "CONCURRENCY": str(scene.concurrency),
            **({"MAX_PROCESSING_SECONDS": str(_LIMIT * scene.visibility)} if scene.handler == "coroutine" else {}),
            "RECEIVE_WAIT_SECONDS": "2",
            "LOG_LEVEL": "INFO",
        }
        return Herd(
            self._folder,
            places=scene.processes,
            environment=environment,
            stop_timeout=scene.stop_timeout,
            seed=scene.seed,
            pace=scene.pace,
            suicides=1 if "kill" in scene.faults else 0,
            slow=scene.visibility * 1.5,
            handler=scene.handler,
        )

    def _plan(self) -> list[Attack]:
        scene = self._scene
        return attacks(
            scene.faults,
            messages=scene.messages,
            processes=scene.processes,
            visibility=scene.visibility,
            longest=scene.longest,
            store=_SERVICES[scene.claims],
            seed=scene.seed,
            intensity=scene.intensity,
        )

    def _work_off(self, plan: list[Attack]) -> None:
        """Keep the herd at work until the queue is empty, and attack it by the plan.

        A queue that no longer gets shorter is left as it is; the verdict will say what is in it.
        """
        patience = (4 + _LIMIT) * self._scene.visibility + GRACE + self._scene.longest + PATIENCE
        left, looked_at, progress_at, told_at = -1, 0.0, time.monotonic(), 0.0
        waiting = list(plan)
        self._send(min(1, waiting[0].at + _AHEAD) if waiting else 1)
        while left or waiting or self._due or self._endings:
            now = time.monotonic()
            if now - progress_at > patience or now - self._began > self._scene.limit:
                self._tell("no progress; the rest is left")
                break
            self._herd.tend()
            self._do_what_is_due(now)
            if now - looked_at > _LOOK * max(1, self._scene.messages / 4000):
                counts, before = self._stand.counts(), left
                left, looked_at = counts["visible"] + counts["hidden"] + len(self._unsent), now
                progress_at = progress_at if left == before else now
                done = 1 - left / max(1, self._total)
                if waiting and waiting[0].at <= done:
                    self._begin(waiting.pop(0), now)
                    self._send(min(1, waiting[0].at + _AHEAD) if waiting else 1)
                if now - told_at > 5:
                    told_at = now
                    self._tell(
                        f"{done:6.1%} done, {len(waiting)} attacks to come, {self._herd.started} processes so far"
                    )
            time.sleep(0.02)  # a poll's pace
        for _, end in self._endings:
            end()
        self._due, self._endings = [], []

    def _begin(self, attack: Attack, now: float) -> None:
        self._attacks += 1
        self._due += [(now + step.after, step) for step in attack.steps]

    def _do_what_is_due(self, now: float) -> None:
        ended = [end for at, end in self._endings if at <= now]
        self._endings = [(at, end) for at, end in self._endings if at > now]
        for end in ended:
            end()
        steps = [step for at, step in self._due if at <= now]
        self._due = [(at, step) for at, step in self._due if at > now]
        for step in steps:
            self._do(step, now)

    def _do(self, step: Step, now: float) -> None:
        match step.what:
            case "kill":
                self._herd.kill(step.arguments["process"])
            case "stop":
                self._herd.stop(step.arguments["process"])
            case "freeze":
                self._herd.freeze(step.arguments["process"], step.arguments["seconds"])
            case "downstream":
                down = self._folder / "down"
                down.touch()
                self._endings.append((now + step.arguments["seconds"], lambda: down.unlink(missing_ok=True)))
            case "outage" if step.arguments["service"] == "Redis":
                self._redis_outage(now, **step.arguments)
            case "outage":
                self._stand.begin_outage(**step.arguments)
                # Nothing is judged before it has ended.
                self._endings.append((now + step.arguments["seconds"], lambda: None))
            case _:
                raise ValueError(f"no step is called {step.what}")

    def _redis_outage(self, now: float, *, service: str, kind: str, seconds: float, operations: list[str]) -> None:
        assert self._redis
        redis = self._redis
        begins = time.monotonic()
        if operations:  # its writes: a server without replicas refuses them
            redis.direct.config_set("min-replicas-to-write", 1)
        elif kind in ("hang", "lose"):
            redis.proxy.black_hole()
        else:
            redis.proxy.reset()

        def end() -> None:
            redis.direct.config_set("min-replicas-to-write", 0)
            redis.proxy.heal()
            self._redis_outages.append(Outage(service=service, kind="hang", begins=begins, ends=time.monotonic()))

        self._endings.append((now + seconds, end))

    def _judge(self, sent: list[Order], healed_at: float, redriven: int) -> Result:
        scene, records, stories, herd = self._scene, self._stand.records(), self._stand.stories(), self._herd
        by_body = {order.body: order.key for order in sent}
        observed = Observed(
            orders={order.key: order for order in sent},
            key_of={**{story["id"]: by_body[story["body"]] for story in stories["messages"]}, **self._key_of},
            events=sorted(history(self._folder / "history"), key=lambda event: event.at),
            messages=stories["messages"],
            letters=stories["letters"],
            exact=records["exact"],
            recorded=records["recorded"],
            outages=[*(Outage(**outage) for outage in records["outages"]), *self._redis_outages],
            claims=_SERVICES[scene.claims],
            visibility=scene.visibility,
            max_attempts=scene.max_attempts,
            max_receives=scene.max_receives,
            healed_at=healed_at,
            exits=herd.exits,
        )
        (self._folder / "observed.pickle").write_bytes(pickle.dumps(observed))
        deliveries = [delivery for story in stories["messages"] for delivery in story["deliveries"]]
        facts = {
            "messages": len(stories["messages"]) - redriven,
            "dead letters redriven": redriven,
            "attacks": self._attacks,
            "processes started": herd.started,
            "of them killed from outside": herd.killed,
            "of them killed by themselves": herd.died,
            "of them asked to stop": herd.asked,
            "freezes": sum(event.what == "frozen" for event in observed.events),
            "outages": len(observed.outages),
            "answers that got lost": records["lost"],
            "deliveries": len(deliveries),
            "requests": sum(records["requests"].values()),
            "longest seconds after a stop": round(max(herd.lingered.values(), default=0), 2),
            "seconds": round(time.monotonic() - self._began),
        }
        return Result(scene=scene, verdict=check(observed), facts=facts)


#: Of a thousand requests, answers, entries or deletes, how many suffer; and what the server calls it.
_CHANCES = {"lost": 4, "throttle": 10, "partial": 20, "redelivery": 20}
_OPTIONS = {"lost": "lose", "throttle": "throttle", "partial": "partial", "redelivery": "again"}


@contextmanager
def _claims_server(claims: Store) -> Iterator[RedisRig | None]:
    if claims != "redis":
        yield None
        return
    with RedisRig() as rig:
        yield rig


def keep_logs(folder: Path, target: Path) -> None:
    """Copy what the processes wrote, for a person to read."""
    target.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.suffix in (".log", ".pickle") or path.name == "history":
            shutil.copy(path, target)


def as_json(result: Result) -> dict[str, Any]:
    """What `--json` prints."""
    verdict = result.verdict
    scene = {**asdict(result.scene), "faults": sorted(result.scene.faults)}
    examples = [asdict(finding) for finding in verdict.findings[:50]]
    return {"good": result.good, "scene": scene, "counts": verdict.counts, "findings": examples, **result.facts}
