"""Our worker, as its users start it."""

from counting import Counting

from fargate_workers_runtime import Message, run

count = Counting()


def handle(message: Message) -> None:
    count(message.body)


run(handle)
