"""The names and the tags by which a resource is found: unique, in the characters that AWS takes."""

from fargate_workers.cloudformation.names.ownership_tags import (
    FUNCTION_ROLE,
    OBSERVER_ROLE,
    PLANNER_ROLE,
    REDRIVE_ROLE,
    SCALING_ROLE,
    environment_of,
    ownership_tags,
)
from fargate_workers.cloudformation.names.plain_text import group_description, in_kebab_case, log_stream_prefix
from fargate_workers.cloudformation.names.qualified_name import qualified_name, qualify
from fargate_workers.cloudformation.names.unique_name import unique_name

__all__ = [
    "FUNCTION_ROLE",
    "OBSERVER_ROLE",
    "PLANNER_ROLE",
    "REDRIVE_ROLE",
    "SCALING_ROLE",
    "environment_of",
    "group_description",
    "in_kebab_case",
    "log_stream_prefix",
    "ownership_tags",
    "qualified_name",
    "qualify",
    "unique_name",
]
