"""A day of the order pipeline in a minute: orders arrive, some are bad, a worker is killed, a report is due."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from fargate_workers_toolkit.local import Check, Mail, Mailbox, Report, TaskProcess, check, check_same
from scenarios.order_pipeline.system import (
    ALERTS,
    APPLY_ORDERS,
    HOURLY_REPORT,
    IMPORT_QUEUE,
    ORDERS_DEAD_LETTER_QUEUE,
    ORDERS_QUEUE,
    OrderPipeline,
)
from scenarios.order_pipeline.workload import Order, Totals, Workload

MAIL_SECONDS = 60
# Far enough into the work that every worker is busy, early enough that much is left.
APPLIED_BEFORE_KILL = 50
# Where the planner publishes what the policies act on.
PLANS = "FargateWorkers/Scaling"


class Scenario:
    """Feeds the deployed pipeline and collects what came of it. Every wait ends by itself; the checks are the judge.

    Args:
        system: The pipeline.
        workload: The files to upload, and what they come to.
        further: What to upload after that, one by one, as long as one worker is enough. Defaults to nothing.
    """

    def __init__(self, *, system: OrderPipeline, workload: Workload, further: Iterable[Workload] = ()) -> None:
        self._system = system
        self._running = system.running
        self._workload = workload
        self._reported = workload.files.keys()
        self._further = iter(further)
        self._killed: tuple[TaskProcess, int] | None = None

    def play(self) -> list[Check]:
        """Upload, fire, kill, wait and replay, in this order; return what it came to."""
        running = self._running
        mailbox = running.mailbox(ALERTS)
        with running.step("Upload order files") as report:
            self._upload(self._workload)
            report(f"{len(self._workload.files)} files, {self._workload.rows} rows")
        with running.step("Fire the hourly schedule"):
            (report_task,) = running.invoke(HOURLY_REPORT)
        with running.step("Kill a worker with messages in its hands") as report:
            self._killed = running.wait_for(self._kill_a_busy_worker, every=0.1)
            report(f"signal 9, {self._killed[1]} messages in flight" if self._killed else "none was ever busy")
        with running.step("Wait until the work is done") as report:
            running.wait_for(lambda: self._is_done(report))
        with running.step("Wait until the service has scaled in") as report:
            running.wait_for(lambda: self._is_scaled_in(report))
        # Before the replay, which scales the service and empties the dead-letter queue for a while.
        before = [*self._check_scaling(), *self._check_alarm(mailbox)]
        with running.step("Replay the dead letters") as report:
            replay = self._replay(report)
        with running.step("Look at what happened"):
            return [*self._check_orders(), *before, *self._check_tasks(report_task, mailbox), replay]

    # Driving

    def _upload(self, workload: Workload) -> None:
        for key, text in workload.files.items():
            self._running.client("s3").put_object(Bucket=self._system.bucket, Key=key, Body=text.encode())

    def _kill_a_busy_worker(self) -> tuple[TaskProcess, int] | None:
        """Once enough orders are applied, end a worker without a warning; return it and the messages in flight."""
        in_flight = self._running.backlog(ORDERS_QUEUE).in_flight
        workers = self._running.processes(APPLY_ORDERS)
        if not workers or not in_flight or len(self._table()) < APPLIED_BEFORE_KILL:
            return None
        os.kill(workers[0].pid, signal.SIGKILL)
        return workers[0], in_flight

    def _is_done(self, report: Report) -> bool:
        queues = [self._running.backlog(queue) for queue in (IMPORT_QUEUE, ORDERS_QUEUE)]
        waiting = sum(queue.total for queue in queues)
        dead = self._running.backlog(ORDERS_DEAD_LETTER_QUEUE).waiting
        service = self._running.service(APPLY_ORDERS)
        report(f"{waiting} messages, {dead} dead letters, {service.running} of {service.desired} workers")
        if not any(queue.waiting for queue in queues) and self._needs_more():
            return False
        if waiting or dead < len(self._workload.bad) or self._killed is None:
            return False
        # A file that was uploaded a moment ago is in no queue yet.
        return len(self._table()) == len(self._workload.valid)

    def _needs_more(self) -> bool:
        """Whether one worker has been enough so far, as on a fast machine; it gets more orders then."""
        if max(self._planned_counts(), default=0) > 1 or (further := next(self._further, None)) is None:
            return False
        self._upload(further)
        self._workload = self._workload.with_further(further)
        return True

    def _is_scaled_in(self, report: Report) -> bool:
        service = self._running.service(APPLY_ORDERS)
        report(f"{service.running} of {service.desired} workers")
        return service.desired == service.running == self._bounds()[0]

    def _replay(self, report: Report) -> Check:
        """Send the dead letters back with the deployed function; they wake the service, which refuses them again."""
        answer = self._redrive("start")
        moved = 0

        def settled() -> bool:
            nonlocal moved
            moved = self._redrive("status").get("moved", 0)
            dead = self._running.backlog(ORDERS_DEAD_LETTER_QUEUE).waiting
            report(f"{moved} moved, {dead} refused again")
            return moved == dead == len(self._workload.bad) and not self._running.backlog(ORDERS_QUEUE).total

        if "refused" not in answer:
            self._running.wait_for(settled)
        expected = f"{len(self._workload.bad)} moved, {len(self._workload.bad)} refused again"
        dead = self._running.backlog(ORDERS_DEAD_LETTER_QUEUE).waiting
        seen = answer.get("refused", f"{moved} moved, {dead} refused again")
        return check("The redrive function replays dead letters", expected=expected, seen=seen)

    def _redrive(self, action: str) -> dict[str, Any]:
        request = json.dumps({"action": action, "queue": "ApplyOrders"}).encode()
        answer = self._running.client("lambda").invoke(FunctionName=self._system.redrive_function, Payload=request)
        return json.loads(answer["Payload"].read())

    # Looking

    def _bounds(self) -> tuple[int, int]:
        """The fewest and most workers there may be."""
        targets = self._scaling("describe_scalable_targets", ResourceIds=[self._resource_id()])["ScalableTargets"]
        return targets[0]["MinCapacity"], targets[0]["MaxCapacity"]

    def _planned_counts(self) -> list[int]:
        """The numbers of tasks that the planner's plans have set, in their order."""
        activities = self._scaling("describe_scaling_activities", ResourceId=self._resource_id())["ScalingActivities"]
        return [
            int(activity["Description"].rstrip(".").rsplit(" ", 1)[-1])
            for activity in reversed(activities)
            if self._follows_plans(activity["Cause"])
        ]

    def _scaling(self, operation: str, **arguments: Any) -> Any:
        return getattr(self._running.client("application-autoscaling"), operation)(ServiceNamespace="ecs", **arguments)

    def _resource_id(self) -> str:
        service = self._running.service(APPLY_ORDERS)
        return f"service/{service.cluster}/{service.name}"

    def _table(self) -> dict[str, Order]:
        """Every item of the orders table."""
        pages = self._running.client("dynamodb").get_paginator("scan").paginate(TableName=self._system.orders_table)
        items = [item for page in pages for item in page["Items"]]
        return {item["order_id"]["S"]: _order(item) for item in items}

    def _read_model(self) -> dict[str, Totals]:
        """What the cache has of every customer."""
        host, port, user = self._system.cache
        with redis.Redis(
            host=host,
            port=port,
            ssl=True,
            ssl_ca_certs=str(self._running.workspace.certificate_authority),
            username=user,
            password="any",  # noqa: S106 there is no IAM here to ask
            decode_responses=True,
        ) as connection:
            client: Any = connection
            keys: list[str] = list(client.scan_iter("customer:*"))
            return {key.removeprefix("customer:"): _totals(*client.hmget(key, "orders", "total_cents")) for key in keys}

    def _dead_letters(self) -> dict[str, str]:
        """Order id and reason of every dead letter."""
        sqs, url = self._running.client("sqs"), self._system.orders_dead_letter_queue_url
        letters: dict[str, str] = {}
        while messages := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=30
        ).get("Messages"):
            for message in messages:
                reason = message.get("MessageAttributes", {}).get("dlq.reason", {}).get("StringValue", "")
                letters[json.loads(message["Body"])["order_id"]] = reason
        return letters

    # Judging

    def _check_orders(self) -> list[Check]:
        workload, table, totals = self._workload, self._table(), self._read_model()
        expected = workload.totals
        wrong = [name for name, order in workload.valid.items() if table.get(name) != order]
        differing = sorted(name for name in expected.keys() | totals.keys() if expected.get(name) != totals.get(name))
        letters = self._dead_letters()
        waiting = sum(self._running.backlog(queue).total for queue in (IMPORT_QUEUE, ORDERS_QUEUE))
        reasons = Counter(reason or "no reason" for reason in letters.values())
        return [
            check_same("Every valid order is in the table", expected=workload.valid, seen=table, what="orders"),
            check("Every order in the table is as it was sent", expected=0, seen=len(wrong)),
            check(
                "The read model counts every order once",
                expected=f"{sum(item.orders for item in expected.values())} orders of {len(expected)} customers",
                seen=f"{sum(item.orders for item in totals.values())} orders of {len(totals)} customers"
                + (f"; wrong: {', '.join(differing[:3])}" if differing else ""),
                passed=not differing,
            ),
            check_same("Every bad row is a dead letter", expected=workload.bad, seen=letters, what="dead letters"),
            check(
                "Every dead letter says why",
                expected=f"{len(letters)} reasons",
                seen="; ".join(f"{count} {reason}" for reason, count in reasons.items()) or "none",
                passed=bool(letters) and all(letters.values()),
            ),
            check("No message is left in a queue", expected=0, seen=waiting),
        ]

    def _check_scaling(self) -> list[Check]:
        least, most = self._bounds()
        counts = self._planned_counts()
        path = " -> ".join(str(count) for count in counts) or "none"
        service = self._running.service(APPLY_ORDERS)
        return [
            self._check_planner(),
            check(
                "The planner's plans scaled the service out",
                expected=f"more than 1 of at most {most} tasks",
                seen=path,
                passed=max(counts, default=0) > 1,
            ),
            check(
                "The planner's plans scaled it in again",
                expected=f"{least} desired and running",
                seen=f"{path}; {service.desired} desired, {service.running} running",
                passed=bool(counts) and counts[-1] == least == service.desired == service.running,
            ),
        ]

    def _check_planner(self) -> Check:
        """That the deployed function ran in every minute since the first, and in none of them failed."""
        now = datetime.now(UTC)
        function = [{"Name": "FunctionName", "Value": self._system.planner_function}]
        queries = [
            {
                "Id": name.lower(),
                "MetricStat": {
                    "Metric": {"Namespace": "AWS/Lambda", "MetricName": name, "Dimensions": function},
                    "Period": 60,
                    "Stat": "Sum",
                },
            }
            for name in ("Invocations", "Errors")
        ]
        runs, errors = self._running.client("cloudwatch").get_metric_data(
            MetricDataQueries=queries, StartTime=now - timedelta(days=1), EndTime=now
        )["MetricDataResults"]
        minutes = (
            (max(runs["Timestamps"]) - min(runs["Timestamps"])) // timedelta(minutes=1) + 1 if runs["Values"] else 0
        )
        return check(
            "The planner ran every minute",
            expected=f"{minutes} runs in {minutes} minutes, 0 errors",
            seen=f"{sum(runs['Values']):.0f} runs in {len(runs['Values'])} minutes, {sum(errors['Values']):.0f} errors",
            passed=bool(minutes) and runs["Values"] == [1] * minutes and not any(errors["Values"]),
        )

    def _follows_plans(self, cause: str) -> bool:
        """Whether the alarm that caused a scaling activity watches what the planner published."""
        name = cause.removeprefix("monitor alarm ").partition(" ")[0]
        alarms = self._running.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return any(alarm.get("Namespace") == PLANS for alarm in alarms)

    def _check_alarm(self, mailbox: Mailbox) -> list[Check]:
        alarm = self._system.dead_letters_alarm
        mail = mailbox.wait_for(
            lambda mail: mail.get("AlarmName") == alarm and mail.get("NewStateValue") == "ALARM", within=MAIL_SECONDS
        )
        alarms = self._running.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
        return [
            check("The dead-letter alarm was raised", expected="ALARM", seen=alarms[0]["StateValue"]),
            check("The dead-letter alarm sent a mail", expected="one mail", seen="one mail" if mail else "no mail"),
        ]

    def _check_tasks(self, report_task: str, mailbox: Mailbox) -> list[Check]:
        killed, in_flight = self._killed or (None, 0)
        end = killed and mailbox.wait_for(lambda mail: mail.get("task") == killed.task, within=MAIL_SECONDS)
        bulk = [name for name in self._table() if name.startswith("bulk-")]
        return [
            check("A busy worker was killed", expected="messages in flight", seen=in_flight, passed=in_flight > 0),
            check("Its end was reported on the alerts topic", expected="exit code 137", seen=_exit_code(end)),
            check("The bulk file was imported by its own task", expected=self._bulk_rows(), seen=len(bulk)),
            check("The scheduled task ended well", expected=0, seen=self._running.exit_code(report_task)),
            self._check_report(),
        ]

    def _bulk_rows(self) -> int:
        return sum(name.startswith("bulk-") for name in self._workload.valid)

    def _check_report(self) -> Check:
        s3, bucket = self._running.client("s3"), self._system.bucket
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix="reports/").get("Contents", [])]
        report: Mapping[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=keys[0])["Body"].read()) if keys else {}
        counts = {prefix: report.get(prefix, {}).get("files", 0) for prefix in ("incoming", "bulk")}
        files = {prefix: sum(key.startswith(prefix) for key in self._reported) for prefix in counts}
        return check("The report counts every file", expected=_words(files), seen=_words(counts))


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _totals(orders: str | None, cents: str | None) -> Totals:
    return Totals(orders=int(orders or 0), total_cents=int(cents or 0))


def _order(item: Mapping[str, Mapping[str, str]]) -> Order:
    return Order(
        order_id=item["order_id"]["S"],
        customer_id=item["customer_id"]["S"],
        amount_cents=int(item["amount_cents"]["N"]),
        currency=item["currency"]["S"],
        note=item["note"]["S"],
    )


def _exit_code(mail: Mail | None) -> str:
    if mail is None:
        return "no mail"
    codes = [container.get("exitCode") for container in mail.get("containers", [])]
    return f"exit code {codes[0]}" if codes else "a mail without containers"
