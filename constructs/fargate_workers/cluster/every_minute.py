"""The call of a function every minute, with an input that grows while the app is written."""

import aws_cdk
from aws_cdk import aws_events as events
from constructs import Construct

from fargate_workers.cluster.python_function import PythonFunction

# What a run says is stale when the next one is due, and EventBridge takes no less.
MAXIMUM_AGE_SECONDS = 60


class EveryMinute:
    """A rule that calls a function every minute. A run that fails is not repeated, for the next one is due.

    Args:
        scope: The construct that the rule belongs to.
        function: The function.
        description: The description of the rule.
        target: The id of the rule's target.
        failed_arn: The queue for calls that failed.
        number: Its number among the rules of the function. Defaults to 1.
    """

    def __init__(
        self,
        scope: Construct,
        function: PythonFunction,
        *,
        description: str,
        target: str,
        failed_arn: str,
        number: int = 1,
    ) -> None:
        self._function, self._target, self._failed_arn = function, target, failed_arn
        suffix = "" if number == 1 else str(number)
        self.rule: events.CfnRule = events.CfnRule(
            scope, f"EveryMinute{suffix}", description=description, schedule_expression="rate(1 minute)"
        )
        aws_cdk.aws_lambda.CfnPermission(
            scope,
            f"Permission{suffix}",
            action="lambda:InvokeFunction",
            function_name=function.name,
            principal="events.amazonaws.com",
            source_arn=self.rule.attr_arn,
        )

    def set_input(self, text: str) -> None:
        """Set what the function is called with, in the place of what was set before.

        Args:
            text: JSON.
        """
        # Set anew each time: a lazy value would be asked for across processes while the app is synthesized.
        self.rule.targets = [
            events.CfnRule.TargetProperty(
                id=self._target,
                arn=self._function.resource.attr_arn,
                input=text,
                dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=self._failed_arn),
                retry_policy=events.CfnRule.RetryPolicyProperty(
                    maximum_retry_attempts=0, maximum_event_age_in_seconds=MAXIMUM_AGE_SECONDS
                ),
            )
        ]


def run_each_event_once(scope: Construct, function: PythonFunction, *, failed_arn: str) -> None:
    """Let Lambda repeat no call of a function that failed.

    Args:
        scope: The construct that the setting belongs to.
        function: The function.
        failed_arn: The queue for calls that failed.
    """
    lambda_ = aws_cdk.aws_lambda
    lambda_.CfnEventInvokeConfig(
        scope,
        "Once",
        function_name=function.name,
        qualifier="$LATEST",
        maximum_retry_attempts=0,
        maximum_event_age_in_seconds=MAXIMUM_AGE_SECONDS,
        destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
            on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=failed_arn)
        ),
    )
