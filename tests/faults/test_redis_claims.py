"""Claims in a server that is down, full, crowded, another than before, or has forgotten them.

The worker is whole, its queue in memory, and its effects are counted per order.
"""

import logging
import os
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis

from fargate_workers_runtime import Message
from fargate_workers_runtime.claims.redis import RedisClaims
from fargate_workers_runtime.handlers.gate import Gate
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry.metrics import Metrics
from fargate_workers_runtime.testing import MemoryQueue
from fargate_workers_runtime.worker import Worker
from tests.faults.redis_rig import RedisRig
from tests.faults.rig import until
from tests.patience import PATIENCE


@dataclass
class Running:
    """A worker in a thread. Its handler makes one effect per order, and can be held before it."""

    queue: MemoryQueue
    claims: RedisClaims
    health_file: Path
    begun: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    may_go_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_go_on.set()
        settings = Settings(
            worker_name="orders",
            queue_url="memory",
            lease=30,
            receive_wait=1,
            concurrency=4,
            health_file=self.health_file,
        )
        self._worker = Worker(
            self._handle,
            gate=Gate(idempotency_key="/order_id"),
            broker=self.queue,
            settings=settings,
            claims=self.claims,
            metrics=Metrics("orders", write=lambda _line: None),
        )
        self._exit_codes: list[int] = []
        self._thread = threading.Thread(target=lambda: self._exit_codes.append(self._worker.run()), daemon=True)
        self._thread.start()

    def _handle(self, message: Message) -> None:
        self.begun[message.body["order_id"]] += 1
        assert self.may_go_on.wait(PATIENCE)
        self.effects[message.body["order_id"]] += 1

    def stop(self) -> int:
        self._worker.request_stop("the test is over")
        self._thread.join(PATIENCE)
        return self._exit_codes[0]

    @property
    def touches_health_file(self) -> bool:
        return self.health_file.exists() and self.health_file.stat().st_mtime > 0


@pytest.fixture
def rig() -> Iterator[RedisRig]:
    with RedisRig(repl_diskless_sync_delay=0) as rig:
        yield rig


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pipeline.outage", "pipeline.attempting.attempts"):
        monkeypatch.setattr(f"fargate_workers_runtime.{module}.full_jitter", lambda *_args, **_more: 0.01)


def orders(*order_ids: str) -> MemoryQueue:
    return MemoryQueue({"order_id": order_id} for order_id in order_ids)


def claims(client: redis.Redis) -> RedisClaims:
    return RedisClaims(client, scope="orders")


def times_logged(caplog: pytest.LogCaptureFixture, event: str) -> int:
    return [record.message for record in caplog.records].count(event)


@pytest.mark.fault(29)
@pytest.mark.parametrize("down", ["at start", "during work"])
def test_a_worker_whose_claims_are_down_stops_receiving_and_goes_on_by_itself(
    rig: RedisRig, tmp_path: Path, caplog: pytest.LogCaptureFixture, down: str
) -> None:
    caplog.set_level(logging.INFO)
    queue, healthy = orders("1", "2", "3"), tmp_path / "healthy"
    if down == "at start":
        rig.kill()
    worker = Running(queue, claims(rig.connect()), healthy)
    if down == "during work":
        until(lambda: queue.empty)
        rig.kill()
        queue.send({"order_id": "4"})
    until(lambda: times_logged(caplog, "store_unavailable") >= 2)
    before = queue.requests["receive"]
    os.utime(healthy, (0, 0))
    probes = times_logged(caplog, "store_unavailable")
    # Each look takes the client's retries, more than 0.3 s; health would be told once a second.
    until(lambda: times_logged(caplog, "store_unavailable") >= probes + 4)
    assert queue.requests["receive"] == before
    assert not worker.touches_health_file
    assert worker.effects.total() == (0 if down == "at start" else 3)

    rig.start()
    until(lambda: queue.empty)
    until(lambda: worker.touches_health_file)
    assert set(worker.effects.values()) == {1}
    assert times_logged(caplog, "store_available") == 1
    assert worker.stop() == 0


@pytest.mark.fault(31)
def test_a_failover_during_work_costs_no_second_effect(rig: RedisRig, tmp_path: Path) -> None:
    with RedisRig(repl_diskless_sync_delay=0) as other:
        other.direct.replicaof("127.0.0.1", str(rig.server.port))
        until(lambda: other.direct.info("replication")["master_link_status"] == "up")
        queue = orders("1", "2", "3")
        worker = Running(queue, claims(rig.connect()), tmp_path / "healthy")
        worker.may_go_on.clear()
        until(lambda: worker.begun.total() >= 1)
        rig.direct.wait(1, 5000)
        # The name leads to the new primary, open connections to the old one, which refuses writes from now on.
        other.direct.replicaof("NO", "ONE")
        rig.direct.replicaof("127.0.0.1", str(other.server.port))
        rig.proxy.upstream = other.server.port
        queue.send({"order_id": "1"})
        worker.may_go_on.set()
        until(lambda: queue.empty)
        assert worker.effects == Counter({"1": 1, "2": 1, "3": 1})
        assert worker.stop() == 0


@pytest.mark.fault(31)
def test_a_replica_grants_nothing(rig: RedisRig) -> None:
    with RedisRig() as other:
        rig.direct.replicaof("127.0.0.1", str(other.server.port))
        with pytest.raises(redis.ReadOnlyError):
            claims(rig.connect()).claim("1", owner="me", seconds=30)


@pytest.mark.fault(32)
def test_a_full_server_grants_nothing_and_nothing_runs_until_it_has_room(
    rig: RedisRig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig.limit_memory(1)
    with pytest.raises(redis.OutOfMemoryError):
        claims(rig.connect()).claim("1", owner="me", seconds=30)
    queue = orders("1")
    worker = Running(queue, claims(rig.connect()), tmp_path / "healthy")
    until(lambda: times_logged(caplog, "store_unavailable") >= 2)
    assert worker.begun.total() == 0
    assert times_logged(caplog, "claim_failed") == 1  # one delivery, however long it lasts
    rig.limit_memory(0)
    until(lambda: queue.empty)
    assert worker.effects == Counter({"1": 1})
    assert worker.stop() == 0


@pytest.mark.fault(33)
def test_a_server_without_a_connection_to_spare_pauses_the_worker(
    rig: RedisRig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    crowd = rig.crowd()
    queue = orders("1", "2")
    worker = Running(queue, claims(rig.connect()), tmp_path / "healthy")
    until(lambda: times_logged(caplog, "store_unavailable") >= 2)
    assert worker.begun.total() == 0
    for client in crowd:
        client.close()
    until(lambda: queue.empty)
    assert worker.effects == Counter({"1": 1, "2": 1})
    assert worker.stop() == 0


@pytest.mark.fault(33)
def test_threads_wait_for_a_connection_and_open_no_more_than_the_pool_has(rig: RedisRig) -> None:
    store = claims(rig.connect(max_connections=2))
    with ThreadPoolExecutor(20) as pool:
        granted = pool.map(lambda n: store.claim(str(n), owner="me", seconds=30).state, range(100))
        assert list(granted) == ["granted"] * 100
    assert rig.proxy.accepted <= 2


@pytest.mark.fault(34)
def test_a_forgotten_claim_is_still_its_owners_and_its_effect_is_recorded(
    rig: RedisRig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """kill -9 without an append-only file, while the handler runs: nobody else has claimed the key since."""
    queue = orders("1")
    store = claims(rig.connect())
    worker = Running(queue, store, tmp_path / "healthy")
    worker.may_go_on.clear()
    until(lambda: worker.begun["1"] == 1)
    rig.kill()
    rig.start()
    worker.may_go_on.set()
    until(lambda: queue.empty)
    assert worker.effects == Counter({"1": 1})
    assert times_logged(caplog, "fenced") == 0
    assert store.claim("1", owner="another", seconds=30).state == "completed"
    assert worker.stop() == 0


@pytest.mark.fault(34)
def test_a_completion_that_is_forgotten_lets_the_key_run_again_and_no_other(rig: RedisRig) -> None:
    store = claims(rig.connect())
    assert store.claim("1", owner="one", seconds=30).state == "granted"
    assert store.complete("1", owner="one")
    rig.kill()
    rig.start()
    assert [store.claim("1", owner=owner, seconds=30).state for owner in ("two", "three")] == ["granted", "held"]
    assert not store.complete("1", owner="one")
