"""How long a text may become when CloudFormation puts values into its tokens' places."""

import re

from fargate_workers.cloudformation.tokens import TOKEN

_PSEUDO_PARAMETER = re.compile(r"\$\{Token\[AWS\.(?!StackId)[^\]]*\]\}")
_REGION = "ap-southeast-1"  # as long as an account or a partition gets
# A queue's name has 80 characters at most, as others have in practice.
LONGEST_NAME = "n" * 80
LONGEST_ARN = f"arn:aws-us-gov:sqs:{_REGION}:123456789012:{LONGEST_NAME}"


def longest(text: str, *, name: str = LONGEST_NAME) -> int:
    """The length of `text` with `name` in the place of each token, but for region, account and partition."""
    return len(TOKEN.sub(name, _PSEUDO_PARAMETER.sub(_REGION, text)))
