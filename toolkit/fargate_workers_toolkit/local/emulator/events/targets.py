"""What rules and schedules start: ECS tasks, which MiniStack does not, with retries and a dead-letter queue for all."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Any

from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local.emulator.clock import Clock
from fargate_workers_toolkit.local.emulator.ministack_parts import (
    concurrency,
    ecs,
    eventbridge,
    lambda_service,
    provisioners,
    sns,
    sqs,
)

FIRST_PAUSE_SECONDS = 30
LONGEST_PAUSE_SECONDS = 900
DEFAULT_ATTEMPTS = 185
LONGEST_LOCAL_ATTEMPTS = 10

Target = Mapping[str, Any]
Event = Mapping[str, Any]
Rule = Mapping[str, Any]


class DeliveryError(LocalError):
    """A target cannot be reached.

    Args:
        code: The error code that the dead-letter queue receives.
        message: The message that it receives.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Targets:
    """Invocations of targets, in place of the one function through which MiniStack's rules and schedules invoke them.

    Args:
        clock: The clock of the embedded AWS.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.counts: dict[tuple[str, str], Counter[str]] = {}
        self._invoke_elsewhere = eventbridge._invoke_target

    def install(self) -> None:
        """Put it into MiniStack."""
        eventbridge._invoke_target = self.invoke

    def invoke(self, target: Target, event: Event, rule: Rule, view: Any = None) -> None:
        """Deliver at once; retries and the dead-letter queue follow in the background."""
        try:
            self.deliver(target, event, rule, view)
        except DeliveryError as error:
            concurrency.spawn_background(self._retry, target, event, rule, error, thread_name="retry-target")

    def deliver(self, target: Target, event: Event, rule: Rule, view: Any = None) -> list[str]:
        """Make one attempt.

        Args:
            target: The target.
            event: The event.
            rule: The rule or schedule.
            view: What of the event the target receives. Defaults to all.

        Returns:
            The tasks that were started.

        Raises:
            DeliveryError: The target cannot be reached.
        """
        self._count(rule, "Invocations")
        arn = target["Arn"]
        if ":ecs:" in arn or arn.endswith(":aws-sdk:ecs:runTask"):
            return _run_task(target, event, rule, view)
        _check_presence(arn)
        self._invoke_elsewhere(target, event, rule, view)
        return []

    def _retry(self, target: Target, event: Event, rule: Rule, error: DeliveryError) -> None:
        """Exponential pauses, compressed, and bounded by the target's own policy."""
        policy: Mapping[str, Any] = target.get("RetryPolicy") or {}
        attempts = min(int(policy.get("MaximumRetryAttempts", DEFAULT_ATTEMPTS)), LONGEST_LOCAL_ATTEMPTS)
        for attempt in range(attempts):
            time.sleep(self._clock.wait(min(FIRST_PAUSE_SECONDS * 2**attempt, LONGEST_PAUSE_SECONDS)))
            try:
                self.deliver(target, event, rule)
            except DeliveryError as again:
                error = again
            else:
                return
        self._count(rule, "FailedInvocations")
        self._dead_letter(target, event, rule, error, attempts)

    def _dead_letter(self, target: Target, event: Event, rule: Rule, error: DeliveryError, attempts: int) -> None:
        config: Mapping[str, str] = target.get("DeadLetterConfig") or {}
        arn = config.get("Arn")
        queue = sqs._queue_by_arn(arn) if arn else None
        if queue is None:
            return
        body = target.get("Input") or json.dumps(eventbridge._pattern_event_view(event).event_with_detail())
        attributes = {
            "ERROR_CODE": error.code,
            "ERROR_MESSAGE": str(error),
            "RULE_ARN": rule.get("Arn", ""),
            "TARGET_ARN": target["Arn"],
            "RETRY_ATTEMPTS": str(attempts),
        }
        typed = {name: {"DataType": "String", "StringValue": value or "-"} for name, value in attributes.items()}
        sqs._act_send_message({"QueueUrl": queue["url"], "MessageBody": body, "MessageAttributes": typed}, queue["url"])
        self._count(rule, "InvocationsSentToDlq")

    def _count(self, rule: Rule, what: str) -> None:
        kind = "schedule" if _is_schedule(rule) else "rule"
        self.counts.setdefault((kind, rule.get("Name", "")), Counter())[what] += 1


def _run_task(target: Target, event: Event, rule: Rule, view: Any) -> list[str]:
    view = view or eventbridge._pattern_event_view(event)
    transformer = target.get("InputTransformer")
    text = eventbridge._apply_input_transformer(transformer, rule, view) if transformer else target.get("Input")
    try:
        given: Mapping[str, Any] = json.loads(text) if text else {}
    except ValueError as error:
        raise DeliveryError("INVALID_PARAMETER", f"The input is not JSON: {error}.") from None
    status, _, body = ecs._run_task(_request(target, given, rule))
    answer = json.loads(body)
    if status >= 400 or answer.get("failures"):
        raise DeliveryError(answer.get("__type", "RunTaskFailure"), answer.get("message", str(answer)))
    return [task["taskArn"] for task in answer["tasks"]]


def _request(target: Target, given: Mapping[str, Any], rule: Rule) -> dict[str, Any]:
    """A RunTask request: from EcsParameters and overrides, or whole from Scheduler's universal target."""
    if target["Arn"].endswith(":aws-sdk:ecs:runTask"):
        return {"launchType": "FARGATE", **provisioners._pascal_to_camel(given)}
    parameters = provisioners._pascal_to_camel(target["EcsParameters"])
    strategy = parameters.get("capacityProviderStrategy")
    family = parameters["taskDefinitionArn"].rsplit("/", 1)[-1].partition(":")[0]
    return {
        "cluster": target["Arn"],
        "taskDefinition": parameters["taskDefinitionArn"],
        "count": int(parameters.get("taskCount", 1)),
        **({"capacityProviderStrategy": strategy} if strategy else {"launchType": "FARGATE"}),
        "group": parameters.get("group") or f"family:{family}",
        "networkConfiguration": parameters.get("networkConfiguration", {}),
        "overrides": given if "containerOverrides" in given else {"containerOverrides": []},
        "startedBy": f"{'chronos-schedule' if _is_schedule(rule) else 'events-rule'}/{uuid.uuid4().hex[:18]}",
    }


def _is_schedule(rule: Rule) -> bool:
    return ":scheduler:" in rule.get("Arn", "")


def _check_presence(arn: str) -> None:
    """MiniStack logs a missing target and moves on; AWS retries, and then buries the event."""
    service, name = arn.split(":")[2], arn.rsplit(":", 1)[-1]
    present = {
        "sqs": lambda: sqs._queue_by_arn(arn),
        "sns": lambda: sns._topic_by_arn_any_scope(arn),
        "lambda": lambda: lambda_service._get_func_record_for_ref(arn)[0],
    }.get(service, lambda: True)
    if not present():
        raise DeliveryError("RESOURCE_NOT_FOUND", f"{service} {name} does not exist.")
