"""A queue on a topic, subscribed through the API as any subscriber's."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

POLL_SECONDS = 0.5

Mail = Mapping[str, Any]


class Mailbox:
    """A queue that is subscribed to a topic; keeps what it has received.

    Args:
        sqs: A client of SQS.
        sns: A client of SNS.
        topic_arn: The topic.
        name: The name of the queue that is made. Defaults to `local-mailbox`.
    """

    def __init__(self, *, sqs: Any, sns: Any, topic_arn: str, name: str = "local-mailbox") -> None:
        self._sqs = sqs
        self._url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        self.mails: list[Mail] = []

    def find(self, matches: Callable[[Mail], bool]) -> Mail | None:
        """Return the first mail that matches, of all that have come so far; None where none does.

        Args:
            matches: Whether a mail is the one.
        """
        self._fetch()
        return next((mail for mail in self.mails if matches(mail)), None)

    def wait_for(self, matches: Callable[[Mail], bool], *, within: float) -> Mail | None:
        """Wait for a mail.

        Args:
            matches: Whether a mail is the one.
            within: How long to wait, in seconds.

        Returns:
            The first that matches; None when none came in time.
        """
        deadline = time.monotonic() + within
        while True:
            mail = self.find(matches)
            if mail is not None or time.monotonic() > deadline:
                return mail
            time.sleep(POLL_SECONDS)

    def _fetch(self) -> None:
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self.mails.append(_parse(message["Body"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])


def _parse(body: str) -> Mail:
    try:
        mail: Mail = json.loads(body)
    except ValueError:
        return {"text": body}
    return mail
