"""The account that the embedded AWS serves to stacks that name none."""

#: No one can own it in AWS.
DEFAULT_ACCOUNT = "000000000000"
