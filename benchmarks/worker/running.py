"""A worker that runs: started on a queue, watched, and ended with everything it started."""

import os
import signal
import subprocess
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType

from benchmarks.worker.orders import orders
from benchmarks.worker.runtimes import OURS, Runtime
from benchmarks.worker.stand import Stand, StandQueue

#: Messages that a peer's own client sends; the others are copies. More than are ever at work at once.
_SENT = 50

_PROC = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")


class Running:
    """A runtime at work, as long as the block; `settings` are environment variables.

    with Running(OURS, stand, queue) as worker:
        queue.wait(lambda counters: counters["deleted"] == 1_000, seconds=60)
        print(worker.cpu_seconds())
    """

    def __init__(self, runtime: Runtime, stand: Stand, queue: StandQueue, **settings: str) -> None:
        self._runtime = runtime
        self._output = TemporaryFile()  # noqa: SIM115  closed with the block
        environment = {**_environment(runtime, stand, queue), **settings}
        self._process = subprocess.Popen(
            [str(runtime.interpreter), *runtime.arguments],
            env=environment,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # whatever it starts is in its group
        )

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if error is not None:
            error.add_note(f"{self._runtime.name} said:\n{self.output()[-4000:]}")
        self._output.close()

    def stop(self, *, within: float) -> int:
        """SIGTERM; returns the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(within)

    def output(self) -> str:
        self._output.seek(0)
        return self._output.read().decode(errors="replace")

    def cpu_seconds(self) -> float:
        """User and system time so far, of all its processes."""
        return sum(int(fields[11]) + int(fields[12]) for fields in self._group().values()) / _TICK

    def megabytes(self) -> float:
        """Resident memory of its largest process."""
        pages = max(int(fields[21]) for fields in self._group().values())
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def _group(self) -> dict[int, list[str]]:
        """Fields of /proc/PID/stat from the third on (proc(5)), by process id."""
        group: dict[int, list[str]] = {}
        for stat in _PROC.glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if int(fields[2]) == self._process.pid:
                group[int(stat.parent.name)] = fields
        return group


def messages(runtime: Runtime, stand: Stand, queue: StandQueue, *, many: int) -> list[dict[str, object]]:
    """Orders in the runtime's own format, if it has one, as its own client sends them to `queue`."""
    if runtime.sender is None:
        return [{"body": body} for body in orders(many)]
    environment = _environment(runtime, stand, queue)
    command = [str(runtime.interpreter), runtime.sender, str(_SENT)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    sent = [{"body": message["body"], "attributes": message["attributes"]} for message in queue.messages()]
    queue.reset()
    return list(islice(cycle(sent), many))


def _environment(runtime: Runtime, stand: Stand, queue: StandQueue) -> dict[str, str]:
    # Nothing of the caller's account: a profile or a proxy would lead away from the stand.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {
        **inherited,
        **stand.client,
        **runtime.environment,
        "QUEUE_URL": queue.url,
        "QUEUE_NAME": queue.name,
        "HANDLER_MILLISECONDS": "10",
    }
    if runtime is OURS:
        environment |= {
            "WORKER_NAME": queue.name,
            "DEAD_LETTER_QUEUE_URL": queue.dead_letter_queue_url,
            "HEALTH_FILE": os.devnull,
        }
    return environment
