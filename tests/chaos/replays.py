"""Replays of dead letters that are killed again and again, beside live traffic: nothing lost, nothing doubled.

    python -m tests.chaos.replays --letters 1000
    python -m tests.chaos.replays --letters 1000 --fifo

Each process is ended by `kill -9` at a moment that chance chooses, before or after a step, until one comes to its end.
A server of SQS on loopback holds the queues. Exit code 1 when a promise is broken.
"""

import argparse
import logging
import os
import random
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moto.server import ThreadedMotoServer

from fargate_workers_toolkit.operations.places import Place
from tests.toolkit.operations.letters import PLACE, Queues, queues
from tests.toolkit.operations.replaying_process import MOMENTS, replaying

#: What is sent to the queue meanwhile, from here on.
LIVE = 1_000_000
_GROUPS = 7


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of it.

    Args:
        kills: Processes that were killed.
        lost: Letters, and live messages, that are in no queue.
        doubled: Letters that were sent more than once, counted for each time.
        disordered: Groups whose letters did not return in their order.
        left: Letters that stayed among the dead ones.
    """

    kills: int
    lost: int
    doubled: int
    disordered: int
    left: int

    def is_kept(self, *, fifo: bool) -> bool:
        """Whether the promises hold: at most the letter in hand of each killed process was sent twice."""
        return self.lost == self.left == self.disordered == 0 and self.doubled <= (0 if fifo else self.kills)


def play(*, letters: int, fifo: bool, seed: int) -> Result:
    """Replay so many letters, in processes that are killed.

    Args:
        letters: How many.
        fifo: Whether the queues are FIFO queues, of seven groups.
        seed: Of the moments of the kills.
    """
    chance = random.Random(seed)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    try:
        place = Place(**{**vars(PLACE), "endpoint": endpoint})
        with queues(fifo=fifo, place=place) as made, tempfile.TemporaryDirectory() as folder:
            for number in range(letters):
                made.die(number, **_of(number, fifo=fifo))
            kills = 0
            with _live_traffic(made, fifo=fifo) as sent_live:
                while _replay(endpoint, made, folder, kill_at=chance.randrange(MOMENTS * max(1, letters // 10))):
                    kills += 1
                    made.show_all(made.dead_letter_url)
                # What the last one could not see, because a letter of its group was leased.
                while made.bodies(made.dead_letter_url) and not _replay(endpoint, made, folder, kill_at=-1):
                    made.show_all(made.dead_letter_url)
            return _result(made, letters=letters, live=sent_live, kills=kills)
    finally:
        server.stop()


def _of(number: int, *, fifo: bool) -> Mapping[str, str]:
    if not fifo:
        return {}
    return {"MessageGroupId": f"group-{number % _GROUPS}", "MessageDeduplicationId": f"sent-{number}"}


def _replay(endpoint: str, made: Queues, folder: str, *, kill_at: int) -> bool:
    """Whether a process was killed; False when it came to its end."""
    ended = replaying(endpoint, made.variables, Path(folder), kill_at)
    if ended.returncode not in (0, -signal.SIGKILL):
        raise RuntimeError(ended.stderr)
    return ended.returncode != 0


@contextmanager
def _live_traffic(made: Queues, *, fifo: bool) -> Iterator[list[int]]:
    """Send messages to the queue as its producers do, until the block ends; the list grows with them."""
    sent: list[int] = []
    over = threading.Event()

    def send() -> None:
        while not over.wait(0.05):
            number = LIVE + len(sent)
            body = f'{{"order": {number}, "amount": 1}}'
            made.sqs.send_message(QueueUrl=made.url, MessageBody=body, **_of(number, fifo=fifo))
            sent.append(number)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield sent
    finally:
        over.set()
        sender.join()


def _result(made: Queues, *, letters: int, live: list[int], kills: int) -> Result:
    arrived = made.bodies(made.url)
    counts = Counter(arrived)
    replayed = [number for number in arrived if number < LIVE]
    groups: dict[int, list[int]] = {}
    for number in replayed:
        groups.setdefault(number % _GROUPS, []).append(number)
    fifo = made.url.endswith(".fifo")
    return Result(
        kills=kills,
        lost=sum(number not in counts for number in [*range(letters), *live]),
        doubled=sum(counts[number] - 1 for number in set(replayed)),
        disordered=sum(each != sorted(each) for each in groups.values()) if fifo else 0,
        left=len(made.bodies(made.dead_letter_url)),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--letters", type=int, default=1_000)
    parser.add_argument("--fifo", action="store_true", help="a FIFO queue of seven groups")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    os.environ |= NO_ACCOUNT
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    result = play(letters=arguments.letters, fifo=arguments.fifo, seed=arguments.seed)
    print(result)
    return 0 if result.is_kept(fifo=arguments.fifo) else 1


#: Whatever escapes the server finds no account.
NO_ACCOUNT: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
}


if __name__ == "__main__":
    sys.exit(main())
