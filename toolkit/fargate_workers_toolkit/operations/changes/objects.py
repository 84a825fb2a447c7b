"""The task of an object, run now, as the rule of its bucket would run it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, cast

from fargate_workers_toolkit.operations import tags
from fargate_workers_toolkit.operations.changes.starting import start
from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.places import Aws

#: The alarm that every rule with a target has; its metrics name the rule.
_ROLE = "InvocationsFailed"
_ALARMS_IN_A_CALL = 100
_ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.+)", re.DOTALL)
_ESCAPED_OR_STAR = re.compile(r"(\\.|\*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class ObjectTask:
    """A task that a rule starts for each new object of a bucket.

    Args:
        name: Its qualified name.
        pattern: The pattern of the rule's events.
        target: What the rule starts.
    """

    name: str
    pattern: Mapping[str, Any] = field(repr=False)
    target: Mapping[str, Any] = field(repr=False)

    @property
    def short_name(self) -> str:
        """The construct id, which is what people type."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class S3Object:
    """An object as S3's events describe it, but for the sequencer, which S3 does not keep.

    Args:
        bucket: The name of its bucket.
        key: Its key.
        size: Its bytes.
        etag: Its entity tag, without quotes.
        version_id: Its version; empty without versioning.
    """

    bucket: str
    key: str
    size: int
    etag: str
    version_id: str

    @property
    def event(self) -> Mapping[str, Any]:
        """What EventBridge would have been sent."""
        described = {"key": self.key, "size": self.size, "etag": self.etag}
        version = {"version-id": self.version_id} if self.version_id else {}
        return {"detail": {"bucket": {"name": self.bucket}, "object": described | version}}


def find_object_task(aws: Aws, name: str) -> ObjectTask:
    """Find the task of a bucket's objects.

    Args:
        aws: The environment's AWS.
        name: Its name, qualified or not.

    Raises:
        OperationsError: There is none of the name, or more than one, or AWS refuses.
    """
    with answered(sign_in=aws.place.sign_in):
        rules = dict(_rules(aws))
        wanted = {rule: task for rule, task in rules.items() if name in (task, task.rpartition("/")[2])}
        found = [each for rule, task in wanted.items() if (each := _task(aws, rule, task)) is not None]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(task.name for task in found)
        raise OperationsError(f"{len(found)} tasks are named {name}; give the whole name: {names}.")
    if wanted:
        raise OperationsError(
            f"{name} is no task of an object: its rule sends events to a queue; copy the object onto itself instead."
        )
    known = sorted({task.rpartition("/")[2] for task in rules.values()})
    near = get_close_matches(name, known, n=1)
    hint = f' Did you mean "{near[0]}"?' if near else ""
    raise OperationsError(
        f"{aws.place.environment} has no task {name} that a rule starts for objects (rules with alarms: "
        f"{', '.join(known) or 'none'}).{hint}"
    )


def find_object(aws: Aws, address: str, task: ObjectTask) -> S3Object:
    """Find an object that a task is for. Its content is not read.

    Args:
        aws: The environment's AWS.
        address: `s3://bucket/key`.
        task: The task.

    Raises:
        OperationsError: There is no such object, the rule would not pass it, or AWS refuses.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise OperationsError(f'"{address}" is no address of an object; write it like s3://bucket/key.')
    bucket, key = match.groups()
    if (wanted := _unwanted(task.pattern, bucket, key)) is not None:
        raise OperationsError(f"The rule of {task.short_name} passes no {address}, but {wanted}.")
    with answered(sign_in=aws.place.sign_in):
        # Of the versions of a key the newest comes first, and of keys with a beginning the shortest.
        answer = aws.client("s3").list_object_versions(Bucket=bucket, Prefix=key, MaxKeys=1)
    for version in answer.get("Versions", []):
        if version["Key"] == key and version["IsLatest"]:
            return S3Object(
                bucket=bucket,
                key=key,
                size=version["Size"],
                etag=version["ETag"].strip('"'),
                version_id="" if version["VersionId"] == "null" else version["VersionId"],
            )
    raise OperationsError(f"There is no object {address}, or it was deleted.")


def run_for_object(aws: Aws, task: ObjectTask, found: S3Object) -> str:
    """Start the task of an object as its rule does.

    Args:
        aws: The environment's AWS.
        task: The task.
        found: The object.

    Returns:
        The ARN of the ECS task.

    Raises:
        OperationsError: ECS does not start it, or AWS refuses.
    """
    transformer: Mapping[str, Any] = task.target["InputTransformer"]
    text: str = transformer["InputTemplate"]
    for name, path in transformer["InputPathsMap"].items():
        value = _at(found.event, path)
        text = text.replace(f'"<{name}>"', json.dumps(str(value))).replace(f"<{name}>", json.dumps(value))
    return start(aws, task.short_name, task.target, cast("dict[str, Any]", json.loads(text)))


def _rules(aws: Aws) -> Iterator[tuple[str, str]]:
    """The rules of the environment that have alarms, and whose they are."""
    pages = (
        aws.client("resourcegroupstaggingapi")
        .get_paginator("get_resources")
        .paginate(
            TagFilters=[
                {"Key": tags.ENVIRONMENT, "Values": [aws.place.environment]},
                {"Key": tags.ROLE, "Values": [_ROLE]},
            ],
            ResourceTypeFilters=["cloudwatch:alarm"],
        )
    )
    owners = {
        item["ResourceARN"].split(":alarm:", 1)[1]: tag["Value"]
        for page in pages
        for item in page["ResourceTagMappingList"]
        for tag in item["Tags"]
        if tag["Key"] == tags.WORKER
    }
    names = list(owners)
    for begin in range(0, len(names), _ALARMS_IN_A_CALL):
        answer = aws.client("cloudwatch").describe_alarms(
            AlarmNames=names[begin : begin + _ALARMS_IN_A_CALL], MaxRecords=_ALARMS_IN_A_CALL
        )
        for alarm in answer["MetricAlarms"]:
            metrics = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
            for metric in metrics[:1]:
                yield metric["Dimensions"][0]["Value"], owners[alarm["AlarmName"]]


def _task(aws: Aws, rule: str, name: str) -> ObjectTask | None:
    events = aws.client("events")
    for target in events.list_targets_by_rule(Rule=rule)["Targets"]:
        if "EcsParameters" in target and "InputTransformer" in target:
            pattern: Mapping[str, Any] = json.loads(events.describe_rule(Name=rule).get("EventPattern") or "{}")
            return ObjectTask(name=name, pattern=pattern, target=target)
    return None


def _unwanted(pattern: Mapping[str, Any], bucket: str, key: str) -> str | None:
    """What the rule passes instead of an object; None where it passes it."""
    detail: Mapping[str, Any] = pattern.get("detail", {})
    buckets: list[str] = detail.get("bucket", {}).get("name", [])
    keys: list[Any] = detail.get("object", {}).get("key", [])
    if bucket not in buckets:
        return f"objects of {' or '.join(buckets) or 'no bucket'}"
    if keys and not any(_fits(each, key) for each in keys):
        return f"keys with {' or '.join(json.dumps(each) for each in keys)}"
    return None


def _fits(wanted: Any, key: str) -> bool:
    match wanted:
        case str():
            return key == wanted
        case {"prefix": str(begin)}:
            return key.startswith(begin)
        case {"suffix": str(end)}:
            return key.endswith(end)
        case {"wildcard": str(text)}:
            parts = _ESCAPED_OR_STAR.split(text)
            pattern = "".join(".*" if part == "*" else re.escape(re.sub(r"\\(.)", r"\1", part)) for part in parts)
            return re.fullmatch(pattern, key, re.DOTALL) is not None
        case _:
            return False


def _at(event: Any, path: str) -> Any:
    """What a JSON path of EventBridge leads to; it puts an empty text where there is nothing."""
    for step in path.split(".")[1:]:
        event = event.get(step, "") if isinstance(event, Mapping) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return event  # pyright: ignore[reportUnknownVariableType]
