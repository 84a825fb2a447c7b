"""The errors of operations, each one sentence: what was refused, on what, and what to do about it."""

import re
from collections.abc import Generator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from fargate_workers_toolkit.errors import ToolkitError

_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "NotAuthorized"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN = {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidSignatureException"}
_BUSY = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "RequestThrottled"}
_SIGN_IN = {"SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError", "SSOError"}

# IAM writes: User U is not authorized to perform A on resource R because no identity-based policy allows it.
_ACTION = re.compile(r"not authorized to perform:? ([\w-]+:\w+)(?: on resource:? (\S+))?")


class OperationsError(ToolkitError):
    """An operation cannot be done as asked; nothing was changed, or the text names what was."""


@contextmanager
def answered(*, sign_in: str = "") -> Generator[None]:
    """Turn what AWS refuses inside the block into an `OperationsError`.

    Args:
        sign_in: The command that signs in again. Defaults to none.

    Raises:
        OperationsError: AWS refuses, or does not answer.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise OperationsError(in_a_sentence(error, sign_in=sign_in)) from error


def in_a_sentence(error: BotoCoreError | ClientError, *, sign_in: str = "") -> str:
    """Describe what AWS refused.

    Args:
        error: What boto3 raised.
        sign_in: The command that signs in again. Defaults to none.

    Returns:
        What went wrong, on what, and what to do about it.
    """
    again = f"sign in again: {sign_in}" if sign_in else "sign in again"
    if isinstance(error, ClientError):
        return _of_client(error, again)
    kind = type(error).__name__
    text = " ".join(str(error).split()).rstrip(".")
    if kind in _SIGN_IN:
        return f"The sign-in to AWS has expired; {again}."
    match kind:
        case "NoCredentialsError" | "PartialCredentialsError":
            return "There are no AWS credentials; set AWS_PROFILE or give --profile, or sign in with `aws sso login`."
        case "ProfileNotFound":
            return f"{text}; correct --profile or AWS_PROFILE."
        case "NoRegionError":
            return "No region is known; name it in the environment's file, or set AWS_REGION."
        case "EndpointConnectionError" | "ConnectTimeoutError" | "ReadTimeoutError" | "ConnectionClosedError":
            return f"AWS does not answer ({text}); try again, and look at the network and the proxy."
        case _:
            return f"{text}."


def _of_client(error: ClientError, again: str) -> str:
    answer = error.response.get("Error", {})
    code, text = str(answer.get("Code", "")), " ".join(str(answer.get("Message", "")).split()).rstrip(".")
    call = error.operation_name
    if code in _EXPIRED:
        return f"The AWS credentials have expired; {again}."
    if code in _UNKNOWN:
        return f"AWS does not know these credentials ({code}); {again}."
    if code in _BUSY:
        return f"AWS has too many requests to answer {call} now ({code}); try again in a minute."
    if code in _DENIED:
        return (
            f"These credentials may not {_denied(text, call)}; use a role with that permission, such as OperatorAccess."
        )
    return f"{call} failed with {code}" + (f": {text}." if text else ".")


def _denied(text: str, call: str) -> str:
    found = _ACTION.search(text)
    if found is None:
        return f"call {call}"
    action, resource = found.groups()
    return f"call {action}" + (f" on {resource.rstrip('.,')}" if resource and resource != "*" else "")
