"""What a runbook says beyond the alarm's own words: how to read the first answer, causes, steps, and the end of it.

Placeholders: the alarm's text has the real names in its first command.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RunbookText:
    reading: str
    causes: tuple[str, ...]
    steps: tuple[str, ...]
    over: str


_LOGS = (
    "`aws logs tail --since 1h $(aws logs describe-log-groups --log-group-name-pattern <worker> "
    "--query 'logGroups[0].logGroupName' --output text)`"
)
_URL = "$(aws sqs get-queue-url --queue-name {} --query QueueUrl --output text)"
_DEAD_URL = _URL.format("<dead-letter-queue>")
_PEEK = (
    "`aws sqs receive-message --max-number-of-messages 10 --visibility-timeout 30 --message-attribute-names All "
    f"--message-system-attribute-names All --queue-url {_DEAD_URL}`"
)
_REDRIVE = (
    "`aws lambda invoke --cli-binary-format raw-in-base64-out --function-name <redrive function> "
    '--payload \'{"action":"start","queue":"<worker>"}\' /dev/stdout`'
)
_PLAN_ONCE = (
    "`aws lambda invoke --cli-binary-format raw-in-base64-out --function-name <function> --payload "
    "\"$(aws events list-targets-by-rule --rule <rule> --query 'Targets[0].Input' --output text)\" /dev/stdout`"
)
_TASKS = "`aws ecs describe-services --cluster <cluster> --services <service> --query 'services[0].events[:10]'`"
_STOPPED = (
    "`aws ecs list-tasks --cluster <cluster> --desired-status STOPPED`, then "
    "`aws ecs describe-tasks --cluster <cluster> --tasks <task> "
    "--query 'tasks[].[stopCode,stoppedReason,containers[].[name,exitCode,reason]]'`"
)
_ROLL_BACK = (
    "If it began with a deployment, roll back: `aws ecs update-service --cluster <cluster> --service <service> "
    "--task-definition <the revision before>`, and deploy the older version when there is time."
)

TEXTS: dict[str, RunbookText] = {
    "DeadLetters": RunbookText(
        reading="ApproximateNumberOfMessages is how many there are. One is a bad message; hundreds are an outage.",
        causes=(
            "Poison: the message breaks the schema or is too large, and the worker gave it up at once, with a reason.",
            "A dependency failed for longer than five tries take.",
            "A new version of the worker, or of whoever sends, changed the message.",
        ),
        steps=(
            f"Look at them without taking them: {_PEEK}. The attribute dlq.reason says why the worker gave one up; "
            "without it SQS did, after too many receives, and the worker's log says why.",
            f"Read the log at the time they arrived: {_LOGS}.",
            "Mend the cause first. A redrive before that only brings them back here.",
            f"Then redrive, slowly: {_REDRIVE}; ask with `status`, stop with `cancel`.",
            "Messages that can never succeed: keep a copy, tell the sender, then delete them one by one.",
        ),
        over="The dead-letter queue is empty. Dead letters older than 14 days are deleted by SQS, which also ends the "
        "alarm: do not let that be the reason.",
    ),
    "DeadLettersRising": RunbookText(
        reading="Compare ApproximateNumberOfMessages with what you saw last time: the difference is new.",
        causes=(
            "What killed the first dead letters was never mended.",
            "A redrive is running and its messages fail again.",
            "A second, different fault hides behind the first.",
        ),
        steps=(
            f"Look at the newest ones: {_PEEK}. Are their reasons the same as before?",
            "If a redrive is running, cancel it: it feeds the fault. Invoke the redrive function with "
            '`{"action":"cancel","queue":"<worker>"}`.',
            "Go on as for [DeadLetters](dead-letters.md).",
        ),
        over="No dead letter has been added for a minute. DeadLetters stays raised until the queue is empty.",
    ),
    "OldestMessageTooOld": RunbookText(
        reading="ApproximateNumberOfMessages is the backlog, ApproximateNumberOfMessagesNotVisible what is in work. "
        "A long backlog is a lack of speed; a short one with a great age is a message that keeps failing.",
        causes=(
            "More work than the tasks can do: see [AtMaxCapacity](at-max-capacity.md).",
            "The handler became slower, usually because something it calls did.",
            "Tasks cannot start, or stop at once: see [NoTaskRunning](no-task-running.md).",
            "FIFO: one failing message holds up its whole group.",
        ),
        steps=(
            f"Are tasks running, and is the service trying to start more? {_TASKS}",
            f"Is the handler slow or failing? {_LOGS}",
            "If it is healthy but too slow, raise max_tasks in the environment's file and deploy.",
            "If a dependency is slow, more tasks make it worse: mend the dependency first.",
        ),
        over="The age is below the limit again. It falls at once when the oldest message is done, so watch the backlog "
        "shrink as well.",
    ),
    "QueueStuck": RunbookText(
        reading="The last lines say what the tasks were doing when they stopped finishing messages.",
        causes=(
            "A call in the handler hangs without a timeout.",
            "Every message fails: a missing permission, an expired credential, a dependency that is down.",
            "No task is running: see [NoTaskRunning](no-task-running.md).",
            "A single message takes longer than max_processing allows for.",
        ),
        steps=(
            f"Do tasks run? {_TASKS}",
            "If the log shows errors, mend what they name; messages come back by themselves.",
            "If the log is silent, the handler hangs. Start fresh tasks: `aws ecs update-service --cluster <cluster> "
            "--service <service> --force-new-deployment`. Messages in hand return when their visibility times out.",
            _ROLL_BACK,
        ),
        over="NumberOfMessagesDeleted is above 0 again and the backlog shrinks.",
    ),
    "NoTaskRunning": RunbookText(
        reading="The events name the reason: no capacity, an image that cannot be pulled, a container that exits. "
        "A desiredCount of 0 means that nobody asked for tasks.",
        causes=(
            "The image is missing, or its registry cannot be reached (NAT or endpoints).",
            "The container exits at once: a missing variable, permission or dependency.",
            "Its health check fails, so ECS replaces it again and again.",
            "Fargate or Spot has no capacity in these zones.",
            "Scaling set the desired count to 0, or someone did.",
        ),
        steps=(
            f"Why did the last tasks stop? {_STOPPED}",
            f"What did they say? {_LOGS}",
            _ROLL_BACK,
            "If the desired count is 0 and should not be: `aws ecs update-service --cluster <cluster> "
            "--service <service> --desired-count 1`, then find out who changed it.",
            "If Spot has no capacity, set spot_from to the number of tasks you need on demand, and deploy.",
        ),
        over="runningCount is 1 or more and stays there for five minutes.",
    ),
    "HandlerFailing": RunbookText(
        reading="Each failure is one line with the message's id, the error and how often it was tried.",
        causes=(
            "A dependency is down, slow or refuses: see what the error names.",
            "A deployment brought a fault.",
            "A sender sends something new that the schema lets pass.",
        ),
        steps=(
            "One error for all, or a few messages only? All: a dependency or a fault. A few: the messages.",
            _ROLL_BACK,
            "Messages that cannot succeed end up among the dead letters: go on there with "
            "[DeadLetters](dead-letters.md).",
        ),
        over="No more failures in the log. What failed meanwhile is tried again by itself.",
    ),
    "AtMaxCapacity": RunbookText(
        reading="desiredCount equals max_tasks. runningCount below it means that tasks cannot start: see "
        "[NoTaskRunning](no-task-running.md).",
        causes=(
            "A peak that is larger than planned; it passes.",
            "A sender repeats itself.",
            "The handler became slower.",
        ),
        steps=(
            "Is the backlog shrinking? Then wait: the peak passes.",
            "Can what the handler calls bear more tasks? If so raise max_tasks in the environment's file and deploy. "
            "The check at synthesis refuses more than the cache's connections allow.",
            "In a hurry: `aws application-autoscaling register-scalable-target --service-namespace ecs "
            "--scalable-dimension ecs:service:DesiredCount --resource-id service/<cluster>/<service> "
            "--max-capacity <more>`; the next deployment undoes it.",
        ),
        over="Fewer tasks than the maximum run, or no message waits.",
    ),
    "ScalingMetricMissing": RunbookText(
        reading="An answer means that the queue exists; an error names what is wrong with it.",
        causes=(
            "No task polls the queue, so SQS fell asleep: see [NoTaskRunning](no-task-running.md).",
            "The queue was deleted or replaced.",
            "CloudWatch is late or down in this region.",
        ),
        steps=(
            f"Are tasks running and polling? {_TASKS}",
            "Is there trouble in the region? https://health.aws.amazon.com",
            "While it lasts no task is removed, and only the scaling planner's workers get more. "
            "Set the number by hand if work piles up: "
            "`aws ecs update-service --cluster <cluster> --service <service> --desired-count <tasks>`",
        ),
        over="ApproximateNumberOfMessagesVisible has a value every minute again.",
    ),
    "RunFailed": RunbookText(
        reading="The last lines before the end say why. Exit code 10 means that another try may help, 20 that the work "
        "itself is bad, 137 that the task was killed: out of memory, or still busy after its stop timeout.",
        causes=(
            "The program failed.",
            "The task never started: image, permissions, network or capacity.",
            "The task was killed: memory, or a Spot interruption.",
        ),
        steps=(
            "The stopped-task alert of the same minute carries the exit code and the container's reason.",
            "Never started? `aws ecs list-tasks --cluster <cluster> --desired-status STOPPED --family <family>`, then "
            "`aws ecs describe-tasks` for its stoppedReason.",
            "Mend it, then run it once by hand if the next run is too far off: `aws ecs run-task --cluster <cluster> "
            "--task-definition <family> --launch-type FARGATE --network-configuration <as in the schedule>`. "
            "Set SCHEDULED_TIME to the time you make up for, by --overrides.",
        ),
        over="A run ends with exit code 0. The alarm itself goes back to OK after a minute, which means nothing.",
    ),
    "RunMissed": RunbookText(
        reading="No line in the log: the task never ran. Lines without an end: it hangs. An error at the end: it "
        "fails, and [RunFailed](run-failed.md) was raised as well.",
        causes=(
            "The schedule is disabled, or has another time zone than you think.",
            "Runs fail.",
            "A run hangs and, with an overlap guard, keeps the others from starting.",
            "Scheduler could not start the task: see [UndeliveredEvents](undelivered-events.md).",
            "This is the first deployment, and the first run is still to come.",
        ),
        steps=(
            '`aws scheduler list-schedules --query "Schedules[].[Name,State]"`, then `aws scheduler get-schedule '
            "--name <schedule>`: is it ENABLED, with the right expression and time zone?",
            "Does a run hang? `aws ecs list-tasks --cluster <cluster> --family <family>`; stop it with "
            "`aws ecs stop-task --cluster <cluster> --task <task>`. Its lease ends by itself.",
            "Make up for the missed run as in [RunFailed](run-failed.md).",
        ),
        over="A run has ended with exit code 0.",
    ),
    "InvocationsFailed": RunbookText(
        reading="The answer shows where the rule sends its events; does the target exist, and may EventBridge use it?",
        causes=(
            "The target was deleted or replaced, or its policy or key no longer lets EventBridge in.",
            "ECS refused to start the task: a quota, no capacity, or a burst above what RunTask allows.",
            "The event does not fit: a value that the target refuses.",
        ),
        steps=(
            "Read the event and the reason in the dead-letter queue, as in [UndeliveredEvents](undelivered-events.md).",
            "Throttled by RunTask? Then the objects come too fast for one task each: let them queue up, "
            "with on_object_created of a QueueWorker.",
            "After mending, do again what each event asked for; the event is the message's body.",
        ),
        over="No more failed invocations, and the dead-letter queue is empty.",
    ),
    "UndeliveredEvents": RunbookText(
        reading="The body is the event or the alert. ERROR_CODE and ERROR_MESSAGE say why it was not delivered.",
        causes=(
            "A missing permission: the role, the queue's or topic's policy, or the key's policy.",
            "The target no longer exists.",
            "ECS had no capacity or refused the rate for as long as the tries lasted.",
            "A subscriber of the alerts does not answer; then the body is an alert and TopicArn is in it.",
        ),
        steps=(
            "Mend what ERROR_MESSAGE names.",
            "A rule's event: `aws events put-events` cannot replay an AWS event; start the task by hand with "
            "`aws ecs run-task`, with the values from the body.",
            "A schedule's run: make up for it as in [RunFailed](run-failed.md).",
            "An alert: read it now, somebody should have.",
            f"Delete what is done with: `aws sqs delete-message --receipt-handle <handle> --queue-url {_DEAD_URL}`.",
        ),
        over="The dead-letter queue is empty.",
    ),
    "RedisBusy": RunbookText(
        reading="CacheNodeType says how large the nodes are, and whether one is being replaced.",
        causes=(
            "A costly command: KEYS, a large range, a script that loops.",
            "More tasks than before, each with its own load.",
            "A snapshot or a resynchronisation on a small node.",
        ),
        steps=(
            "Which commands? In CloudWatch compare KeyBasedCmds, GetTypeCmds, SetTypeCmds and EvalBasedCmds.",
            "Slow ones: connect from a task and run `SLOWLOG GET 20`.",
            "Lower max_tasks of the workers that use it, if the work can wait.",
            "Take a larger node type in the environment's file; the change is made online.",
        ),
        over="The load is below the limit for five minutes.",
    ),
    "RedisMemoryHigh": RunbookText(
        reading="CacheNodeType says how much memory there is.",
        causes=(
            "Keys without a time to live.",
            "A read model that has grown with its data.",
            "Clients that do not read their answers: output buffers fill up.",
        ),
        steps=(
            "From a task: `INFO memory`, then `--bigkeys` and `--memkeys` of valkey-cli.",
            "Give keys a time to live where the data allows it.",
            "Take a larger node type in the environment's file.",
        ),
        over="Less than 80 % is used, and it no longer grows from day to day.",
    ),
    "RedisConnectionsHigh": RunbookText(
        reading="CurrConnections divided by the running tasks is what each holds; REDIS_MAX_CONNECTIONS is its share.",
        causes=(
            "A client outside the budget connects: a shell, another service.",
            "A task opens a connection per message and never closes it.",
            "A deployment runs old and new tasks side by side; that much is planned for.",
        ),
        steps=(
            "Who? From a task: `CLIENT LIST`, counted by name and address.",
            "Restart what leaks: `aws ecs update-service --cluster <cluster> --service <service> "
            "--force-new-deployment`.",
            "Lower connections_per_task or max_tasks, or take a larger node type.",
        ),
        over="CurrConnections is below 80 % of the budget.",
    ),
    "RedisEvictions": RunbookText(
        reading="Memory is full: see [RedisMemoryHigh](redis-memory-high.md), which should have come first.",
        causes=(
            "The data outgrew the node.",
            "Data that must stay shares a cache with data that may go.",
        ),
        steps=(
            "What was evicted is lost: rebuild the read model from the table it was made from.",
            "Take a larger node type in the environment's file.",
            "Keep data that must stay in a cache of its own.",
        ),
        over="No more evictions, and what was lost has been rebuilt.",
    ),
    "RedisReplicationLag": RunbookText(
        reading="CacheClusterStatus other than available means that a node is being replaced or synchronised.",
        causes=(
            "More writes than the replica's node can take.",
            "A full resynchronisation after a failover or a replacement.",
            "The network between the zones.",
        ),
        steps=(
            "Wait for a resynchronisation to end; do not fail over now.",
            "If writes are the reason, spread them out or take a larger node type.",
        ),
        over="The lag is below 10 s.",
    ),
    "RedriveFailed": RunbookText(
        reading="The error names the AWS call that failed. A request which makes no sense is answered, not raised.",
        causes=(
            "The function may not use the queue or its key: a policy was changed.",
            "SQS cannot be reached from the function's subnets: the endpoint or the NAT gateway is gone.",
        ),
        steps=(
            'Ask how the last redrive stands: invoke the function with `{"action":"status","queue":"<worker>"}`, or '
            "`aws sqs list-message-move-tasks --source-arn <dead-letter queue's ARN>`.",
            "Mend what the error names and start again. Messages that moved already are not moved twice.",
            "In a hurry, without the function: `aws sqs start-message-move-task --source-arn <dead-letter queue's ARN> "
            "--destination-arn <queue's ARN> --max-number-of-messages-per-second 5`.",
        ),
        over="A call with `status` answers.",
    ),
    "PlannerSilent": RunbookText(
        reading="State should be Active and LastUpdateStatus Successful; anything else comes with a reason.",
        causes=(
            "The rule that runs it every minute is disabled, or may no longer invoke it.",
            "Its reserved concurrency was set to 0, or the account's concurrency is used up.",
        ),
        steps=(
            "Is work piling up? Then set the number of tasks by hand first: `aws ecs update-service "
            "--cluster <cluster> --service <service> --desired-count <tasks>`. It stays so until there are plans.",
            "Look at the rule: `aws events list-rule-names-by-target --target-arn <function's ARN>`, then "
            "`aws events describe-rule --name <rule>`; it should be ENABLED.",
            f"Run it once: {_PLAN_ONCE}. If that works, the fault is in the rule or its permission: deploy the stack "
            "again.",
        ),
        over="There is a plan every minute again; the first one brings each worker to the tasks it needs.",
    ),
    "PlannerFailing": RunbookText(
        reading="PlanningFailed names each worker that was left out and why; any other error concerns them all.",
        causes=(
            "A queue or a service was deleted or renamed outside of CloudFormation.",
            "The function may not read the queue, the service or the metrics: a policy was changed.",
            "AWS cannot be reached from the function's subnets: the endpoint for ecs, sqs or monitoring, or the NAT "
            "gateway, is gone.",
        ),
        steps=(
            "Is work piling up for the worker it names? Then set its tasks by hand first: `aws ecs update-service "
            "--cluster <cluster> --service <service> --desired-count <tasks>`.",
            "Mend what the error names; a stack that has drifted is mended by deploying it again.",
            f"Run it once: {_PLAN_ONCE}.",
        ),
        over="Three minutes without an error have passed.",
    ),
}
