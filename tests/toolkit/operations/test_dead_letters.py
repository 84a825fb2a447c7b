"""Dead letters: looking changes nothing, a replay loses nothing, a purge deletes what was named."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fargate_workers_toolkit.operations.dead_letters import Choice, Filter, Groups, passing, purge, replay, seconds_for
from fargate_workers_toolkit.operations.errors import OperationsError
from fargate_workers_toolkit.operations.sources import DeadLetter, Depth
from tests.toolkit.operations.letters import MemoryStore, MovedClock, Queues, mocked


@pytest.fixture
def standard() -> Iterator[Queues]:
    with mocked() as made:
        yield made


@pytest.fixture
def fifo() -> Iterator[Queues]:
    with mocked(fifo=True) as made:
        yield made


def journal(path: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_a_pass_sees_every_letter_once_and_releases_all(standard: Queues) -> None:
    for number in range(43):
        standard.die(number)

    with passing(standard.store) as (state, letters):
        seen = [json.loads(letter.body)["order"] for letter in letters]

    assert sorted(seen) == list(range(43))
    assert state.complete
    assert standard.hidden(standard.dead_letter_url) == 0


def test_a_pass_that_is_broken_off_releases_what_it_leased(standard: Queues) -> None:
    for number in range(43):
        standard.die(number)

    def interrupted() -> None:
        with passing(standard.store) as (_, letters):
            next(letters)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert standard.hidden(standard.dead_letter_url) == 0


def test_a_letter_that_is_handed_out_twice_is_seen_once() -> None:
    store = MemoryStore(MovedClock(), letters=15)
    lease = store.lease

    def twice(*, seconds: int, wait: int) -> list[DeadLetter]:
        leased = lease(seconds=seconds, wait=wait)
        return [*leased, *leased, *store.letters[:3]]

    store.lease = twice
    with passing(store, receivers=1) as (state, letters):
        seen = [letter.id for letter in letters]

    assert len(seen) == len(set(seen)) == state.seen == 15


def test_letters_of_a_fifo_queue_are_seen_in_order(fifo: Queues) -> None:
    for number in range(8):
        fifo.die(number, MessageGroupId="a")

    with passing(fifo.store) as (_, letters):
        seen = [json.loads(letter.body)["order"] for letter in letters]

    assert seen == list(range(8))


def test_letters_are_counted_by_reason(standard: Queues) -> None:
    for number in range(5):
        standard.die(number)
    standard.die(7, reason="timeout")
    standard.die(8, reason=None)

    groups = Groups()
    with passing(standard.store) as (_, letters):
        for letter in letters:
            groups.add(letter)

    assert [(group.reason, group.count) for group in groups.largest_first] == [
        ("schema: /amount", 5),
        ("received too often", 1),
        ("timeout", 1),
    ]
    assert groups.total == 7
    assert all(group.first <= group.last for group in groups.largest_first)


def test_a_replay_sends_all_back_with_their_own_attributes_and_marks(standard: Queues, tmp_path: Path) -> None:
    ids = [standard.die(number) for number in range(12)]

    done = replay(standard.store, Choice(), rate=5, folder=tmp_path, clock=MovedClock())

    assert (done.sent, done.left, done.stopped) == (12, 0, "")
    assert sorted(standard.bodies(standard.url)) == list(range(12))
    assert standard.bodies(standard.dead_letter_url) == []
    sent = standard.attributes(standard.url)
    assert {each["replay.of"] for each in sent} == set(ids)
    assert {each["replay.first"] for each in sent} == {f"before-{number}" for number in range(12)}
    assert all(set(each) == {"tenant", "replay.of", "replay.at", "replay.first"} for each in sent)


def test_a_replay_begins_slowly_and_grows(tmp_path: Path) -> None:
    clock = MovedClock()

    replay(MemoryStore(clock, letters=40), Choice(), rate=4, folder=tmp_path, clock=clock)

    assert [round(pause, 2) for pause in clock.slept[:9]] == [1.0] * 9
    assert clock.slept[15] == pytest.approx(0.5)
    assert clock.slept[-1] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("letters", "rate", "seconds"), [(5, 5, 5), (10, 5, 10), (30, 5, 20), (70, 5, 30), (170, 5, 50)]
)
def test_the_time_of_a_replay_is_known_before_it_begins(letters: int, rate: float, seconds: float) -> None:
    assert seconds_for(letters, most=rate) == pytest.approx(seconds)


def test_a_replay_takes_what_the_filter_names_and_no_more_than_asked(standard: Queues, tmp_path: Path) -> None:
    for number in range(12):
        standard.die(number)
    where = Filter.parse("body.amount > 0")

    done = replay(standard.store, Choice(where=where, limit=3), rate=5, folder=tmp_path, clock=MovedClock())

    assert done.sent == 3
    assert all(order > 5 for order in standard.bodies(standard.url))
    assert len(standard.bodies(standard.dead_letter_url)) == 9
    assert standard.hidden(standard.dead_letter_url) == 0


def test_a_replay_of_one_letter_goes_by_either_id(standard: Queues, tmp_path: Path) -> None:
    ids = [standard.die(number) for number in range(4)]

    for choice in (Choice(ids={ids[2]}), Choice(ids={"before-1"})):
        replay(standard.store, choice, rate=5, folder=tmp_path, clock=MovedClock())

    assert standard.bodies(standard.url) == [2, 1]
    assert sorted(standard.bodies(standard.dead_letter_url)) == [0, 3]


def test_groups_of_a_fifo_queue_return_in_their_order(fifo: Queues, tmp_path: Path) -> None:
    for number in range(36):
        fifo.die(number, MessageGroupId="abc"[number % 3])

    done = replay(fifo.store, Choice(), rate=50, folder=tmp_path, clock=MovedClock())

    assert done.sent == 36
    orders = fifo.bodies(fifo.url)
    for group in range(3):
        assert [each for each in orders if each % 3 == group] == list(range(group, 36, 3))


def test_letters_that_arrive_meanwhile_are_not_touched(standard: Queues, tmp_path: Path) -> None:
    standard.die(1)

    done = replay(standard.store, Choice(), rate=5, folder=tmp_path, clock=MovedClock(moment=1_000_000.0))

    assert (done.sent, done.newer) == (0, 1)


def test_a_replay_stops_when_letters_come_back(tmp_path: Path) -> None:
    clock = MovedClock()
    store = MemoryStore(clock, letters=30)

    def worker(sent: int, _rate: float) -> None:
        """It gives every message up at once."""
        store.add(store.sent[-1].body, original_id=f"sent-{sent}")

    done = replay(store, Choice(), rate=5, folder=tmp_path, clock=clock, report=worker)

    assert "came back within two minutes" in done.stopped
    assert len(store.letters) == 30
    assert not store.leased


def test_a_replay_stops_by_the_count_long_before_it_meets_what_came_back(tmp_path: Path) -> None:
    clock = MovedClock()
    store = MemoryStore(clock, letters=10_000)

    def worker(sent: int, _rate: float) -> None:
        store.add(store.sent[-1].body, original_id=f"sent-{sent}")

    done = replay(store, Choice(), rate=5, folder=tmp_path, clock=clock, report=worker)

    assert "came back" in done.stopped
    assert done.sent < 300


def test_a_count_that_is_a_minute_old_stops_no_replay(tmp_path: Path) -> None:
    clock = MovedClock()
    store = MemoryStore(clock, letters=1_000)
    counts = [(clock.now(), store.depth())]

    def late() -> Depth:
        counts.append((clock.now(), Depth(waiting=len(store.letters), in_flight=0)))
        return [depth for at, depth in counts if at <= max(counts[0][0], clock.now() - 59)][-1]

    store.depth = late

    done = replay(store, Choice(), rate=5, folder=tmp_path, clock=clock)

    assert (done.sent, done.stopped) == (1_000, "")


def test_a_few_that_come_back_stop_no_replay(tmp_path: Path) -> None:
    clock = MovedClock()
    store = MemoryStore(clock, letters=500)

    def worker(sent: int, _rate: float) -> None:
        if sent % 25 == 0:
            store.add(store.sent[-1].body, original_id=f"sent-{sent}")

    done = replay(store, Choice(), rate=5, folder=tmp_path, clock=clock, report=worker)

    assert (done.sent, done.stopped) == (500, "")


def test_the_journal_has_each_letter_whole_before_it_is_deleted(standard: Queues, tmp_path: Path) -> None:
    letter = standard.die(7)

    done = replay(standard.store, Choice(), rate=5, folder=tmp_path, clock=MovedClock(), header={"by": "ada"})

    lines = journal(done.journal)
    assert [line["event"] for line in lines] == ["begin", "taken", "sent", "deleted", "end"]
    assert lines[0]["by"] == "ada"
    assert lines[1]["id"] == letter
    assert json.loads(str(lines[1]["body"])) == {"order": 7, "amount": 2}
    assert Path(done.journal).stat().st_mode & 0o077 == 0


def test_what_an_interrupted_replay_has_sent_is_deleted_and_not_sent_again(standard: Queues, tmp_path: Path) -> None:
    first, _ = standard.die(1), standard.die(2)
    lines = [{"event": "taken", "id": first}, {"event": "sent", "id": first, "as": "x"}]
    (tmp_path / "20300101T000000Z-1-replay.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines) + '{"event": "del'
    )

    done = replay(standard.store, Choice(), rate=5, folder=tmp_path, clock=MovedClock())

    assert (done.sent, done.finished) == (1, 1)
    assert standard.bodies(standard.url) == [2]
    assert standard.bodies(standard.dead_letter_url) == []


def test_two_commands_on_one_machine_do_not_replay_the_same_letters(standard: Queues, tmp_path: Path) -> None:
    standard.die(1)

    def another(_sent: int, _rate: float) -> None:
        with pytest.raises(OperationsError, match="Another command on this machine"):
            replay(standard.store, Choice(), rate=5, folder=tmp_path, clock=MovedClock())

    assert replay(standard.store, Choice(), rate=5, folder=tmp_path, clock=MovedClock(), report=another).sent == 1


def test_a_purge_deletes_what_was_named_after_it_was_copied(standard: Queues, tmp_path: Path) -> None:
    for number in range(12):
        standard.die(number)

    done = purge(standard.store, Choice(where=Filter.parse("body.order >= 9")), folder=tmp_path, clock=MovedClock())

    assert (done.deleted, done.left) == (3, 9)
    assert sorted(standard.bodies(standard.dead_letter_url)) == list(range(9))
    copies = [json.loads(str(line["body"]))["order"] for line in journal(done.journal) if line["event"] == "taken"]
    assert sorted(copies) == [9, 10, 11]


def test_a_purge_of_everything_is_refused(standard: Queues, tmp_path: Path) -> None:
    with pytest.raises(OperationsError, match="give --where or --id"):
        purge(standard.store, Choice(), folder=tmp_path, clock=MovedClock())


def test_a_journal_that_cannot_be_written_stops_a_replay_before_it_begins(standard: Queues, tmp_path: Path) -> None:
    standard.die(1)
    (tmp_path / "file").write_text("")

    with pytest.raises(OperationsError, match="give another folder with --journal"):
        replay(standard.store, Choice(), rate=5, folder=tmp_path / "file" / "below", clock=MovedClock())

    assert standard.bodies(standard.dead_letter_url) == [1]
