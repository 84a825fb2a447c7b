"""Names of constructs where AWS takes fewer characters than the CDK. Pure."""

import hashlib
import re

from fargate_workers.cloudformation.tokens import has_token

_NOT_IN_A_DESCRIPTION = re.compile(r"[^A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]")
# Of a metric's dimension: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
_LONGEST_DIMENSION = 250


def group_description(text: str) -> str:
    """A security group's description: some characters of ASCII, 255 at most."""
    return _NOT_IN_A_DESCRIPTION.sub("-", text)[:255]


def log_stream_prefix(text: str) -> str:
    """The beginning of a log stream's name, which has neither `:` nor `*` and leaves room for container and task."""
    return re.sub(r"[:*]", "-", text)[:200]


def dimension(text: str) -> str:
    """A metric's dimension: printable ASCII, and no longer than CloudWatch takes; what had to change gets a hash."""
    plain = re.sub(r"[^ -~]", "-", text)
    too_long = len(plain) > _LONGEST_DIMENSION and not has_token(plain)
    if plain == text and not too_long:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{plain[:120]}-{plain[-100:]}-{digest}" if too_long else f"{plain}-{digest}"


def in_kebab_case(id: str) -> str:
    """The id of a construct as a plain name: OrderEvents becomes order-events."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", id)
    return re.sub(r"[^a-z0-9._-]+", "-", words.lower())
