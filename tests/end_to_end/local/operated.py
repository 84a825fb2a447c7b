"""What the stories of someone on call share: messages that are sent, alarms that are looked at, deployments."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fargate_workers_toolkit.local import Mailbox
from fargate_workers_toolkit.operations import WallClock
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.state import read_states
from fargate_workers_toolkit.operations.workers import Worker, service_of, task_settings
from tests.patience import until

CLOCK = WallClock()
PAGE = (Path(__file__).parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")


def variables_of(aws: Aws, worker: Worker) -> dict[str, str]:
    return dict(task_settings(aws, service_of(aws, worker).task_definition).variables)


def send(aws: Aws, worker: Worker, bodies: list[str]) -> None:
    url = variables_of(aws, worker)["QUEUE_URL"]
    for begin in range(0, len(bodies), 10):
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies[begin : begin + 10])]
        aws.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)


def order(number: int, *, name: str = "paused") -> str:
    return json.dumps({"order_id": f"{name}-{number}", "customer_id": "ada", "amount_cents": 100, "currency": "EUR"})


def eventually(holds: Callable[[], bool]) -> None:
    until(holds, every=0.2)


def eventually_typed(holds: Callable[[], bool]) -> None:
    """As `eventually`, for what a command shows, which takes more than a request."""
    until(holds, every=1)


def history(aws: Aws, worker: Worker, role: str) -> list[str]:
    answer = aws.client("cloudwatch").describe_alarm_history(
        AlarmName=worker.alarms[role], HistoryItemType="StateUpdate"
    )
    return [item["HistorySummary"] for item in answer["AlarmHistoryItems"]]


def is_applied(aws: Aws, table: str, key: dict[str, Any]) -> bool:
    item = aws.client("dynamodb").get_item(TableName=table, Key=key).get("Item", {})
    return item.get("customer_id") == {"S": "ada"}


def mailbox_of(aws: Aws, worker: Worker, *, name: str = "person-on-call") -> Mailbox:
    """What a person's mailbox receives of a worker's alarms."""
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNames=[worker.alarms["DeadLetters"]])["MetricAlarms"]
    (topic,) = alarms[0]["AlarmActions"]
    return Mailbox(sqs=aws.client("sqs"), sns=aws.client("sns"), topic_arn=topic, name=name)


def mail_of_dead_letters(mailbox: Mailbox) -> Mapping[str, Any]:
    """The mail of the alarm that letters of ApplyOrders raise."""
    mail = mailbox.wait_for(
        lambda each: "/ApplyOrders: there are dead letters." in str(each.get("AlarmDescription")), within=60
    )
    assert mail is not None
    return mail


def first_command(mail: Mapping[str, Any]) -> str:
    """What an alarm's mail says is to be typed first."""
    found = re.search(r"^First: (.+)$", str(mail["AlarmDescription"]), re.MULTILINE)
    assert found is not None
    return found[1]


def command_in(text: str) -> str:
    """The last command that an output names."""
    return text[text.rindex("fargate-workers ") :].splitlines()[0]


def is_on_the_page(output: str) -> bool:
    """Whether the page for someone on call quotes an output, but for its numbers, moments and generated names."""
    quoted = set(map(_shape, PAGE.splitlines()))
    return all(_shape(line) in quoted for line in output.splitlines())


def _shape(line: str) -> str:
    line = re.sub(r"[0-9A-F]{8}(?=:)", "ID", line)
    line = re.sub(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d(:\d\d)?", "MOMENT", line)
    return " ".join(re.sub(r"tasks\b", "task", re.sub(r"\d+", "0", line)).split())


def raised(aws: Aws, part: str) -> bool:
    pages = aws.client("cloudwatch").get_paginator("describe_alarms").paginate(StateValue="ALARM")
    return any(part in alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"])


def state_of(aws: Aws, worker: Worker) -> Any:
    (state,) = read_states(aws, [worker], clock=CLOCK)
    return state


def deploy_with_most_tasks(aws: Aws, most: int) -> None:
    """Change the workers' stack as a deployment does, in the bounds of ApplyOrders alone."""

    def bounded(resource: dict[str, Any]) -> None:
        resource["Properties"]["MaxCapacity"] = most

    _deploy(aws, "AWS::ApplicationAutoScaling::ScalableTarget", bounded)


def deploy_with_largest_message(aws: Aws, size: int) -> None:
    """Change the workers' stack as a deployment does, in a setting of ApplyOrders alone."""

    def limited(resource: dict[str, Any]) -> None:
        for variable in resource["Properties"]["ContainerDefinitions"][0]["Environment"]:
            if variable["Name"] == "MAX_MESSAGE_BYTES":
                variable["Value"] = str(size)

    _deploy(aws, "AWS::ECS::TaskDefinition", limited)


def _deploy(aws: Aws, kind: str, changed: Callable[[dict[str, Any]], None]) -> None:
    cloudformation = aws.client("cloudformation")
    template = cloudformation.get_template(StackName="local-Workers")["TemplateBody"]
    body: dict[str, Any] = json.loads(template) if isinstance(template, str) else template
    for name, resource in body["Resources"].items():
        if resource["Type"] == kind and name.startswith("ApplyOrders"):
            changed(resource)
    # Longer than a request takes.
    aws.client("s3").create_bucket(Bucket="deployments")
    aws.client("s3").put_object(Bucket="deployments", Key="workers.json", Body=json.dumps(body).encode())
    cloudformation.update_stack(
        StackName="local-Workers",
        TemplateURL="https://s3.amazonaws.com/deployments/workers.json",
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    eventually(
        lambda: (
            cloudformation.describe_stacks(StackName="local-Workers")["Stacks"][0]["StackStatus"] == "UPDATE_COMPLETE"
        )
    )
