"""Adds a queue and its worker to the order pipeline: `make worker NAME=OrderRefunds`."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from tools.errors import MistakeError

ROOT = Path(__file__).parents[1]

#: Stands in the stacks above which the next queue, worker and name are written.
MARK = "`make worker` adds the next one above this line."

HANDLER = '''"""Queue worker {name}: say in a line what becomes of a message.

Environment: the runtime's own.
"""

from fargate_workers_runtime import Message, PoisonMessage, run

SCHEMA = {{
    "type": "object",
    "properties": {{"id": {{"type": "string"}}}},
    "required": ["id"],
}}


def handle(message: Message) -> None:
    """Handle one message; returning acknowledges it."""
    if not message.body["id"]:
        raise PoisonMessage("the id is empty")


if __name__ == "__main__":
    run(handle, schema=SCHEMA, idempotency_key="/id")
'''

TEST = '''"""The worker {name}."""

from order_pipeline.{module} import SCHEMA, handle


def test_a_message_is_handled_once(memory_worker) -> None:
    worker = memory_worker(handle, schema=SCHEMA, idempotency_key="/id")
    worker.send({{"id": "1"}})
    worker.send({{"id": "1"}})
    worker.run()
    assert len(worker.handled) == 1
    assert worker.dead_letters == []


def test_a_message_without_an_id_is_a_dead_letter(memory_worker) -> None:
    worker = memory_worker(handle, schema=SCHEMA, idempotency_key="/id")
    worker.send({{}})
    worker.run()
    assert [letter.reason for letter in worker.dead_letters] == ["schema: /required"]
'''

QUEUE = """        self.{attribute}_queue = WorkerQueue(self, "{name}Queue", removal_policy=removal)
"""

WORKER = """        self.{attribute} = QueueWorker(
            self,
            "{name}",
            cluster=cluster,
            image=image,
            architecture=environment.architecture,
            command=["python", "-m", "order_pipeline.{module}"],
            source=data.{attribute}_queue,
            claims=data.claims,
            pacing=environment.pacing,
            scaling=Scaling.for_latency(min_tasks=environment.min_tasks, max_tasks=environment.max_tasks),
            spot_from=environment.spot_from,
        )

"""


def add_worker(name: str, root: Path = ROOT) -> list[Path]:
    """Write handler and test, and the queue and the worker into the stacks; nothing is written if anything is wrong.

    Args:
        name: The construct's id, in capitals like OrderRefunds.
        root: The repository.

    Returns:
        The files that were written.

    Raises:
        MistakeError: The name is not of that form, or taken, or a stack has lost its marks.
    """
    if not re.fullmatch(r"([A-Z][a-z0-9]+){1,6}", name):
        raise MistakeError(
            f"The name {name!r} is not of the form OrderRefunds: capitalised words of letters and digits."
        )
    module = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    words = {"name": name, "module": module, "attribute": module}
    new = {
        root / "worker_image" / "order_pipeline" / f"{module}.py": HANDLER.format(**words),
        root / "tests" / "runtime" / f"test_{module}.py": TEST.format(**words),
    }
    for file in new:
        if file.exists():
            raise MistakeError(f"{file.relative_to(root)} exists already; choose another name.")
    data, workers = root / "stacks" / "data_stack.py", root / "stacks" / "workers_stack.py"
    changed = {
        data: _insert(data, [QUEUE.format(**words)]),
        workers: _insert(workers, [WORKER.format(**words), f"            self.{module},\n"]),
    }
    for file, text in {**new, **changed}.items():
        file.write_text(text, encoding="utf-8")
    return [*new, *changed]


def _insert(file: Path, pieces: Sequence[str]) -> str:
    """The text of `file` with each piece above its mark, in order."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    marks = [number for number, line in enumerate(lines) if line.strip() == f"# {MARK}"]
    if len(marks) != len(pieces):
        raise MistakeError(f"{file.name} has {len(marks)} lines '# {MARK}' where {len(pieces)} belong; put them back.")
    for mark, piece in reversed(list(zip(marks, pieces, strict=True))):
        lines.insert(mark, piece)
    return "".join(lines)


def main() -> None:
    """Write the files and name them; `make worker` goes on with the snapshots."""
    parser = argparse.ArgumentParser(description="Add a queue and its worker to the order pipeline.")
    parser.add_argument("name", help="the construct's id, like OrderRefunds")
    try:
        written = add_worker(parser.parse_args().name)
    except MistakeError as mistake:
        parser.exit(2, f"{mistake}\n")
    for file in written:
        print(f"wrote {file.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
