"""An encrypted topic for alerts, to which CloudWatch and EventBridge may publish, with its readers and queues."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aws_cdk import RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from fargate_workers.alarms.alarm_definition import RUNBOOKS
from fargate_workers.alarms.catalogue import undelivered_events_alarm
from fargate_workers.alarms.cloudwatch_alarm import add_alarm
from fargate_workers.alarms.mutes import MuteRules, MuteWindow
from fargate_workers.cloudformation import (
    KEY_WAY_OUT,
    ServiceQueue,
    account,
    allow_by_key,
    announce_statements,
    check_place,
    dead_letter_queue,
    has_token,
    partition,
    place_in,
    qualify,
    service_queue,
)
from fargate_workers.errors import ConfigurationError


@dataclass(frozen=True)
class Subscription:
    """A reader of alerts: a protocol of SNS and an endpoint.

    A function or a queue must let `sns.amazonaws.com` in by its own policy, which is not changed from here; until it
    does, each alert ends among the undelivered ones.

    Attributes:
        protocol: SNS's name of it: "https", "email", "sms", "lambda", "sqs" and so on.
        endpoint: The address, number or ARN.
    """

    protocol: str
    endpoint: str


class Alerts(Construct):
    """A topic for everything that needs a person, with its readers, and a queue for what could not be delivered.

    It makes the topic and its key (rotated yearly); a history queue that keeps every alert and the end of every
    scheduled run for 4 days, as evidence of what was sent; and a queue for what could not be delivered, kept 14 days,
    with an alarm. CloudWatch alarms and EventBridge rules may publish and use the key. Nobody publishes without TLS.

        alerts = Alerts(self, "Alerts", emails=["on-call@example.com"])
        cluster = WorkerCluster(self, "Cluster", network="nat", alerts=alerts)
        StoppedTasks(cluster, "StoppedTasks", cluster=cluster)

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        emails: Addresses that receive the alerts. Each gets an e-mail from SNS and must confirm it. Defaults to none.
        subscriptions: Further readers. Defaults to none.
        topic: An existing topic of this account and region. Its policy and key are changed to let both services
            publish; what the owner of a topic or key made elsewhere must add is printed at synthesis. Defaults to a
            new topic.
        key: A customer-managed key for the new topic, whose policy is changed to let both services use it, or printed
            likewise. Defaults to a new key.
        runbooks: The folder or address of the runbooks, written into every alarm. Defaults to "docs/runbooks".
        mute: Windows in which alarms notify nobody. Defaults to none.
        removal_policy: What happens to key and queues when they leave the stack. They hold unread messages. Defaults
            to RETAIN_ON_UPDATE_OR_DELETE: they are retained, except by a first deployment that fails.

    Attributes:
        topic: The topic.
        topic_arn: Its ARN.
        key: The topic's key; None with an existing topic, which brings its own.
        undelivered: The queue for what could not be delivered.
        history: The queue that keeps every alert.
        alarms: The alarms, by the id of their definition.
        mutes: The rules of the windows; None without one.

    Raises:
        ConfigurationError: Two windows have one name, both `topic` and `key` are given, the topic is of another account
            or region, or the key is of another region.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        emails: Sequence[str] = (),
        subscriptions: Sequence[Subscription] = (),
        topic: sns.ITopic | None = None,
        key: kms.IKey | None = None,
        runbooks: str = RUNBOOKS,
        mute: Sequence[MuteWindow] = (),
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        super().__init__(scope, id)
        place_in(scope, self)
        if topic is not None and key is not None:
            raise ConfigurationError(
                f"Alerts {id!r} got both a topic and a key; a topic brings its own key, so drop `key`."
            )
        if len({window.name for window in mute}) < len(mute):
            raise ConfigurationError(f"Alerts {id!r} got two mute windows of one name; give each its own.")
        self.runbooks: str = runbooks
        self.mutes: MuteRules | None = MuteRules(id, mute) if mute else None
        self.key: kms.IKey | None = None if topic is not None else self._key(key, removal_policy)
        self.topic: sns.ITopic = (
            cast("sns.ITopic", sns.Topic(self, "Topic", master_key=self.key)) if topic is None else topic
        )
        self.topic_arn: str = self.topic.topic_arn
        if topic is None:
            self._let_services_publish()
        else:
            self._let_services_publish_to(topic)
        self.undelivered: ServiceQueue = dead_letter_queue(self, "Undelivered", removal_policy=removal_policy)
        self.history: ServiceQueue = service_queue(
            self,
            "History",
            senders=["events", "sns"],
            retention_days=4,
            removal_policy=removal_policy,
            redrive_policy={"deadLetterTargetArn": self.undelivered.arn, "maxReceiveCount": 5},
        )
        self._subscribe("HistorySubscription", Subscription("sqs", self.history.arn))
        readers = dict.fromkeys([*(Subscription("email", email) for email in emails), *subscriptions])
        for number, subscription in enumerate(readers):
            self._subscribe(_subscription_id(subscription, number), subscription)
        undelivered = undelivered_events_alarm(dead_letter_queue_name=self.undelivered.name)
        self.alarms: dict[str, cloudwatch.CfnAlarm] = {
            undelivered.id: add_alarm(self, undelivered, subject=qualify(scope, id), alerts=self)
        }

    def _subscribe(self, id: str, subscription: Subscription) -> None:
        sns.CfnSubscription(
            self,
            id,
            topic_arn=self.topic_arn,
            protocol=subscription.protocol,
            endpoint=subscription.endpoint,
            redrive_policy={"deadLetterTargetArn": self.undelivered.arn},
        )

    def _key(self, key: kms.IKey | None, removal_policy: RemovalPolicy) -> kms.IKey:
        if key is not None:
            check_place(self, "key", key, way_out=KEY_WAY_OUT, any_account=True)
            allow_by_key(self, key, "alerts", *_key_statements())
            return key
        owner = {
            "Sid": "AccountDecidesByIam",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:{partition()}:iam::{account()}:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
        own = kms.Key(
            self,
            "Key",
            description="Encrypts alerts",
            enable_key_rotation=True,
            removal_policy=removal_policy,
            policy=iam.PolicyDocument.from_json(_document(owner, *_key_statements())),
        )
        place_in(self, own)
        return cast("kms.IKey", own)

    def _let_services_publish_to(self, topic: sns.ITopic) -> None:
        """Let both services publish to an existing topic, and use its key, or print what its owner must add."""
        check_place(
            self,
            "topic",
            topic,
            way_out="alarms notify only topics of their own account and region, so leave topic= out and let its "
            "readers subscribe here",
        )
        may_publish = _publishers("sns:Publish", self.topic_arn)
        added = [
            topic.add_to_resource_policy(iam.PolicyStatement.from_json(each)).statement_added for each in may_publish
        ]
        if not all(added):
            announce_statements(self, "the alerts' topic", tuple(may_publish))
        if topic.master_key is not None:
            allow_by_key(self, topic.master_key, "the alerts' topic", *_key_statements())

    def _let_services_publish(self) -> None:
        """A topic policy replaces SNS's own: one that only denies locks alarms out (aws-cdk#11121)."""
        only_over_tls = {
            "Sid": "OnlyOverTls",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "sns:Publish",
            "Resource": self.topic_arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        sns.CfnTopicPolicy(
            self,
            "TopicPolicy",
            topics=[self.topic_arn],
            policy_document=_document(only_over_tls, *_publishers("sns:Publish", self.topic_arn)),
        )


def undelivered_queue(scope: Construct, alerts: Alerts | None) -> ServiceQueue:
    """The queue for what `scope` cannot deliver: that of its alerts, which have an alarm for it, or one of its own."""
    if alerts is not None:
        return alerts.undelivered
    return dead_letter_queue(scope, "Undelivered", removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)


def _subscription_id(subscription: Subscription, number: int) -> str:
    """By endpoint, so that a new subscriber replaces none; a token has no name yet, so it gets its place."""
    name = f"{subscription.protocol}:{subscription.endpoint}"
    return f"Subscription{number}" if has_token(name) else name.replace("/", "-")


def _key_statements() -> list[dict[str, Any]]:
    return _publishers(["kms:Decrypt", "kms:GenerateDataKey*"], "*")


def _publishers(action: str | list[str], resource: str) -> list[dict[str, Any]]:
    """EventBridge sends no source account to SNS or its key: with the condition every event would be lost in silence.

    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    https://github.com/awslabs/landing-zone-accelerator-on-aws/issues/407
    """
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return [
        {
            "Sid": "AlarmsOfThisAccount",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Condition": {"StringEquals": {"aws:SourceAccount": account()}},
            **statement,
        },
        {"Sid": "EventBridge", "Principal": {"Service": "events.amazonaws.com"}, **statement},
    ]


def _document(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
