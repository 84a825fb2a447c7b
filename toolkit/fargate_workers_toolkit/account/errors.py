"""Answers of AWS to a question that cannot be asked, as one sentence."""

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound

from fargate_workers_toolkit.errors import ToolkitError

_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized")
_EXPIRED = (
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
)


class AccountError(ToolkitError):
    """The account cannot be asked: no credentials, those of another account, or no environment file."""


def in_a_sentence(error: BotoCoreError | ClientError) -> str:
    """Describe an error of AWS.

    Args:
        error: What boto3 raised.

    Returns:
        What went wrong, and what to do about it.
    """
    if isinstance(error, ClientError):
        answer = error.response.get("Error", {})
        code, text = answer.get("Code", ""), " ".join(answer.get("Message", "").split())
        call = error.operation_name
        if code in _DENIED:
            return f"These credentials may not call {call}; use others, or ask whoever administers the account."
        if code in _EXPIRED:
            return f"AWS no longer takes these credentials ({code}); sign in again."
        return f"{call} failed with {code}: {text}"
    if isinstance(error, NoCredentialsError):
        return "There are no AWS credentials; set AWS_PROFILE, or sign in with `aws sso login`."
    if isinstance(error, ProfileNotFound):
        return f"{error}; correct AWS_PROFILE."
    return " ".join(str(error).split())
