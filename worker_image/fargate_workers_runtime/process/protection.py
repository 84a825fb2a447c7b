"""Task scale-in protection: Amazon ECS stops no protected task, neither for scaling in nor for a deployment.

Asked for only while a handler runs that would outlive the stop timeout: work that is younger drains. Where handlers
often do, the next ones are expected to, and are protected from their begin. A deployment waits for every protected
task, so that protection ends with the handlers it was asked for, however many follow them.
"""

import json
import logging
import math
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

_log = logging.getLogger(__name__)

#: The agent's answer to a task that no service owns; there is nothing to protect.
_NOT_A_SERVICE = "TASK_NOT_VALID"

#: Its answer while a deployment waits for more protected tasks than the service shall have.
_DEPLOYMENT_BLOCKED = "DEPLOYMENT_BLOCKED"

#: Between two looks at the handlers, and between two extensions, in seconds at most and at least.
_PAUSE = 30.0

#: The agent itself waits for ECS for up to 4 seconds: https://github.com/aws/amazon-ecs-agent/pull/3431
_AGENT_SECONDS = 6.0

#: The pause after the first refusal, doubled after each further one up to the second value, in seconds.
_FIRST_BACKOFF, _LONGEST_BACKOFF = 1.0, 30.0

#: Seconds of unbroken protection after which the task becomes idle once. CloudFormation waits three hours.
_LONGEST_STRETCH = 3600.0

#: The share of handlers that outlast the drain from which the next one is expected to, and the weight of the newest.
OFTEN, NEWEST = 0.25, 0.2

#: ECS protects for 48 hours at most.
_LONGEST_MINUTES = 2880

#: Sets protection on or off for so many minutes; returns the agent's reason if it refused.
Put = Callable[[bool, int], str | None]


class Protection:
    """The protection of this task while a handler has run for longer than `drain`, or is expected to.

    Each request protects for as long as a handler may take, so that it covers all that run at that moment and needs no
    renewal. A handler that begins later is a reason to ask again, once it has run for `drain`, too; at once where the
    last ones outlasted it.

    ECS refuses that while a deployment waits for protected tasks; then the task takes nothing new until it is idle. It
    does the same after an hour of unbroken protection, in case ECS does not refuse.

    Args:
        put: Asks the agent; on a thread of its own, so that a slow agent never slows the work.
        drain: How long handlers may go on after SIGTERM, in seconds.
        longest: How long a handler may take, in seconds.
        left_on: A process before this one may have left the protection on; it is taken off. Default: no.
    """

    def __init__(
        self,
        put: Put,
        *,
        drain: float,
        longest: float,
        left_on: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._put = put
        self._drain = drain
        self._minutes = min(math.ceil(longest / 60) + 1, _LONGEST_MINUTES)
        self._longest_stretch = max(longest, _LONGEST_STRETCH)
        self._clock = clock
        self._changed = threading.Condition()
        self._stopped = False
        self.running_since: dict[object, float] = {}  # when each handler began, the oldest first
        self._resting = False
        self._outlasting = 0.0  # the share of handlers that do, the newest counting most
        # What ECS may believe, also where its answer was lost; when it granted that, and since when without a break.
        self._asked = left_on
        self._granted_at = -math.inf
        self._unbroken_since = math.inf
        # What was refused last, how often in a row, and when to ask for it again.
        self._refused: bool | None = None
        self._refusals = 0
        self._ask_at = -math.inf
        self.thread: threading.Thread = threading.Thread(target=self._watch, name="protection", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        """End; the task is stopping and needs no protection any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    @property
    def resting(self) -> bool:
        """Whether nothing new may begin until the task is idle."""
        return self._resting

    @contextmanager
    def running(self) -> Generator[None]:
        """The time of a handler's call, whose age counts from here."""
        call = object()
        self.begin(call)
        try:
            yield
        finally:
            self.end(call)

    def begin(self, call: object) -> None:
        """Count a handler's call from now on; `call` names it.

        Args:
            call: Anything that is not in use.
        """
        with self._changed:
            self.running_since[call] = self._clock()
            if self._outlasting >= OFTEN:  # else the watch looks again before this call can be old
                self._changed.notify()

    def end(self, call: object) -> None:
        """Count a handler's call no more.

        Args:
            call: What `begin` was given.
        """
        with self._changed:
            outlasted = self._clock() - self.running_since.pop(call) >= self._drain
            self._outlasting += (outlasted - self._outlasting) * NEWEST
            idle = not self.running_since
            if self._asked:
                self._changed.notify()
            if idle and self._resting:
                self._resting = False
                self._outlasting = 0.0  # what begins at once must not keep the task after all
                _log.info("protection_rest_ended")

    def _watch(self) -> None:
        while (seconds := self.look()) is not None:
            with self._changed:
                if self._stopped:
                    return
                self._changed.wait_for(lambda: self._stopped or self._due(self._clock()) is not None, seconds)

    def look(self) -> float | None:
        """Ask the agent if it is time to; seconds until the next look, or None if there is nothing to protect."""
        now = self._clock()
        with self._changed:
            if now - self._unbroken_since >= self._longest_stretch and self._old(now):
                self._rest("unbroken protection")
            due = self._due(now)
        if due is not None and not self._ask(due, now):
            return None
        return self._seconds_to_next(self._clock())

    def _due(self, now: float) -> bool | None:
        """What to ask for now; None for nothing."""
        old = self._old(now)
        wanted = bool(old)
        if wanted == self._refused and now < self._ask_at:
            return None
        if not wanted:
            return False if self._asked else None
        expires_at = self._granted_at + self._minutes * 60
        covered = old[-1] <= self._granted_at or now < self._granted_at + _PAUSE
        return None if covered and now < expires_at - _PAUSE else True

    def _old(self, now: float) -> list[float]:
        """When each handler began that would outlive the stop timeout, the oldest first."""
        age = 0.0 if self._outlasting >= OFTEN else self._drain
        return [began for began in self.running_since.values() if now - began >= age]

    def _ask(self, wanted: bool, now: float) -> bool:
        """Ask the agent; False if it answers that no service owns the task."""
        reason = self._answer(wanted)
        if reason == _NOT_A_SERVICE:
            return False
        with self._changed:
            if reason is not None:
                self._refuse(wanted, reason)
                return True
            self._asked = wanted
            self._granted_at = now if wanted else -math.inf
            self._unbroken_since = min(self._unbroken_since, now) if wanted else math.inf
            self._refused, self._refusals = None, 0
        return True

    def _refuse(self, wanted: bool, reason: str) -> None:
        _log.warning("protection_refused", extra={"fields": {"enabled": wanted, "reason": reason}})
        self._asked = self._asked or wanted  # done, perhaps, and only the answer was lost
        self._refusals = self._refusals + 1 if wanted == self._refused else 1
        self._refused = wanted
        self._ask_at = self._clock() + _backoff(self._refusals)
        if wanted and reason == _DEPLOYMENT_BLOCKED:
            self._rest("a deployment waits for protected tasks")

    def _answer(self, wanted: bool) -> str | None:
        try:
            return self._put(wanted, self._minutes)
        except Exception as error:  # refused, cut short or not answered at all: asked again, and the work goes on
            return type(error).__name__

    def _rest(self, why: str) -> None:
        if self.running_since and not self._resting:
            self._resting = True
            _log.warning("protection_rest", extra={"fields": {"why": why}})

    def _seconds_to_next(self, now: float) -> float:
        with self._changed:
            young = (began + self._drain for began in self.running_since.values() if now - began < self._drain)
            turns = [next(young, now + self._drain), now + _PAUSE]
            if self._refused is not None:
                turns.append(self._ask_at)
        return max(0.0, min(turns) - now)


def _backoff(refusals: int) -> float:
    longest = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2 ** min(refusals - 1, 16))
    return random.uniform(longest / 2, longest)  # noqa: S311  not a secret


def ecs_agent(uri: str, *, timeout: float = _AGENT_SECONDS) -> Put:
    """Requests to the agent at ECS_AGENT_URI, which every task on Fargate has, never through a proxy."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def put(enabled: bool, minutes: int) -> str | None:
        wanted = {"ProtectionEnabled": True, "ExpiresInMinutes": minutes} if enabled else {"ProtectionEnabled": False}
        request = urllib.request.Request(  # noqa: S310  the address comes from ECS itself
            f"{uri}/task-protection/v1/state",
            data=json.dumps(wanted).encode(),
            headers={"Content-Type": "application/json"},
            method="PUT",
        )
        try:
            with direct.open(request, timeout=timeout) as response:
                return _refusal(json.load(response))
        except urllib.error.HTTPError as error:
            with error:
                return _http_refusal(error)

    return put


def _http_refusal(error: urllib.error.HTTPError) -> str:
    try:
        reason = _refusal(json.load(error))
    except ValueError:  # an answer of a server in between
        reason = None
    return reason or f"HTTP {error.code}"


def _refusal(answer: Any) -> str | None:
    """The reason in the agent's answer, or in that of the API which it passes on; None if there is none."""
    said = _lower(answer)
    for refusal in (*(said.get("failures") or ()), said.get("failure"), said.get("error")):
        if refusal:
            fields = _lower(refusal)
            return str(fields.get("reason") or fields.get("code") or "unknown")
    return None


def _lower(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in answer.items()}
