"""The function that asks a cache, once a minute, what waits in its streams and lists."""

import json
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import aws_cdk
from aws_cdk import RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

import fargate_workers_observer
from fargate_workers.alarms import add_alarm
from fargate_workers.alarms.catalogue import observer_alarms
from fargate_workers.cloudformation import OBSERVER_ROLE, dead_letter_queue, qualified_name
from fargate_workers.cluster import EveryMinute, python_function, run_each_event_once
from fargate_workers.errors import ConfigurationError
from fargate_workers.stores import RedisCache

# Of a target: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
LONGEST_INPUT = 8_192
# Shorter than the minute between two runs, so that they never meet.
TIMEOUT_SECONDS = 30
# One at a time, and the one that a run before it may have left.
CONNECTIONS = 2

_observers: WeakKeyDictionary[RedisCache, "SourceObserver"] = WeakKeyDictionary()


class SourceObserver(Construct):
    """The observer of the streams and lists of one cache.

        SourceObserver.of(cache).alarms["ObserverSilent"]

    The first stream or list makes it. CloudWatch knows nothing of what is in a cache, and workers that do not run
    report nothing, so it looks from beside: a small function in the cache's network, which publishes per source
    (namespace FargateWorkers/Sources, dimension Source) Waiting, InFlight, Length, DeadLetters and, of a stream,
    OldestAge. It signs in with its role, prints its metrics in CloudWatch's embedded format, and so needs no way out of
    the network. An alarm says when it is silent.

    Price: about 43,800 runs a month, some cents, and $0.30 a month for each of a source's metrics.

    Args:
        scope: The cache.
        id: The id of the construct.
        cache: The cache.

    Attributes:
        function: The function.
        function_name: Its name.
        alarms: The alarms, by the id of their definition.
    """

    def __init__(self, scope: Construct, id: str, *, cache: RedisCache) -> None:
        super().__init__(scope, id)
        # What lies there is out of date after a minute.
        failed = dead_letter_queue(
            self, "Failed", senders=["events"], retention_days=1, removal_policy=RemovalPolicy.DESTROY
        )
        access = cache.access(f"{cache.node.id} observer", max_tasks=1, connections_per_task=CONNECTIONS)
        subject = qualified_name(self)
        function = python_function(
            self,
            fargate_workers_observer,
            cluster=cache.cluster,
            name=subject,
            role_tag=OBSERVER_ROLE,
            description="Looks at what waits in streams and lists",
            environment=access.environment,
            statements=access.statements,
            dead_letter_queue_arn=failed.arn,
            timeout_seconds=TIMEOUT_SECONDS,
            needs_network=True,
        )
        self.function: aws_cdk.aws_lambda.CfnFunction = function.resource
        self.function_name: str = function.name
        if function.security_group_id is not None:
            group = ec2.SecurityGroup.from_security_group_id(
                self, "Group", function.security_group_id, allow_all_outbound=False
            )
            cache.let_in(ec2.Connections(security_groups=[group]))
        self._sources: list[Mapping[str, Any]] = []
        self._rule = EveryMinute(
            self,
            function,
            description="Looks at streams and lists.",
            target="Observer",
            failed_arn=failed.arn,
        )
        run_each_event_once(self, function, failed_arn=failed.arn)
        self.alarms: dict[str, cloudwatch.CfnAlarm] = {
            alarm.id: add_alarm(self, alarm, subject=subject, alerts=cache.cluster.alerts)
            for alarm in observer_alarms(function_name=function.name, log_group_name=function.log_group_name)
        }

    @staticmethod
    def of(cache: RedisCache) -> "SourceObserver":
        """The observer of a cache; it is made when first asked for, in the cache's stack.

        Args:
            cache: The cache.
        """
        if cache not in _observers:
            _observers[cache] = SourceObserver(cache, "Observer", cache=cache)
        return _observers[cache]

    def observe(self, source: Mapping[str, Any]) -> None:
        """Look at one more stream or list.

        Args:
            source: Its names, in the function's input.

        Raises:
            ConfigurationError: The cache has more of them than one function can look at.
        """
        self._sources.append(source)
        text = json.dumps({"sources": self._sources}, separators=(",", ":"))
        if len(text) > LONGEST_INPUT:
            raise ConfigurationError(
                f"{self.node.path}: {len(self._sources)} streams and lists are more than one rule can name; keep "
                "further ones in another RedisCache."
            )
        self._rule.set_input(text)
