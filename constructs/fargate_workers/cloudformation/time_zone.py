"""Whether a time zone exists, by this machine's own database."""

import difflib
import zoneinfo

from fargate_workers.cloudformation.tokens import has_token
from fargate_workers.errors import ConfigurationError


def check_time_zone(id: str, timezone: str) -> None:
    """Raise ConfigurationError for a name that AWS would refuse at deployment.

    A name that is known only at deployment, and any name on a machine without a database, passes.
    """
    known = zoneinfo.available_timezones()
    if has_token(timezone) or not known or timezone in known:
        return
    similar = difflib.get_close_matches(timezone, known, n=1)
    advice = f'did you mean "{similar[0]}"?' if similar else 'write one like "Europe/Berlin".'
    raise ConfigurationError(f"{id}: timezone is {timezone!r}, which is no IANA time zone; {advice}")
