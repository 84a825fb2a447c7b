"""Lets paced workers work, a minute at a time, and knows which of them are there."""

import socket
import threading
from collections import defaultdict
from typing import TextIO

Task = tuple[socket.socket, TextIO]


class Foreman:
    """Listens for tasks on a free port of loopback."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._tasks: dict[str, list[Task]] = defaultdict(list)
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True, name="foreman").start()

    def close(self) -> None:
        self._server.close()
        for tasks in self._tasks.values():
            for connection, _ in tasks:
                connection.close()

    def present(self) -> dict[str, int]:
        """How many tasks of each worker are there."""
        with self._lock:
            for worker, tasks in self._tasks.items():
                self._tasks[worker] = [task for task in tasks if _is_there(task)]
            return {worker: len(tasks) for worker, tasks in self._tasks.items()}

    def let_work(self, messages: int) -> dict[str, int]:
        """One minute, in which a task may handle so many messages; how many those of each worker did."""
        with self._lock:
            present = {worker: list(tasks) for worker, tasks in self._tasks.items()}
        for tasks in present.values():
            for _, file in tasks:
                print(messages, file=file, flush=True)
        return {worker: sum(int(file.readline()) for _, file in tasks) for worker, tasks in present.items()}

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            file = connection.makefile("rw")
            worker = file.readline().strip()
            with self._lock:
                self._tasks[worker].append((connection, file))


def _is_there(task: Task) -> bool:
    """Nobody says anything between minutes: what can be read then is the end."""
    connection, _ = task
    try:
        return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return True
    except OSError:
        return False
