"""Claims that their attempts are done with: released at once, or as soon as the store takes it."""

import logging
import threading
from collections import deque
from dataclasses import dataclass

from fargate_workers_runtime.claims import Claims

_log = logging.getLogger(__name__)

#: Releases remembered that the store did not take; those before them lapse with their messages' leases.
_MOST = 10_000


@dataclass(frozen=True, kw_only=True)
class _Release:
    key: str
    owner: str
    begun: bool


class Releases:
    """The release of claims.

    What the store does not take is tried again, so that a claim that began nothing is no attempt.
    """

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._lock = threading.Lock()  # one at a time tries again
        self._untold: deque[_Release] = deque(maxlen=_MOST)

    def release(self, key: str, *, owner: str, begun: bool) -> None:
        """Let the next attempt claim `key` at once; if that fails, a little later."""
        release = _Release(key=key, owner=owner, begun=begun)
        try:
            self._tell(release)
        except Exception:
            _log.warning("release_failed", exc_info=True)
            self._untold.append(release)

    def check(self) -> None:
        """Raise if the store does not take claims, or not yet what it did not take before."""
        self._claims.check()
        self._try_again()

    def beat(self) -> None:
        """Release what could not be released, as far as the store takes it."""
        try:
            self._try_again()
        except Exception:
            _log.warning("release_failed", exc_info=True)

    def _try_again(self) -> None:
        with self._lock:
            while self._untold:
                self._tell(self._untold[0])
                self._untold.popleft()

    def _tell(self, release: _Release) -> None:
        self._claims.release(release.key, owner=release.owner, begun=release.begun)
