"""Small pieces of CloudFormation that know no construct of this library."""

from fargate_workers.cloudformation.event_bridge import object_created, switch_on_event_bridge
from fargate_workers.cloudformation.event_rule import event_rule
from fargate_workers.cloudformation.longest_text import longest
from fargate_workers.cloudformation.made_elsewhere import (
    KEY_WAY_OUT,
    allow_by_key,
    announce,
    announce_statements,
    check_cluster,
    check_place,
)
from fargate_workers.cloudformation.names import (
    FUNCTION_ROLE,
    OBSERVER_ROLE,
    PLANNER_ROLE,
    REDRIVE_ROLE,
    SCALING_ROLE,
    environment_of,
    group_description,
    in_kebab_case,
    log_stream_prefix,
    ownership_tags,
    qualified_name,
    qualify,
    unique_name,
)
from fargate_workers.cloudformation.permissions import CustomizedRole, ServiceRole, allow, in_policies, service_role
from fargate_workers.cloudformation.pseudo_parameters import (
    account,
    arn,
    partition,
    place_in,
    region,
    region_of,
    stack_id,
    stack_of,
    url_suffix,
)
from fargate_workers.cloudformation.service_queue import ServiceQueue, dead_letter_queue, service_queue
from fargate_workers.cloudformation.time_zone import check_time_zone
from fargate_workers.cloudformation.tokens import TOKEN, has_token

__all__ = [
    "FUNCTION_ROLE",
    "KEY_WAY_OUT",
    "OBSERVER_ROLE",
    "PLANNER_ROLE",
    "REDRIVE_ROLE",
    "SCALING_ROLE",
    "TOKEN",
    "CustomizedRole",
    "ServiceQueue",
    "ServiceRole",
    "account",
    "allow",
    "allow_by_key",
    "announce",
    "announce_statements",
    "arn",
    "check_cluster",
    "check_place",
    "check_time_zone",
    "dead_letter_queue",
    "environment_of",
    "event_rule",
    "group_description",
    "has_token",
    "in_kebab_case",
    "in_policies",
    "log_stream_prefix",
    "longest",
    "object_created",
    "ownership_tags",
    "partition",
    "place_in",
    "qualified_name",
    "qualify",
    "region",
    "region_of",
    "service_queue",
    "service_role",
    "stack_id",
    "stack_of",
    "switch_on_event_bridge",
    "unique_name",
    "url_suffix",
]
