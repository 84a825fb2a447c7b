"""The messages between Python and the CDK's Node process: each create, call and read is one, and they cost the time."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jsii._kernel.providers.process import _NodeProcess  # pyright: ignore[reportPrivateUsage]

Listener = Callable[[dict[str, Any], Any], None]


@dataclass
class Messages:
    """What was sent, as (kind, member) pairs: ("create", "aws-cdk-lib.aws_sqs.Queue"), ("invoke", "synth")."""

    sent: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])

    @property
    def total(self) -> int:
        """All messages but the loading of modules, which happens once per process."""
        return sum(count for (kind, _), count in self.sent.items() if kind != "load")

    @property
    def callbacks(self) -> int:
        """How often Node had to ask Python back: through Aspects, Lazy values, interfaces implemented in Python."""
        return self.sent["callback", ""]

    def count(self, kind: str, member: str) -> int:
        return self.sent[kind, member]

    def by_kind(self) -> dict[str, int]:
        kinds: Counter[str] = Counter()
        for (kind, _), count in self.sent.items():
            kinds[kind] += count
        return dict(kinds.most_common())


@contextmanager
def counting() -> Iterator[Messages]:
    """Count the messages sent while the block runs.

    with counting() as messages:
        app.synth()
    assert messages.count("invoke", "synth") == 1
    """
    messages = Messages()

    def count(request: dict[str, Any], response: Any) -> None:
        member = request.get("method") or request.get("property") or request.get("fqn") or request.get("name") or ""
        messages.sent[request["api"], member] += 1
        if type(response).__name__ == "Callback":
            messages.sent["callback", ""] += 1

    with listening(count):
        yield messages


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let `listener` see every request, as it goes over the wire, and the response to it."""
    send = _NodeProcess.send

    def send_and_tell(self: Any, request: Any, response_type: Any) -> Any:
        wire = self._serializer.unstructure(request)
        response = send(self, request, response_type)
        listener(wire, response)
        return response

    _NodeProcess.send = send_and_tell
    try:
        yield
    finally:
        _NodeProcess.send = send
