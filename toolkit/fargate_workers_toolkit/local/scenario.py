"""A day of the order pipeline in a minute: orders arrive, some are bad, a worker is killed, a report is due."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from fargate_workers_toolkit.local.checks import Check, check, check_same
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.mailbox import Mail, Mailbox
from fargate_workers_toolkit.local.orders import Order, Totals, Workload
from fargate_workers_toolkit.local.progress import Progress
from fargate_workers_toolkit.local.system import OrderPipeline
from fargate_workers_toolkit.local.workspace import Workspace

POLL_SECONDS = 0.5
# A killed worker's messages come back when their lease has run out.
DEADLINE_SECONDS = 300
MAIL_SECONDS = 20
# Far enough into the work that every worker is busy, early enough that much is left.
APPLIED_BEFORE_KILL = 50
# Where the planner publishes what the policies act on.
PLANS = "FargateWorkers/Scaling"


class Scenario:
    """Feeds the deployed system and collects what came of it. Every wait ends by itself; the checks tell the rest."""

    def __init__(
        self, *, workspace: Workspace, aws: EmbeddedAws, system: OrderPipeline, workload: Workload, progress: Progress
    ) -> None:
        self._workspace = workspace
        self._aws = aws
        self._system = system
        self._workload = workload
        self._progress = progress
        self._killed: tuple[str, int] | None = None

    def play(self) -> list[Check]:
        """Everything in order; returns what it came to."""
        system = self._system
        mailbox = Mailbox(sqs=system.client("sqs"), sns=system.client("sns"), topic_arn=system.alerts_topic_arn)
        with self._progress.step("Upload order files") as say:
            for key, text in self._workload.files.items():
                system.client("s3").put_object(Bucket=system.bucket, Key=key, Body=text.encode())
            say(f"{len(self._workload.files)} files, {self._workload.rows} rows")
        with self._progress.step("Fire the hourly schedule"):
            report_task = self._aws.post(f"schedules/default/{system.schedule}/invocations")["tasks"][0]
        with self._progress.step("Kill a worker with messages in its hands") as say:
            self._kill_a_worker()
            say(f"signal 9, {self._killed[1]} messages in flight" if self._killed else "none was ever busy")
        with self._progress.step("Wait until the work is done") as say:
            self._wait(lambda: self._is_done(say))
        with self._progress.step("Wait until the service has scaled in") as say:
            self._wait(lambda: self._is_scaled_in(say))
        # Before the replay, which scales the service and empties the dead-letter queue for a while.
        before = [*self._check_scaling(), *self._check_alarm(mailbox)]
        with self._progress.step("Replay the dead letters") as say:
            replay = self._replay(say)
        with self._progress.step("Look at what happened"):
            return [*self._check_orders(), *before, *self._check_tasks(report_task, mailbox), replay]

    # Driving

    def _kill_a_worker(self) -> None:
        """Waits until orders are being applied, then ends one worker without a warning."""

        def busy() -> bool:
            depth = self._depth(self._system.orders_queue_url)
            workers = self._workers()
            if not workers or not depth["ApproximateNumberOfMessagesNotVisible"]:
                return False
            if len(self._table()) < APPLIED_BEFORE_KILL:
                return False
            os.kill(workers[0]["pid"], signal.SIGKILL)
            self._killed = workers[0]["task"], depth["ApproximateNumberOfMessagesNotVisible"]
            return True

        self._wait(busy, pause=0.1)

    def _workers(self) -> list[Mapping[str, Any]]:
        """The running processes of the service that applies orders."""
        ecs, cluster = self._system.client("ecs"), self._system.cluster
        arns = ecs.list_tasks(cluster=cluster, serviceName=self._system.apply_orders_service)["taskArns"]
        return [item for item in self._aws.get("containers") if item["task"] in arns and item["status"] == "running"]

    def _is_done(self, say: Callable[[str], None]) -> bool:
        system = self._system
        imports, orders = self._depth(system.import_queue_url), self._depth(system.orders_queue_url)
        dead = self._depth(system.orders_dead_letter_queue_url)["ApproximateNumberOfMessages"]
        waiting = sum(imports.values()) + sum(orders.values())
        desired, running = self._tasks()
        say(f"{waiting} messages, {dead} dead letters, {running} of {desired} workers")
        return waiting == 0 and dead >= len(self._workload.bad) and self._killed is not None

    def _is_scaled_in(self, say: Callable[[str], None]) -> bool:
        desired, running = self._tasks()
        say(f"{running} of {desired} workers")
        return desired == running == self._bounds()[0]

    def _replay(self, say: Callable[[str], None]) -> Check:
        """Sends the dead letters back with the deployed function; they wake the service, which refuses them again."""
        answer = self._redrive("start")
        moved = 0

        def settled() -> bool:
            nonlocal moved
            moved = self._redrive("status").get("moved", 0)
            waiting = sum(self._depth(self._system.orders_queue_url).values())
            dead = self._depth(self._system.orders_dead_letter_queue_url)["ApproximateNumberOfMessages"]
            say(f"{moved} moved, {dead} refused again")
            return moved == dead == len(self._workload.bad) and not waiting

        if "refused" not in answer:
            self._wait(settled)
        expected = f"{len(self._workload.bad)} moved, {len(self._workload.bad)} refused again"
        dead = self._depth(self._system.orders_dead_letter_queue_url)["ApproximateNumberOfMessages"]
        seen = answer.get("refused", f"{moved} moved, {dead} refused again")
        return check("The redrive function replays dead letters", expected=expected, seen=seen)

    def _redrive(self, action: str) -> dict[str, Any]:
        request = json.dumps({"action": action, "queue": "ApplyOrders"}).encode()
        answer = self._system.client("lambda").invoke(FunctionName=self._system.redrive_function, Payload=request)
        return json.loads(answer["Payload"].read())

    def _wait(self, done: Callable[[], bool], *, pause: float = POLL_SECONDS) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not done() and time.monotonic() < deadline:
            time.sleep(pause)

    # Looking

    def _depth(self, url: str) -> dict[str, int]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._system.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return {name: int(attributes[name]) for name in names}

    def _tasks(self) -> tuple[int, int]:
        """Desired and running workers."""
        services = self._system.client("ecs").describe_services(
            cluster=self._system.cluster, services=[self._system.apply_orders_service]
        )["services"]
        return services[0]["desiredCount"], services[0]["runningCount"]

    def _bounds(self) -> tuple[int, int]:
        """The fewest and most workers there may be."""
        targets = self._scaling("describe_scalable_targets", ResourceIds=[self._resource_id()])["ScalableTargets"]
        return targets[0]["MinCapacity"], targets[0]["MaxCapacity"]

    def _scaling(self, operation: str, **arguments: Any) -> Any:
        return getattr(self._system.client("application-autoscaling"), operation)(ServiceNamespace="ecs", **arguments)

    def _resource_id(self) -> str:
        return f"service/{self._system.cluster}/{self._system.apply_orders_service}"

    def _table(self) -> dict[str, Order]:
        """Every item of the orders table."""
        pages = self._system.client("dynamodb").get_paginator("scan").paginate(TableName=self._system.orders_table)
        items = [item for page in pages for item in page["Items"]]
        return {item["order_id"]["S"]: _order(item) for item in items}

    def _read_model(self) -> dict[str, Totals]:
        """What the cache says of every customer."""
        # Only the sample needs it: the command must start without.
        import redis  # noqa: PLC0415

        host, port, user = self._system.cache
        with redis.Redis(
            host=host,
            port=port,
            ssl=True,
            ssl_ca_certs=str(self._workspace.certificate_authority),
            username=user,
            password="any",  # noqa: S106 there is no IAM here to ask
            decode_responses=True,
        ) as connection:
            client: Any = connection
            keys: list[str] = list(client.scan_iter("customer:*"))
            return {key.removeprefix("customer:"): _totals(*client.hmget(key, "orders", "total_cents")) for key in keys}

    def _dead_letters(self) -> dict[str, str]:
        """Order id and reason of every dead letter."""
        sqs, url = self._system.client("sqs"), self._system.orders_dead_letter_queue_url
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
        queues = (self._system.import_queue_url, self._system.orders_queue_url)
        waiting = sum(sum(self._depth(url).values()) for url in queues)
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
        activities = self._scaling("describe_scaling_activities", ResourceId=self._resource_id())["ScalingActivities"]
        counts = [
            int(activity["Description"].rstrip(".").rsplit(" ", 1)[-1])
            for activity in reversed(activities)
            if self._follows_plans(activity["Cause"])
        ]
        path = " -> ".join(str(count) for count in counts) or "none"
        desired, running = self._tasks()
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
                seen=f"{path}; {desired} desired, {running} running",
                passed=bool(counts) and counts[-1] == least == desired == running,
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
        runs, errors = self._system.client("cloudwatch").get_metric_data(
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
        alarms = self._system.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return any(alarm.get("Namespace") == PLANS for alarm in alarms)

    def _check_alarm(self, mailbox: Mailbox) -> list[Check]:
        alarm = self._system.dead_letters_alarm
        told = mailbox.wait_for(
            lambda mail: mail.get("AlarmName") == alarm and mail.get("NewStateValue") == "ALARM", within=MAIL_SECONDS
        )
        alarms = self._system.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
        return [
            check("The dead-letter alarm was raised", expected="ALARM", seen=alarms[0]["StateValue"]),
            check("The dead-letter alarm was told", expected="one mail", seen="one mail" if told else "no mail"),
        ]

    def _check_tasks(self, report_task: str, mailbox: Mailbox) -> list[Check]:
        killed, in_flight = self._killed or ("", 0)
        end = mailbox.wait_for(lambda mail: bool(killed) and mail.get("task") == killed, within=MAIL_SECONDS)
        bulk = [name for name in self._table() if name.startswith("bulk-")]
        return [
            check("A busy worker was killed", expected="messages in flight", seen=in_flight, passed=in_flight > 0),
            check("Its end was told on the alerts topic", expected="exit code 137", seen=_exit_code(end)),
            check("The bulk file was imported by its own task", expected=self._bulk_rows(), seen=len(bulk)),
            check("The scheduled task ended well", expected="exit code 0", seen=self._exit_code_of(report_task)),
            self._check_report(),
        ]

    def _bulk_rows(self) -> int:
        return sum(name.startswith("bulk-") for name in self._workload.valid)

    def _exit_code_of(self, task: str) -> str:
        tasks = self._system.client("ecs").describe_tasks(cluster=self._system.cluster, tasks=[task])["tasks"]
        return f"exit code {tasks[0]['containers'][0].get('exitCode')}" if tasks else "no such task"

    def _check_report(self) -> Check:
        s3, bucket = self._system.client("s3"), self._system.bucket
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix="reports/").get("Contents", [])]
        report: Mapping[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=keys[0])["Body"].read()) if keys else {}
        counts = {prefix: report.get(prefix, {}).get("files", 0) for prefix in ("incoming", "bulk")}
        files = {prefix: sum(key.startswith(prefix) for key in self._workload.files) for prefix in counts}
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
