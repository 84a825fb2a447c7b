"""A replay that is killed at any moment loses no letter, sends none twice but the one in hand, and can be run again."""

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from fargate_workers_toolkit.operations.places import Place
from tests.toolkit.operations.letters import PLACE, Queues, queues
from tests.toolkit.operations.replaying_process import MOMENTS, Ended, replaying

LETTERS = 4


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def run(server: str, made: Queues, folder: Path, kill_at: int) -> Ended:
    return replaying(server, made.variables, folder, kill_at)


# The second letter's moments, where something comes before and behind.
@pytest.mark.parametrize("moment", range(MOMENTS, 2 * MOMENTS))
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_killed_at_any_moment(server: str, tmp_path: Path, moment: int, fifo: bool) -> None:
    place = Place(**{**vars(PLACE), "endpoint": server})
    with queues(fifo=fifo, place=place, name=f"orders-{moment}") as made:
        for number in range(LETTERS):
            made.die(
                number, **({"MessageGroupId": "a", "MessageDeduplicationId": f"{moment}-{number}"} if fifo else {})
            )

        killed = run(server, made, tmp_path, moment)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        made.show_all(made.dead_letter_url)
        again = run(server, made, tmp_path, -1)
        assert again.returncode == 0, again.stderr

        sent = made.bodies(made.url)
        assert made.bodies(made.dead_letter_url) == []
        counts = Counter(sent)
        assert set(counts) == set(range(LETTERS))
        assert sum(count - 1 for count in counts.values()) <= (0 if fifo else 1)
        if fifo:
            assert sent == sorted(sent)
