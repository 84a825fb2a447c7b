"""The step adjustments of scaling policies, and their times: pure arithmetic, one home for constructs and simulator."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Step = tuple[int, int]
"""A depth in messages, and the tasks that are added from there on."""

#: Changes of capacity by which a policy answers a gap: the largest that fits, the rest a minute later. At most 20.
#: https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-quotas.html
LADDER = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 70, 100, 150, 250, 500)

#: What `Scaling.on_queue_depth` adds by default: tasks by depth.
DEFAULT_STEPS: Mapping[int, int] = {1: 1, 100: 3, 500: 8, 2_000: 20}

#: Seconds. When a metric stops, CloudWatch goes on by its last datapoint, for three minutes and more, and its alarm
#: scales again every minute. A depth that stays asks for that; a gap does not. And a gap is one to the tasks that run:
#: what was ordered shows there once it has started. Until then only the rest of a larger gap is added.
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
ONCE = 180
#: Seconds between two changes that answer a depth or a backlog.
SCALE_OUT_COOLDOWN = 60
SCALE_IN_COOLDOWN = 300

#: Minutes of sleep before the first message wakes a service. Two, because ECS may report a minute after the source of
#: work: in the newest minute alone a busy service could look asleep.
ASLEEP_MINUTES = 2
#: Minutes below the first step after which tasks are removed.
QUIET_MINUTES = 5
#: Minutes without a message after which the last task is removed.
EMPTY_MINUTES = 10
#: Minutes that could each spare the tasks which metric math removes.
SPARE_MINUTES = 5


@dataclass(frozen=True, kw_only=True)
class Adjustment:
    """A change of the number of tasks, and the values of a metric that ask for it.

    Of the two bounds, the one nearer to the threshold is included: the lower above it, the upper below.
    https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-step-scaling-policies.html

    Args:
        lower: Where it begins, relative to the alarm's threshold. None is without end.
        upper: Where it ends, relative to the alarm's threshold. None is without end.
        change: Tasks, or percent of them, to add; negative to remove.
    """

    lower: int | None
    upper: int | None
    change: int


def adjustments(growing: Sequence[Step]) -> list[Adjustment]:
    """One adjustment per step, relative to the first step's depth: no gap, no overlap, the last one open-ended.

    Args:
        growing: Steps, rising, at least one.
    """
    first = growing[0][0]
    bounds = [*(depth - first for depth, _ in growing), None]
    return [
        Adjustment(lower=depth - first, upper=upper, change=add)
        for (depth, add), upper in zip(growing, bounds[1:], strict=True)
    ]


def climbing(ladder: Sequence[int] = LADDER) -> list[Adjustment]:
    """The adjustments for a gap that alarms at 1: each step of the ladder, from the gap it fits up to the next.

    Args:
        ladder: Numbers of tasks, rising. Defaults to LADDER.
    """
    ends = [*(step - 1 for step in ladder[1:]), None]
    return [Adjustment(lower=step - 1, upper=end, change=step) for step, end in zip(ladder, ends, strict=True)]


def descending(ladder: Sequence[int] = LADDER) -> list[Adjustment]:
    """The adjustments for a surplus that alarms at -1.

    Args:
        ladder: Numbers of tasks, rising. Defaults to LADDER.
    """
    ends = [*(1 - step for step in ladder[1:]), None]
    return [Adjustment(lower=end, upper=1 - step, change=-step) for step, end in zip(ladder, ends, strict=True)]


def until_seen(launch_latency: int) -> int:
    """Seconds from a scale-out until its tasks count as running, in whole minutes, and three of them at least.

    For so long CloudWatch may repeat a gap whose metric has stopped.

    Args:
        launch_latency: Seconds from the start of a task until it works.
    """
    return max(ONCE, 60 * math.ceil((launch_latency + 120) / 60))
