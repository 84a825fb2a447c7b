"""What a template does not say and AWS does not promise: parameters, with defaults and their reasons."""

from dataclasses import dataclass
from typing import Literal

from fargate_workers_toolkit.semantics.ecs_launches import MEDIAN_SECONDS, SIGMA
from fargate_workers_toolkit.semantics.target_tracking import ScaleIn


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """All times in seconds.

    queue_lag: Until a minute of SQS's metrics can be seen after its end. Undocumented. Default: 60.
    service_lag: The same for ECS's metrics. Default: 60.
    worker_lag: The same for the workers' own metrics, which the planner reads. Default: 60.
    waking_lag: For how long a queue that wakes after six hours without messages or tasks reports nothing. SQS says "up
        to 15 minutes". Default: 900. Where a planner reads the queue every minute, it never sleeps.
    planner_first: Whether a planner's numbers are there before the alarms of the same minute are evaluated: both run
        every minute, at seconds that nobody knows. Default: after them, so that alarms see its numbers a minute later.
    late_math: What metric math makes of a minute of which some metric has not come yet. AWS says that FILL fills it,
        and that beside what it filled the rest counts as 0: "zeros". Default: "waits", only FILL makes something of it.
    launch_median, launch_sigma: From the launch of a task until it works: lognormal. Default: 40 and 0.35.
    failed_starts: The share of launches after which a task never runs; ECS tries again after ever longer pauses.
        Default: 0.
    spot_interruptions: How often AWS takes back a task that runs on Spot, in an hour. Default: 0, as nobody knows. Such
        a task has its stop timeout to finish, protected or not.
    tracking_scale_in: How target tracking scales in, which AWS leaves open. Default: proportional.
    scale_in_waits: Whether scaling in waits for a scale-out's cooldown. Default: it does.
    starting_point: What a policy adds to: the desired tasks, or the running ones as ECS's guide says. Default: desired,
        which is the same unless tasks are still starting.
    busy_cpu: Percent of its CPU that a task uses while all its handlers work. Default: 100, work that computes.
    service_times: How long messages take around their mean. Default: exponential.
    """

    queue_lag: float = 60
    service_lag: float = 60
    worker_lag: float = 60
    waking_lag: float = 900
    planner_first: bool = False
    late_math: Literal["waits", "zeros"] = "waits"
    launch_median: float = MEDIAN_SECONDS
    launch_sigma: float = SIGMA
    failed_starts: float = 0
    spot_interruptions: float = 0
    tracking_scale_in: ScaleIn = "proportional"
    scale_in_waits: bool = True
    starting_point: Literal["desired", "running"] = "desired"
    busy_cpu: float = 100
    service_times: Literal["exponential", "fixed"] = "exponential"
