"""What a shipped environment file leaves to its reader: an account that is nobody's, names that stand for real ones."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

# One digit twelve times, counted up or down, or the accounts of AWS's own documents.
_NOBODYS_ACCOUNT = re.compile(
    r"(?<!\d)(?:(\d)\1{11}|123456789012|012345678901|210987654321|111122223333|444455556666|777788889999)(?!\d)"
)
_SIGNS = (
    _NOBODYS_ACCOUNT,
    # The first or last word of a name: example-logs, logs.example, your-bucket; and the name in AWS's own documents.
    re.compile(r"(?:^|:::)(?:example|placeholder|change-?me|replace-?me|your|todo|amzn-s3-demo)(?![a-z0-9@])"),
    re.compile(r"[.-](?:example|placeholder|change-?me|replace-?me)$"),
    # The domains nobody can own, RFC 2606: a mail to them reaches nobody.
    re.compile(r"@(?:.+\.)?(?:example\.(?:com|net|org)|example|invalid|test|localhost)$", re.I),
    # Keys: zeros, one digit throughout, and the id in AWS's own documents.
    re.compile(r"/(?:mrk-)?([0-9a-f])\1{7}-?(?:\1{4}-?){3}\1{12}$", re.I),
    re.compile(r"1234abcd-12ab-34cd-56ef-1234567890ab", re.I),
)
_INSTEAD = {
    "access_log_bucket": "the name of a bucket of this account and region, or remove the line",
    "replica_bucket_arn": "the ARN of a versioned bucket of yours, or remove it and replica_key_arn",
    "replica_key_arn": "the ARN of a key in the replica's region, or remove it and replica_bucket_arn",
    "alert_emails": "an address that somebody reads",
}
# Free text, and what is no name by its type.
_NO_NAMES = ("name", "account", "mutes", "tags")


def is_nobodys(account: str) -> bool:
    """Whether `account` is a placeholder: no credentials lead there, so nothing can be deployed by mistake."""
    return _NOBODYS_ACCOUNT.fullmatch(account) is not None


def left_over(values: Mapping[str, Any]) -> str | None:
    """The first placeholder next to a real account, in one sentence with its key and what to write."""
    if is_nobodys(values["account"]):
        return None
    for key, value in _texts({key: value for key, value in values.items() if key not in _NO_NAMES}):
        if any(sign.search(value) for sign in _SIGNS):
            instead = _INSTEAD.get(key.split(".")[0], "a value of yours")
            return f'{key}: "{value}" is a placeholder, and the account is a real one; write {instead}.'
    return None


def _texts(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, object]", value).items():
            yield from _texts(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, Sequence):
        for number, inner in enumerate(cast("Sequence[object]", value)):
            yield from _texts(inner, f"{path}.{number}")
