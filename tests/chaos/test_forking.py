"""Processes of a run: several threads may ask for the exit code of one."""

import sys
import threading
from multiprocessing.process import BaseProcess

from tests.forking import fork
from tests.patience import PATIENCE

_CODE = 3


def test_every_thread_sees_how_a_process_ended() -> None:
    codes: list[int | None] = []
    for _ in range(10):
        process = fork.Process(target=sys.exit, args=(_CODE,))
        process.start()
        threads = [threading.Thread(target=lambda ended=process: _ask(ended, codes)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    assert codes == [_CODE] * 80


def _ask(process: BaseProcess, codes: list[int | None]) -> None:
    while process.exitcode is None:
        pass
    codes.append(process.exitcode)
