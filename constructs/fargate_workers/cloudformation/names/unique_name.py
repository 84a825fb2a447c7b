"""A name for what does not get one from CloudFormation."""

from functools import cache

from aws_cdk import Fn, Names
from constructs import Construct

from fargate_workers.cloudformation.pseudo_parameters import stack_id


def unique_name(scope: Construct) -> str:
    """A name in lowercase, of at most 40 characters, for services that do not make one up by themselves.

    It ends in a part of the stack's id: what is left of a deleted stack does not stand in the way of the next one.
    """
    name = Names.unique_resource_name(scope, max_length=31).lower()
    return f"{name}-{_part_of_the_stack_id()}"


@cache
def _part_of_the_stack_id() -> str:
    """The first part of the UUID in the id of the stack in whose template it stands."""
    return Fn.select(0, Fn.split("-", Fn.select(2, Fn.split("/", stack_id()))))
