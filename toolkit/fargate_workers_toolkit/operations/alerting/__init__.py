"""The way from an alarm to a person: tried, and muted for a while."""

from fargate_workers_toolkit.operations.alerting.canary import send_canary
from fargate_workers_toolkit.operations.alerting.choosing import Alarm, alarms_of, subscribers
from fargate_workers_toolkit.operations.alerting.mutes import (
    Mute,
    Mutes,
    find_mutes,
    mute,
    muted_alarms,
    unmute,
)
from fargate_workers_toolkit.operations.alerting.trying import try_alarms

__all__ = [
    "Alarm",
    "Mute",
    "Mutes",
    "alarms_of",
    "find_mutes",
    "mute",
    "muted_alarms",
    "send_canary",
    "subscribers",
    "try_alarms",
    "unmute",
]
