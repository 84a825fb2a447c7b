"""What a handler may raise to say how a message ends, and what a wrong environment raises."""

from datetime import timedelta


class PoisonMessage(Exception):  # noqa: N818  it names the message, not a fault of the program
    """This message can never succeed: it goes to the dead-letter queue now, not after five tries.

    Args:
        reason: One short phrase for the person who reads the dead letter, e.g. `"unknown currency"`. It is logged: keep
            the message's content out of it.
        detail: More for the dead letter alone; it is not logged.
    """

    def __init__(self, reason: str, *, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Retry(Exception):  # noqa: N818  as above
    """Try this message again later. Any other exception means the same; this one is not logged as an error.

    Args:
        reason: One short phrase for the log.
        after: How long to wait. Default: back-off with full jitter, from 2 s doubled at each
            delivery to at most 15 minutes.
    """

    def __init__(self, reason: str = "", *, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


class ClaimLost(Exception):  # noqa: N818  as above
    """Another attempt has taken this key over, so `message.transact` wrote nothing; let it pass.

    The lease ran out because the process stood still, or the store said so. The message is not acknowledged.
    """


class SettingsError(ValueError):
    """An environment variable is missing or wrong; the text is one sentence that names it."""
