"""SQS as a relay sees it: it keeps what it is sent, and fails where it is told to."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

Failing = Callable[[dict[str, Any]], str | None]


class SqsInMemory:
    """A client of SQS.

    Attributes:
        sent: Each message that arrived: its queue's URL and its entry, in order.
        batches: The sizes of the requests.
        failing: Returns the code with which an entry fails, or None. Codes that begin with `Invalid` are the sender's
            fault.
        down: URLs of queues that do not answer.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.batches: list[int] = []
        self.failing: Failing = lambda _entry: None
        self.down: set[str] = set()

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.batches.append(len(Entries))
        if QueueUrl in self.down:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "SendMessageBatch")
        failed: list[dict[str, Any]] = []
        for entry in Entries:
            if code := self.failing(entry):
                failed.append({"Id": entry["Id"], "Code": code, "SenderFault": code.startswith("Invalid")})
            else:
                self.sent.append((QueueUrl, entry))
        return {"Failed": failed} if failed else {}

    def bodies(self) -> list[str]:
        return [entry["MessageBody"] for _, entry in self.sent]
