"""The rate limit as the worker sees it. `token_bucket.TokenBucket` is the implementation."""

import threading
from typing import Protocol


class Limiter(Protocol):
    """A limit on how many handlers may begin, shared by all that share its store."""

    def take(self, *, stopping: threading.Event) -> bool:
        """Wait until one more handler may begin; False once `stopping` is set. Raises when the store is away."""
        ...

    def check(self) -> None:
        """Raise if the store does not answer."""
        ...

    def close(self) -> None:
        """Return what was taken and not used."""
        ...
