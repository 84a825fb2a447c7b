"""The chaos run: real worker processes on one queue, which are killed and hurt until everything has ended."""

import json
import multiprocessing
import random
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from benchmarks.worker.stand import CLIENT, Stand, StandQueue
from tests.chaos.checker import Observed, Verdict, check
from tests.chaos.history import Event, History, history
from tests.chaos.worker import Plan, work

PROCESSES = 4
VISIBILITY = 10
DELIVERIES = 4

#: Of a thousand messages, how many do what. The rest is half and half: a plain effect, or one in a transaction.
_ODD = {"fail once": 50, "doomed": 20, "refuse": 10, "not JSON": 10, "wrong shape": 10}
_SENT_TWICE = 50
_POISON = ("refuse", "not JSON", "wrong shape")

#: Requests that the server answers between one attack on a process and the next.
_PEACE = (300, 1200)

#: Seconds without any progress; back-offs and visibilities are shorter.
_PATIENCE = 60

_CREDENTIALS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}

_fork = multiprocessing.get_context("forkserver")
_fork.set_forkserver_preload([work.__module__])


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run showed. `facts` are counts for the reader; the verdict does not depend on them."""

    seed: int
    verdict: Verdict
    exit_codes: dict[int, int]
    facts: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def good(self) -> bool:
        """The verdict is, and whatever was asked to stop has stopped with 0."""
        return self.verdict.good and not self.wrong_exits

    @property
    def wrong_exits(self) -> dict[int, int]:
        """Exit codes other than 0, by process, of those that were not killed."""
        return {process: code for process, code in self.exit_codes.items() if code != 0}


class ChaosStand(Stand):
    """The server that loses answers, in a process of its own."""

    def __init__(self, *, seed: int) -> None:
        self._start("tests.chaos.server", "--lose=0.005", f"--seed={seed}")

    @property
    def answered(self) -> int:
        return int(self.ask("GET", "server")["requests"])


def orders(messages: int, chosen: random.Random) -> dict[str, tuple[str, str]]:
    """What each order does and its message's body, by key."""
    kinds = [*_ODD, "plain", "transact"]
    weights = [*_ODD.values(), *[(1000 - sum(_ODD.values())) / 2] * 2]
    return {
        key: (does, body(key, does))
        for key, does in zip(
            (f"o-{number}" for number in range(messages)), chosen.choices(kinds, weights, k=messages), strict=True
        )
    }


def body(key: str, does: str) -> str:
    if does == "not JSON":
        return f'{{"order_id": "{key}"'
    return json.dumps({"order_id": key} if does == "wrong shape" else {"order_id": key, "does": does})


class Herd:
    """The worker processes: as many as there should be, whatever happens to them."""

    def __init__(self, folder: Path, *, seed: int, environment: dict[str, str]) -> None:
        self._folder = folder
        self._seed = seed
        self._environment = environment
        self._random = random.Random(seed)
        self._history = History(folder / "history")
        self._running: dict[int, Any] = {}
        self._started = 0
        self.killed = 0
        self.died = 0
        self.unborn = 0
        self.exit_codes: dict[int, int] = {}

    def fill(self) -> None:
        """Replace those that have ended."""
        for number, process in list(self._running.items()):
            if process.exitcode is not None:
                self._ended(number)
        while len(self._running) < PROCESSES:
            self._started += 1
            plan = Plan(
                folder=self._folder,
                process=self._started,
                seed=self._seed,
                environment={**self._environment, "HEALTH_FILE": str(self._folder / f"healthy-{self._started}")},
            )
            process = _fork.Process(target=work, args=(plan,), daemon=True)
            process.start()
            self._running[self._started] = process

    def attack(self) -> None:
        """End one of them: by SIGKILL, or, one time in four, by SIGTERM as a deployment does."""
        number = self._random.choice(sorted(self._running))
        process = self._running[number]
        if self._random.random() < 0.25:
            process.terminate()
            process.join()
        else:
            process.kill()
            process.join()
            self._history.add("killed", number)
            self.killed += 1
            self.died -= 1
        self._ended(number)

    def stop(self) -> None:
        for process in self._running.values():
            process.terminate()
        for number, process in list(self._running.items()):
            process.join()
            self._ended(number)

    def close(self) -> None:
        """Leave no process behind."""
        for process in self._running.values():
            process.kill()
            process.join()
        self._history.close()

    @property
    def started(self) -> int:
        return self._started

    def _ended(self, number: int) -> None:
        code = self._running.pop(number).exitcode
        if code == -signal.SIGKILL:
            self.died += 1
        elif code == -signal.SIGTERM and not self._has_logged(number):
            self.unborn += 1  # asked to stop before `run` could listen, let alone receive: nothing was in its hands
        else:
            self.exit_codes[number] = code

    def _has_logged(self, number: int) -> bool:
        log = self._folder / f"{number}.log"
        return log.exists() and log.stat().st_size > 0


def run(messages: int, *, seed: int, folder: Path) -> Result:
    """Send `messages` orders, let processes work and die until none is left, redrive the dead letters, and judge."""
    chosen = random.Random(seed)
    sent = orders(messages, chosen)
    twice = chosen.sample(sorted(sent), messages * _SENT_TWICE // 1000)
    began = time.monotonic()
    with ChaosStand(seed=seed) as stand:
        queue = stand.queue("chaos", visibility_timeout=VISIBILITY, max_receive_count=DELIVERIES)
        bodies = [text for _, text in sent.values()] + [sent[key][1] for key in twice]
        chosen.shuffle(bodies)
        queue.send(bodies)
        herd = Herd(folder, seed=seed, environment=_environment(stand, queue))
        try:
            _work_off(stand, queue, herd, chosen)
            (folder / "healed").touch()
            redriven = _redrive(stand, queue)
            _work_off(stand, queue, herd, chosen)
            herd.stop()
        finally:
            herd.close()
        effects = stand.ask("GET", "effects")
        observed = _observed(queue, sent, effects, list(history(folder / "history")))
        counters = queue.counters()
    facts = {
        "messages sent twice": len(twice),
        "dead letters redriven": redriven,
        "processes started": herd.started,
        "of them killed from outside": herd.killed,
        "of them killed by themselves, around an effect": herd.died,
        "of them asked to stop before they listened": herd.unborn,
        "deliveries": sum(int(count) * number for count, number in counters["deliveries"].items()),
        "requests to the queue": sum(counters["requests"].values()),
        "answers that got lost": effects["lost"],
        "seconds": round(time.monotonic() - began),
    }
    return Result(seed=seed, verdict=check(observed), exit_codes=herd.exit_codes, facts=facts)


def _environment(stand: Stand, queue: StandQueue) -> dict[str, str]:
    return {
        **stand.client,
        "WORKER_NAME": "chaos",
        "QUEUE_URL": queue.url,
        "DEAD_LETTER_QUEUE_URL": queue.dead_letter_queue_url,
        "CLAIM_STORE": "dynamodb",
        "CLAIMS_TABLE_NAME": "chaos",
        "VISIBILITY_TIMEOUT_SECONDS": str(VISIBILITY),
        "MAX_RECEIVE_COUNT": str(DELIVERIES),
        "RECEIVE_WAIT_SECONDS": "2",
    }


def _work_off(stand: ChaosStand, queue: StandQueue, herd: Herd, chosen: random.Random) -> None:
    """Keep the herd at work until the queue is empty, and attack it until it nearly is.

    A queue that no longer gets shorter is left as it is; the verdict will say what is in it.
    """
    next_attack = stand.answered + chosen.randint(*_PEACE)
    most, left, looked_at, progress_at = 0, -1, 0.0, time.monotonic()
    while left and time.monotonic() - progress_at < _PATIENCE:
        herd.fill()
        # The queue counts itself by looking at every message: not too often.
        if time.monotonic() - looked_at > 1:
            counters, before = queue.counters(), left
            left, looked_at = counters["visible"] + counters["hidden"], time.monotonic()
            most = max(most, left)
            progress_at = progress_at if left == before else looked_at
        if left > most / 50 and stand.answered >= next_attack:
            herd.attack()
            next_attack = stand.answered + chosen.randint(*_PEACE)
        time.sleep(0.05)  # a poll's pace


def _redrive(stand: Stand, queue: StandQueue) -> int:
    """Move every dead letter back, as the console's redrive does: each becomes a new message. Returns how many."""
    sqs = boto3.client("sqs", endpoint_url=stand.endpoint, region_name=CLIENT["AWS_REGION"], **_CREDENTIALS)
    letters: dict[str, Any] = {}
    counters = stand.ask("GET", f"queues/{queue.name}-dead-letters")
    while len(letters) < counters["visible"] + counters["hidden"]:
        answer = sqs.receive_message(
            QueueUrl=queue.dead_letter_queue_url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=5,
            WaitTimeSeconds=1,
            MessageAttributeNames=["All"],
        )
        letters |= {message["MessageId"]: message for message in answer.get("Messages", [])}
    for letter in letters.values():
        attributes = letter.get("MessageAttributes", {})
        sqs.send_message(QueueUrl=queue.url, MessageBody=letter["Body"], MessageAttributes=attributes)
    for letter in letters.values():
        sqs.delete_message(QueueUrl=queue.dead_letter_queue_url, ReceiptHandle=letter["ReceiptHandle"])
    return len(letters)


def _observed(
    queue: StandQueue, sent: dict[str, tuple[str, str]], effects: dict[str, Any], events: list[Event]
) -> Observed:
    key_of = {text: key for key, (_, text) in sent.items()}
    letters: dict[str, list[str]] = {}
    for letter in queue.dead_letters():
        if not letter["deleted"]:
            letters.setdefault(key_of[letter["body"]], []).append(_reason(letter))
    return Observed(
        wanted={key for key, (does, _) in sent.items() if does not in _POISON},
        poison={key for key, (does, _) in sent.items() if does in _POISON},
        events=events,
        exact=effects["exact"],
        recorded=effects["recorded"],
        letters=letters,
        queued={key_of[message["body"]] for message in queue.messages() if not message["deleted"]},
    )


def _reason(letter: dict[str, Any]) -> str:
    """What the letter says, or, if the queue itself has moved it, how often it was delivered."""
    said = letter["attributes"].get("dlq.reason", {}).get("StringValue", "")
    return said or (f"delivered {DELIVERIES} times" if letter["deliveries"] >= DELIVERIES else "")
