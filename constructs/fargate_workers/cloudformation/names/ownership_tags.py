"""The tags by which an operator finds what belongs to a worker: its environment, its qualified name, and a role."""

import re
from weakref import WeakKeyDictionary

from aws_cdk import CfnTag, Stack, Stage
from constructs import Construct

from fargate_workers.cloudformation.pseudo_parameters import stack_of
from fargate_workers.cloudformation.tokens import has_token

ENVIRONMENT_TAG = "fargate-workers:environment"
WORKER_TAG = "fargate-workers:worker"
ROLE_TAG = "fargate-workers:role"

#: The role of the scalable target, which names the worker's service.
SCALING_ROLE = "scaling"
#: The role of a function that drains a queue.
FUNCTION_ROLE = "function"
#: The roles of the other functions.
OBSERVER_ROLE = "observer"
PLANNER_ROLE = "planner"
REDRIVE_ROLE = "redrive"

# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
_LONGEST_VALUE = 256
_REFUSED = re.compile(r"[^\w +\-=.:/@]")

_environments: WeakKeyDictionary[Stack, str] = WeakKeyDictionary()


def environment_of(scope: Construct) -> str:
    """The environment that a construct belongs to: its outermost stage, or its stack where there is none."""
    stack = stack_of(scope)
    if stack not in _environments:
        stage = Stage.of(stack)
        _environments[stack] = (stage.stage_name if stage is not None else "") or stack.stack_name
    return _environments[stack]


def ownership_tags(*, environment: str, name: str, role: str) -> list[CfnTag]:
    """The tags of one resource.

    Args:
        environment: The environment; see `environment_of`.
        name: The qualified name of what it belongs to.
        role: What the resource is to it.
    """
    values = {ENVIRONMENT_TAG: environment, WORKER_TAG: name, ROLE_TAG: role}
    return [CfnTag(key=key, value=_taken(value)) for key, value in values.items()]


def _taken(value: str) -> str:
    """The value as every service takes it; what only a deployment knows stays as it is."""
    return value if has_token(value) else _REFUSED.sub("_", value)[:_LONGEST_VALUE]
