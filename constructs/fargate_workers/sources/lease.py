"""How long a source's messages, or their claims, belong to a task that has died."""

from fargate_workers.durations import in_words
from fargate_workers.errors import ConfigurationError


def check_lease(where: str, seconds: int) -> None:
    """Check a lease.

    Args:
        where: What has it, for the error.
        seconds: Seconds after which another task takes over from one that died.

    Raises:
        ConfigurationError: It is out of its range.
    """
    if not 30 <= seconds <= 12 * 3_600:
        raise ConfigurationError(f"{where}: lease is {in_words(seconds)}; use 30 s to 12 hours.")
