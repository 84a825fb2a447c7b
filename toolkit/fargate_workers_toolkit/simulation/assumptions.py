"""What a template leaves open and AWS does not promise: parameters, with defaults and their reasons."""

from dataclasses import dataclass
from typing import Literal

from fargate_workers_toolkit.aws_behaviour import MEDIAN_SECONDS, SIGMA, ScaleIn


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """The values of what AWS does not promise. All times are in seconds.

    Args:
        queue_lag: From the end of a minute until SQS's metrics of it can be seen. Undocumented. Defaults to 60.
        service_lag: The same for ECS's metrics. Defaults to 60.
        worker_lag: The same for the workers' own metrics, which the planner reads. Defaults to 60.
        waking_lag: For how long a queue that wakes after six hours without messages or tasks reports nothing. SQS
            documents "up to 15 minutes". Defaults to 900. Where a planner reads the queue every minute, it never
            sleeps.
        planner_first: Whether a planner's numbers are there before the alarms of the same minute are evaluated: both
            run every minute, at seconds that nobody knows. Defaults to False: alarms see its numbers a minute later.
        late_math: What metric math makes of a minute of which some metric has not come yet. AWS documents that FILL
            fills it, and that next to a filled value the rest counts as 0: `zeros`. Defaults to `waits`: only FILL
            replaces it.
        launch_median: From the launch of a task until it works, the median of a lognormal distribution. Defaults to 40.
        launch_sigma: The standard deviation of its logarithm. Defaults to 0.35.
        failed_starts: The share of launches after which a task never runs; ECS tries again after ever longer pauses.
            Defaults to 0.
        spot_interruptions: How often AWS takes back a task that runs on Spot, in an hour. Defaults to 0, as nobody
            knows. Such a task has its stop timeout to finish, protected or not.
        tracking_scale_in: How target tracking scales in, which AWS leaves open. Defaults to `proportional`.
        scale_in_waits: Whether scaling in waits for a scale-out's cooldown. Defaults to True.
        starting_point: What a policy starts from: the running tasks, or the desired ones, which is the same unless
            tasks are still starting or stopping. Defaults to `running`, of both versions while a deployment runs, as in
            https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
        service_times: How the work of messages varies around its mean. Defaults to `exponential`.
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
    starting_point: Literal["desired", "running"] = "running"
    service_times: Literal["exponential", "fixed"] = "exponential"
