"""An EventBridge rule that passes a short message on, and keeps what it cannot deliver."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_events as events
from constructs import Construct

RETRIES = 10
MAXIMUM_AGE_SECONDS = 3_600


def event_rule(
    scope: Construct,
    id: str,
    *,
    label: str,
    pattern: Mapping[str, Any],
    paths: Mapping[str, str],
    target_arn: str,
    dead_letter_queue_arn: str,
) -> events.CfnRule:
    """Send `label` and the values at `paths` of every matching event to a topic or a queue, within an hour."""
    return events.CfnRule(
        scope,
        id,
        description=label,
        event_pattern=pattern,
        targets=[
            events.CfnRule.TargetProperty(
                id="Target",
                arn=target_arn,
                input_transformer=events.CfnRule.InputTransformerProperty(
                    input_paths_map=paths, input_template=message(label, paths)
                ),
                dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=dead_letter_queue_arn),
                retry_policy=events.CfnRule.RetryPolicyProperty(
                    maximum_retry_attempts=RETRIES, maximum_event_age_in_seconds=MAXIMUM_AGE_SECONDS
                ),
            )
        ],
    )


def message(label: str, paths: Mapping[str, str]) -> str:
    """A JSON template. Placeholders stand bare: EventBridge writes each value as JSON, whatever quotes it contains."""
    return "\n".join(["{", f'  "alert": "{label}",', ",\n".join(f'  "{name}": <{name}>' for name in paths), "}"])
