"""Tokens: how values that are known only at synthesis, or later, stand in a text."""

import re

TOKEN = re.compile(r"\$\{Token\[[^\]]*\]\}")


def has_token(text: str) -> bool:
    """Whether a part of `text` is not known yet. Asking the CDK would be a round trip to its Node process."""
    return "${Token[" in text
