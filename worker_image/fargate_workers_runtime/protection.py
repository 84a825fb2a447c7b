"""Task scale-in protection: Amazon ECS does not stop a task for scaling in or for a deployment while it works.

Only work that outlives the stop timeout needs it; shorter work drains. The agent is asked on the edges between idle and
busy, each held for a while first, on a thread of its own: a slow agent never slows the work.
"""

import json
import logging
import math
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable

_log = logging.getLogger(__name__)

#: Seconds a state must last before the agent hears of it: short work never asks, and a short pause changes nothing.
BUSY_HOLD = 5.0
IDLE_HOLD = 30.0

#: The agent's answer to a task that no service owns; there is nothing to protect.
_NOT_A_SERVICE = "TASK_NOT_VALID"

#: Sets protection on or off for so many minutes; returns the agent's reason if it refused.
Put = Callable[[bool, int], str | None]


class Protection:
    """Protects this task while it is busy, for `minutes` at a time, renewed at half."""

    def __init__(self, put: Put, *, minutes: int, busy_hold: float = BUSY_HOLD, idle_hold: float = IDLE_HOLD) -> None:
        self._put = put
        self._minutes = minutes
        self._hold = {True: busy_hold, False: idle_hold}
        self._changed = threading.Condition()
        self._busy = False
        self._since = time.monotonic()
        self._stopped = False
        self._thread = threading.Thread(target=self._watch, name="protection", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def set_busy(self, busy: bool) -> None:
        """Say whether any handler runs."""
        with self._changed:
            if busy != self._busy:
                self._busy, self._since = busy, time.monotonic()
                self._changed.notify()

    def stop(self) -> None:
        """End; the task is stopping and needs no protection any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _watch(self) -> None:
        protected, renew_at = False, math.inf
        while True:
            with self._changed:
                while not self._stopped:
                    now = time.monotonic()
                    turn_at = self._since + self._hold[self._busy] if self._busy != protected else math.inf
                    wanted = self._busy if turn_at <= now else protected
                    if min(turn_at, renew_at) <= now:
                        break
                    at = min(turn_at, renew_at)
                    self._changed.wait(None if math.isinf(at) else at - now)
                else:
                    return
            reason = self._ask(wanted)
            if reason == _NOT_A_SERVICE:
                return
            # Refused, or not answered: work goes on, and the next renewal asks again.
            protected = wanted
            renew_at = time.monotonic() + self._minutes * 30 if wanted or reason else math.inf

    def _ask(self, busy: bool) -> str | None:
        try:
            reason = self._put(busy, self._minutes)
        except (OSError, ValueError) as error:
            reason = type(error).__name__
        if reason and reason != _NOT_A_SERVICE:
            _log.warning("protection_refused", extra={"fields": {"enabled": busy, "reason": reason}})
        return reason


def ecs_agent(uri: str, *, timeout: float = 2.0) -> Put:
    """Asks the agent at ECS_AGENT_URI, which every task on Fargate has."""

    def put(enabled: bool, minutes: int) -> str | None:
        wanted = {"ProtectionEnabled": True, "ExpiresInMinutes": minutes} if enabled else {"ProtectionEnabled": False}
        request = urllib.request.Request(  # noqa: S310  the address comes from ECS itself
            f"{uri}/task-protection/v1/state",
            data=json.dumps(wanted).encode(),
            headers={"Content-Type": "application/json"},
            method="PUT",
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            answer = json.load(error)
        refusal = answer.get("failure") or answer.get("error")
        return (refusal.get("Reason") or refusal.get("Code") or "unknown") if refusal else None

    return put
