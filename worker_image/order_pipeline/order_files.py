"""Order files in S3, row by row, and the messages their rows become."""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from fargate_workers_runtime import PoisonMessage

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

COLUMNS = ("order_id", "customer_id", "amount_cents", "currency", "note")

# Python's default of 128 KiB would end a file at a large row, which the next worker's gate refuses with a reason.
csv.field_size_limit(1024 * 1024)

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")


class Superseded(Exception):  # noqa: N818  an outcome, not a fault
    """The object was overwritten since; the newer one has an event of its own."""


def read_rows(
    client: "S3Client", *, bucket: str, key: str, version_id: str | None = None, etag: str = ""
) -> Iterator[dict[str, str]]:
    """The rows of exactly that version of a file, streamed. A row too many has the key `unexpected`.

    Raises:
        PoisonMessage: The file is gone, is no UTF-8, or is no CSV with the columns of an order.
        Superseded: The bucket keeps no versions, and the object has another `etag` now.
    """
    which: dict[str, str] = {"VersionId": version_id} if version_id else {"IfMatch": etag} if etag else {}
    try:
        body = client.get_object(Bucket=bucket, Key=key, **which)["Body"]  # pyright: ignore[reportArgumentType]
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        # Once is enough: S3 is consistent (https://aws.amazon.com/s3/consistency/), so it is gone, not late.
        if code in ("NoSuchKey", "NoSuchVersion", "404"):
            raise PoisonMessage("file is gone", detail=f"{bucket}/{key} {version_id or ''}") from error
        if code in ("PreconditionFailed", "412"):
            raise Superseded from error
        raise
    return parse_rows(body.iter_lines(keepends=True))


def parse_rows(lines: Iterable[bytes]) -> Iterator[dict[str, str]]:
    """The rows of a CSV file's lines; raises PoisonMessage as `read_rows` does."""
    # A byte-order mark is what spreadsheets put before a UTF-8 file.
    text = (line.decode("utf-8-sig" if number == 0 else "utf-8") for number, line in enumerate(lines))
    reader = csv.DictReader(text, restkey="unexpected", restval="", strict=True)
    try:
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise PoisonMessage("not an order file", detail=f"its first line must be {','.join(COLUMNS)}")
        for row in reader:
            yield {name: value if isinstance(value, str) else ",".join(value) for name, value in row.items()}
    except UnicodeDecodeError as error:
        raise PoisonMessage("not UTF-8", detail=f"near line {reader.line_num + 1}") from error
    except csv.Error as error:
        raise PoisonMessage("not CSV", detail=f"line {reader.line_num}: {error}") from error


def order_message(row: dict[str, str]) -> str:
    """The message of a row: always the same for the same row. A wrong value stays as it is.

    The orders queue's gate gives the reason.
    """
    body: dict[str, Any] = dict(row)
    if _WHOLE_NUMBER.fullmatch(row.get("amount_cents", "")):
        body["amount_cents"] = int(row["amount_cents"])
    return json.dumps(body)
