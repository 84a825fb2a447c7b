"""Where trouble is told: one encrypted topic that CloudWatch and EventBridge can really publish to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from fargate_workers._aws import account, partition
from fargate_workers._service_queue import dead_letter_queue, service_queue
from fargate_workers.alarm import add_alarm
from fargate_workers.alarm_catalogue import undelivered_events_alarm
from fargate_workers.alarm_definition import RUNBOOKS
from fargate_workers.stopped_tasks import StoppedTasks

if TYPE_CHECKING:
    from fargate_workers.worker_cluster import WorkerCluster


@dataclass(frozen=True)
class Subscription:
    """Somebody to tell: an SNS protocol ("https", "email", "sms", "lambda", "sqs", ...) and its endpoint."""

    protocol: str
    endpoint: str


class Alerts(Construct):
    """A topic for everything that needs a person, those who are told, and what to do when they cannot be.

    It makes the topic and its key (rotated yearly); a history queue that keeps every alert and the end of every
    scheduled run for 4 days, so that anyone can prove that it was told; and a queue for what could not be delivered,
    kept 14 days, with an alarm.
    CloudWatch alarms and EventBridge rules may publish and use the key. Nobody publishes without TLS.

        alerts = Alerts(self, "Alerts", emails=["on-call@example.com"])
        cluster = WorkerCluster(self, "Cluster", network="nat", alerts=alerts)
        alerts.watch_tasks(cluster)

    emails: Addresses to tell. Each gets an e-mail from SNS and must confirm it.
    subscriptions: Others to tell.
    topic: An existing topic. Its policy and key must let both services publish already: we change neither.
    key: An existing key for our topic, to which we add both services. Default: a key of our own.
    runbooks: The folder or address of the runbooks, written into every alarm. Default: "docs/runbooks".
    removal_policy: What becomes of key and queues with the stack. Default: RETAIN, for they hold unread messages.

    Raises ValueError when both `topic` and `key` are given.
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
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        super().__init__(scope, id)
        if topic is not None and key is not None:
            raise ValueError(f"Alerts {id!r} got both a topic and a key; a topic brings its own key, so drop `key`.")
        self.runbooks = runbooks
        self.key = None if topic is not None else self._key(key, removal_policy)
        self.topic = sns.Topic(self, "Topic", master_key=self.key) if topic is None else topic
        self.topic_arn = self.topic.topic_arn
        if topic is None:
            self._let_services_publish()
        self.undelivered = dead_letter_queue(self, "Undelivered", removal_policy=removal_policy)
        self.history = service_queue(
            self,
            "History",
            senders=["events", "sns"],
            retention_days=4,
            removal_policy=removal_policy,
            redrive_policy={"deadLetterTargetArn": self.undelivered.arn, "maxReceiveCount": 5},
        )
        self._subscribe("HistorySubscription", Subscription("sqs", self.history.arn))
        for number, subscription in enumerate([*(Subscription("email", email) for email in emails), *subscriptions]):
            self._subscribe(_subscription_id(subscription, number), subscription)
        undelivered = undelivered_events_alarm(dead_letter_queue_name=self.undelivered.name)
        add_alarm(self, undelivered, subject=id, alerts=self)

    def watch_tasks(self, cluster: "WorkerCluster") -> StoppedTasks:
        """Tell of tasks that stop in trouble, services that cannot start tasks, and deployments that fail."""
        return StoppedTasks(cluster, "StoppedTasks", cluster=cluster, alerts=self)

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
            for statement in _key_statements():
                key.add_to_resource_policy(iam.PolicyStatement.from_json(statement))
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
        return cast("kms.IKey", own)

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


def _subscription_id(subscription: Subscription, number: int) -> str:
    """By endpoint, so that a new subscriber replaces none; a token has no name yet, so it gets its place."""
    name = f"{subscription.protocol}:{subscription.endpoint}"
    return f"Subscription{number}" if "${Token[" in name else name.replace("/", "-")


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
