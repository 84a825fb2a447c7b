"""SQS: a queue and its dead-letter queue."""

from collections.abc import Mapping, Sequence
from typing import Any

from fargate_workers_redrive.letters import dead_letter, with_marks
from fargate_workers_toolkit.operations.errors import answered
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.sources.source import DeadLetter, DeadLetterStore, Depth

_BATCH = 10
_COUNTS = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]


class SqsSource:
    """A queue, standard or FIFO.

    Args:
        aws: Its AWS.
        url: Its URL.
        dead_letter_url: The URL of its dead-letter queue. None: it has none.
    """

    kind = "SQS"

    def __init__(self, aws: Aws, *, url: str, dead_letter_url: str | None) -> None:
        self._aws = aws
        self._url = url
        self._dead_letter_url = dead_letter_url
        self.name: str = url.rpartition("/")[2]

    @property
    def dead_letters(self) -> DeadLetterStore | None:
        """Its dead-letter queue."""
        if self._dead_letter_url is None:
            return None
        return SqsDeadLetters(self._aws, url=self._dead_letter_url, origin_url=self._url)

    def depth(self) -> Depth:
        """What it holds, approximately: SQS counts no more exactly than that."""
        return _depth(self._aws, self._url)

    def metrics(self, *, observed: str) -> Mapping[str, Mapping[str, Any]]:
        """CloudWatch's metrics of the queue, free of charge, a minute old.

        Args:
            observed: Of no meaning here: AWS itself observes queues.
        """
        del observed
        names = {
            "oldest": ("ApproximateAgeOfOldestMessage", "Maximum"),
            "arrived": ("NumberOfMessagesSent", "Sum"),
            "done": ("NumberOfMessagesDeleted", "Sum"),
        }
        return {
            key: {
                "Metric": {
                    "Namespace": "AWS/SQS",
                    "MetricName": name,
                    "Dimensions": [{"Name": "QueueName", "Value": self.name}],
                },
                "Period": 60,
                "Stat": statistic,
            }
            for key, (name, statistic) in names.items()
        }


class SqsDeadLetters:
    """A dead-letter queue.

    Args:
        aws: Its AWS.
        url: Its URL.
        origin_url: The URL of the queue that its letters return to.
    """

    def __init__(self, aws: Aws, *, url: str, origin_url: str) -> None:
        self._aws = aws
        self._url = url
        self._origin_url = origin_url
        self.name: str = url.rpartition("/")[2]
        self.origin: str = origin_url.rpartition("/")[2]
        self.ordered: bool = url.endswith(".fifo")

    @property
    def unseen(self) -> str:
        """Why some letters may not be seen."""
        return "those of a group come ten at a time" if self.ordered else "somebody else looks at them"

    def depth(self) -> Depth:
        """Letters that can be seen, and letters that somebody is looking at."""
        return _depth(self._aws, self._url)

    def lease(self, *, seconds: int, wait: int) -> list[DeadLetter]:
        """Lease the next letters, ten at most; of a FIFO group, none while others of it are leased.

        Args:
            seconds: How long.
            wait: Seconds to wait for a letter when there seems to be none.
        """
        with answered(sign_in=self._aws.place.sign_in):
            answer = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_BATCH,
                VisibilityTimeout=seconds,
                WaitTimeSeconds=wait,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        return [_letter(message) for message in answer.get("Messages", [])]

    def release(self, tokens: Sequence[str]) -> None:
        """Let letters be seen again at once. One that is gone already is passed over.

        Args:
            tokens: The tokens of leased letters.
        """
        with answered(sign_in=self._aws.place.sign_in):
            for begin in range(0, len(tokens), _BATCH):
                entries = [
                    {"Id": str(number), "ReceiptHandle": token, "VisibilityTimeout": 0}
                    for number, token in enumerate(tokens[begin : begin + _BATCH])
                ]
                self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    def send_back(self, letter: DeadLetter, *, marks: Mapping[str, str]) -> str:
        """Send a letter to the queue it came from; a FIFO queue takes it once within five minutes.

        Args:
            letter: The letter. It stays where it is.
            marks: Attributes that are added, as far as there is room for them.

        Returns:
            The id of the message that was sent.
        """
        request: dict[str, Any] = {
            "QueueUrl": self._origin_url,
            "MessageBody": letter.body,
            "MessageAttributes": _with_marks(letter, marks),
        }
        if letter.group is not None:
            request["MessageGroupId"] = letter.group
        if self._origin_url.endswith(".fifo"):
            # By content, SQS would take it for the message that died, or for another of equal content.
            request["MessageDeduplicationId"] = f"replay-{letter.id}"
        if trace := letter.native["trace"]:
            request["MessageSystemAttributes"] = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}}
        with answered(sign_in=self._aws.place.sign_in):
            return self._sqs.send_message(**request)["MessageId"]

    def delete(self, letter: DeadLetter) -> None:
        """Delete a leased letter.

        Args:
            letter: The letter.
        """
        with answered(sign_in=self._aws.place.sign_in):
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=letter.token)

    @property
    def _sqs(self) -> Any:
        return self._aws.client("sqs")


def _depth(aws: Aws, url: str) -> Depth:
    with answered(sign_in=aws.place.sign_in):
        attributes = aws.client("sqs").get_queue_attributes(
            QueueUrl=url, AttributeNames=[*_COUNTS, "ApproximateNumberOfMessagesDelayed"]
        )["Attributes"]
    visible, hidden = (int(attributes.get(name, 0)) for name in _COUNTS)
    return Depth(waiting=visible + int(attributes.get("ApproximateNumberOfMessagesDelayed", 0)), in_flight=hidden)


def _letter(message: Mapping[str, Any]) -> DeadLetter:
    read = dead_letter(message)
    return DeadLetter(
        id=read.id,
        body=read.body,
        reason=read.reason,
        error=read.error,
        group=read.group,
        died_at=read.died_at,
        receives=read.receives,
        original_id=read.original_id,
        attributes=read.attributes,
        token=read.handle,
        native={"attributes": read.native, "trace": read.trace},
    )


def _with_marks(letter: DeadLetter, marks: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    return with_marks(letter.body, letter.native["attributes"], marks)
