"""Stacks and CloudFormation's pseudo parameters, read once: each is a round trip to the CDK's Node process."""

from functools import cache
from weakref import WeakKeyDictionary

from aws_cdk import Aws, Stack
from constructs import Construct

_stacks: WeakKeyDictionary[Construct, Stack] = WeakKeyDictionary()
_regions: WeakKeyDictionary[Stack, str] = WeakKeyDictionary()


def stack_of(construct: Construct) -> Stack:
    """The stack it stands in, which never changes."""
    if construct not in _stacks:
        _stacks[construct] = construct if isinstance(construct, Stack) else Stack.of(construct)
    return _stacks[construct]


def place_in(scope: Construct, construct: Construct) -> None:
    """Remember that a new construct of `scope` stands in the same stack, which need not be asked for again."""
    _stacks[construct] = stack_of(scope)


def known_in(construct: object, stack: Stack) -> bool:
    """Whether a construct is known to stand in a stack, without asking for it."""
    return isinstance(construct, Construct) and _stacks.get(construct) is stack


def region_of(stack: Stack) -> str:
    """The region of the stack: its name, or a token."""
    if stack not in _regions:
        _regions[stack] = stack.region
    return _regions[stack]


@cache
def partition() -> str:
    return Aws.PARTITION


@cache
def region() -> str:
    return Aws.REGION


@cache
def account() -> str:
    return Aws.ACCOUNT_ID


@cache
def stack_id() -> str:
    """Of the stack in whose template it stands."""
    return Aws.STACK_ID


@cache
def url_suffix() -> str:
    """What the names of hosts and of some services end in; another one in China."""
    return Aws.URL_SUFFIX


def arn(service: str, resource: str) -> str:
    """The ARN of `resource` in the stack's own account and region."""
    return f"arn:{partition()}:{service}:{region()}:{account()}:{resource}"
