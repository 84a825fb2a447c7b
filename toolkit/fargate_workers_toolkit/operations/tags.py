"""The tags by which resources are found, and those by which a pause is remembered."""

from fargate_workers_planner.pauses import PAUSED_AT, PAUSED_UNTIL

__all__ = [
    "ENVIRONMENT",
    "FUNCTION_ROLE",
    "PAUSED_AT",
    "PAUSED_BOUNDS",
    "PAUSED_BY",
    "PAUSED_UNTIL",
    "PAUSED_WHY",
    "PLANNER_ROLE",
    "REDRIVE_ROLE",
    "ROLE",
    "SCALING_ROLE",
    "WORKER",
]

#: Set by the library on every scalable target, every function and every alarm that calls a person.
ENVIRONMENT = "fargate-workers:environment"
WORKER = "fargate-workers:worker"
ROLE = "fargate-workers:role"

#: The role of a worker's scalable target; the role of an alarm is the id of its definition.
SCALING_ROLE = "scaling"
#: The role of a function that drains a queue.
FUNCTION_ROLE = "function"
#: The roles of the functions that plan and that redrive.
PLANNER_ROLE = "planner"
REDRIVE_ROLE = "redrive"

#: Set on the service, or the function, by whoever pauses a worker; the planner reads when, and until when.
PAUSED_BY = "fargate-workers:paused-by"
PAUSED_WHY = "fargate-workers:paused-why"
PAUSED_BOUNDS = "fargate-workers:paused-bounds"
