"""A worker as a user writes it, on a stream or a list."""

from counting import handled

from fargate_workers_runtime import Message, run


def handle(_message: Message) -> None:
    handled()


if __name__ == "__main__":
    run(handle)
