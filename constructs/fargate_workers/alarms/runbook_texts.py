"""What a runbook adds to the alarm's own text: how to read the first answer, causes, steps, and the end of it.

Placeholders: the alarm's text has the real names in its first command. Commands are for AWS CLI 2.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RunbookText:
    reading: str
    causes: tuple[str, ...]
    steps: tuple[str, ...]
    over: str


_LOGS = "`aws logs tail --since 1h <log-group>`"
_URL = "$(aws sqs get-queue-url --queue-name {} --query QueueUrl --output text)"
_DEAD_URL = _URL.format("<dead-letter-queue>")
_PEEK = (
    "`aws sqs receive-message --max-number-of-messages 10 --visibility-timeout 30 --message-attribute-names All "
    f"--message-system-attribute-names All --queue-url {_DEAD_URL}`"
)
_INVOKE = "aws lambda invoke --cli-binary-format raw-in-base64-out --function-name"
_REDRIVE = (
    f'`{_INVOKE} <function> --payload \'{{"action":"start","queue":"<worker>"}}\' redrive.json && cat redrive.json`'
)
_CANCEL = (
    f'`{_INVOKE} <function> --payload \'{{"action":"cancel","queue":"<worker>"}}\' redrive.json && cat redrive.json`'
)
_REDRIVE_FUNCTION = (
    "`aws cloudformation describe-stacks --stack-name <stack> "
    "--query \"Stacks[0].Outputs[?contains(OutputKey, 'FunctionName')].[OutputKey,OutputValue]\" --output text`"
)
_PLAN_ONCE = (
    f"`{_INVOKE} <function> --payload "
    "\"$(aws events list-targets-by-rule --rule <rule> --query 'Targets[0].Input' --output text)\" plan.json`"
)
_MAPPING = "aws lambda update-event-source-mapping --uuid <the-id-of-the-event-source-mapping>"
_DELETE = f"`aws sqs delete-message --receipt-handle <handle> --queue-url {_DEAD_URL}`"
_CACHE_METRIC = (
    "`aws cloudwatch get-metric-statistics --namespace AWS/ElastiCache --metric-name {} --statistics Maximum "
    "--period 60 --dimensions Name=CacheClusterId,Value=<cache>-001 --start-time <start> --end-time <end>`"
)
_DATABASE_METRIC = (
    "`aws cloudwatch get-metric-statistics --namespace AWS/RDS --metric-name {} --statistics Maximum --period 60 "
    "--dimensions Name=DBClusterIdentifier,Value=<database> Name=Role,Value=WRITER --start-time <start> "
    "--end-time <end>`"
)
_MORE_CAPACITY = (
    "If it is urgent: `aws rds modify-db-cluster --db-cluster-identifier <database> "
    "--serverless-v2-scaling-configuration MinCapacity=<least>,MaxCapacity=<most>`, and write the same into the stack."
)
_SESSIONS = (
    "`aws rds-data execute-statement --resource-arn <cluster-arn> --secret-arn <master-secret-arn> --database <name> "
    '--sql "SELECT usename, state, count(*) FROM pg_stat_activity GROUP BY 1, 2"`'
)
# Run by hand, a task needs the variables that its schedule or rule would have set.
_NETWORK = "awsvpcConfiguration.{subnets: Subnets, securityGroups: SecurityGroups, assignPublicIp: AssignPublicIp}"
_RUN = "aws ecs run-task --cluster <cluster> --task-definition <family> --launch-type FARGATE --network-configuration "
_RUN_SCHEDULED = (
    f'`{_RUN}"$(aws scheduler get-schedule --name <schedule> --output json --query '
    f"'{{awsvpcConfiguration: Target.EcsParameters.NetworkConfiguration.{_NETWORK}}}')\" "
    '--overrides \'{"containerOverrides":[{"name":"worker","environment":[{"name":"SCHEDULE_NAME",'
    '"value":"<schedule\'s ARN>"},{"name":"SCHEDULED_TIME","value":"2026-01-31T06:00:00Z"}]}]}\'`'
).replace("<schedule's ARN>", "<schedule-arn>")
_RUN_FOR_OBJECT = (
    f'`{_RUN}"$(aws events list-targets-by-rule --rule <rule> --output json --query '
    f"'{{awsvpcConfiguration: Targets[0].EcsParameters.NetworkConfiguration.{_NETWORK}}}')\" "
    '--overrides \'{"containerOverrides":[{"name":"worker","environment":[{"name":"OBJECT_BUCKET",'
    '"value":"<bucket>"},{"name":"OBJECT_KEY","value":"<key>"},{"name":"OBJECT_SEQUENCER","value":"<sequencer>"}]}]}\'`'
)
_TASKS = "`aws ecs describe-services --cluster <cluster> --services <service> --query 'services[0].events[:10]'`"
_STOPPED = (
    "`aws ecs list-tasks --cluster <cluster> --desired-status STOPPED`, then "
    "`aws ecs describe-tasks --cluster <cluster> --tasks <task> "
    "--query 'tasks[].[stopCode,stoppedReason,containers[].[name,exitCode,reason]]'`"
)
_GROUP_METRIC = (
    "`aws cloudwatch get-metric-statistics --namespace AWS/Kafka --metric-name {} --dimensions "
    '\'[{{"Name":"Cluster Name","Value":"<kafka-cluster>"}}, {{"Name":"Consumer Group","Value":"<group>"}}, '
    '{{"Name":"Topic","Value":"<topic>"}}]\' '
    "--statistics Maximum --period 300 --start-time <three-hours-ago> --end-time <now>`"
)
_SOURCE_METRIC = (
    "`aws cloudwatch get-metric-statistics --namespace FargateWorkers/Sources --metric-name {} --dimensions "
    "Name=Source,Value=<source> --statistics Maximum --period 300 --start-time <three-hours-ago> --end-time <now>`"
)
_ROLL_BACK = (
    "If it began with a deployment, roll back. Which revisions are there? `aws ecs list-task-definitions --sort DESC "
    "--family-prefix <family> --max-items 5`, then `aws ecs update-service --cluster <cluster> --service <service> "
    "--task-definition <revision>`; deploy the older version when there is time."
)

TEXTS: dict[str, RunbookText] = {
    "DeadLetters": RunbookText(
        reading="ApproximateNumberOfMessages is how many there are. One is a bad message; hundreds are an outage.",
        causes=(
            "Poison: the message breaks the schema or is too large, and the worker gave it up at once, with a reason.",
            "A dependency failed for longer than a message's attempts take.",
            "A new version of the worker, or of the sender, changed the message.",
        ),
        steps=(
            "Look at those of one reason, as the first command prints it, with `--values` for what is in them: "
            "`fargate-workers dead-letters show <environment> <worker>`. By AWS CLI 2, ten at a time, without taking "
            f"them: {_PEEK}. Called again within half a minute, it shows others. The attribute dlq.reason is the "
            "reason for which the worker gave one up; without it SQS did, after too many receives, and the worker's "
            "log has the reason.",
            "Read the log at the time they arrived: `fargate-workers tail <environment> <worker>`. By AWS CLI 2: "
            f"{_LOGS}.",
            "Remove the cause first: a redrive before that only brings them back here. If a deployment did it, go "
            "back: `fargate-workers rollback <environment> <worker>`. The stack still describes what you went back "
            "from, so correct it before the next deployment.",
            "Then replay those of one reason, by the command that `dead-letters show` prints. No task has to run: "
            f"what is sent starts one. All of them, slowly, by AWS CLI 2: {_REDRIVE}; ask with `status`, stop with "
            "`cancel`. The function's name is in the alarm's text and among the outputs of its stack: "
            f"{_REDRIVE_FUNCTION}.",
            "Messages that can never succeed: inform the sender, then delete those of one reason with "
            "`fargate-workers dead-letters purge <environment> <worker> --where 'reason == \"schema*\"'`, which keeps "
            f"copies. By AWS CLI 2, keep a copy, and delete them one by one: {_DELETE}.",
        ),
        over="The dead-letter queue is empty. Letters that stay on purpose keep the alarm raised; let it notify nobody "
        "for a while: `fargate-workers mute <environment> <worker> --for 8h --why 'letters kept'`. Dead letters older "
        "than 14 days are deleted by SQS, which also ends the alarm: do not let that be the reason.",
    ),
    "DeadLettersRising": RunbookText(
        reading="Compare ApproximateNumberOfMessages with what you saw last time: the difference is new.",
        causes=(
            "The cause of the first dead letters was never removed.",
            "A redrive is running and its messages fail again.",
            "A second, different fault hides behind the first.",
        ),
        steps=(
            f"Look at the newest ones: {_PEEK}. Are their reasons the same as before?",
            f"If a redrive is running, cancel it: it feeds the fault. {_CANCEL}",
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
            "If a dependency is slow, more tasks make it worse: repair the dependency first.",
        ),
        over="The age is below the limit again. It falls at once when the oldest message is done, so watch the backlog "
        "shrink as well.",
    ),
    "QueueStuck": RunbookText(
        reading="The last lines show what the tasks were doing when they stopped finishing messages.",
        causes=(
            "A call in the handler hangs without a timeout.",
            "Every message fails: a missing permission, an expired credential, a dependency that is down.",
            "No task is running: see [NoTaskRunning](no-task-running.md).",
            "A single message takes longer than max_processing allows for.",
        ),
        steps=(
            f"Do tasks run? {_TASKS}",
            "If the log shows errors, correct what they name; messages come back by themselves.",
            "If the log is silent, the handler hangs. Start fresh tasks: `aws ecs update-service --cluster <cluster> "
            "--service <service> --force-new-deployment`. Messages in hand return when their visibility times out.",
            _ROLL_BACK,
        ),
        over="NumberOfMessagesDeleted is above 0 again and the backlog shrinks.",
    ),
    "LagTooOld": RunbookText(
        reading="The last lines show what the tasks are doing. Many keys that move slowly are a lack of speed; one key "
        "that fails again and again holds up its own records alone.",
        causes=(
            "More work than the tasks can do: see [AtMaxCapacity](at-max-capacity.md).",
            "The handler became slower, usually because something it calls did.",
            "One key receives most records, and its partition has one task.",
            "The group rebalances all the time: see [RebalancesOften](rebalances-often.md).",
        ),
        steps=(
            f"How far behind is the group? {_GROUP_METRIC.format('SumOffsetLag')}",
            "Is it one partition? MaxOffsetLag close to SumOffsetLag means that it is: more tasks do not help, a "
            f"better key does. {_GROUP_METRIC.format('MaxOffsetLag')}",
            f"Are tasks running, and is the service trying to start more? {_TASKS}",
            "If all partitions lag, raise max_tasks up to the number of partitions, and deploy. Beyond it, raise the "
            "partitions, too: keys move, so do it when the lag is small.",
        ),
        over="EstimatedMaxTimeLag is below the limit again, and SumOffsetLag shrinks.",
    ),
    "GroupStuck": RunbookText(
        reading="The last lines show what the tasks were doing when they stopped finishing records.",
        causes=(
            "A call in the handler hangs without a timeout.",
            "Every record fails: a missing permission, an expired credential, a dependency that is down.",
            "No task is running: see [NoTaskRunning](no-task-running.md).",
            "Tasks cannot sign in to the cluster, or are not let into the group.",
        ),
        steps=(
            f"Do tasks run? {_TASKS}",
            "Refused by Kafka? The log names the action, such as kafka-cluster:ReadData; a stack that has drifted is "
            "deployed once more.",
            "If the log shows other errors, correct what they name; records are tried again in their places.",
            "If the log is silent, the handler hangs. Start fresh tasks: `aws ecs update-service --cluster <cluster> "
            "--service <service> --force-new-deployment`. Partitions go to others within the session's timeout.",
            _ROLL_BACK,
        ),
        over="MessagesHandled is above 0 again and SumOffsetLag shrinks.",
    ),
    "DeadLetterTopicRising": RunbookText(
        reading="Each record that was given up is one line, with its topic, partition and offset, and the reason.",
        causes=(
            "Poison: the record breaks the schema or is too large.",
            "A dependency failed for longer than a record's attempts take.",
            "A new version of the worker, or of the sender, changed the record.",
        ),
        steps=(
            f"Read the log at the time they were sent: {_LOGS}.",
            "Where is the dead-letter topic, and how long does it keep them? `aws kafka describe-topic --cluster-arn "
            "<kafka-cluster-arn> --topic-name <dead-letter-topic>`. A record has the reason in its headers.",
            "Remove the cause first. A record that is sent back before that only comes here again.",
            "Then send them back with a Kafka client within the network: read the dead-letter topic, and write key, "
            "value and headers to the topic they came from.",
        ),
        over="No record was sent to the dead-letter topic for a minute. Those that are there stay until the topic's "
        "retention ends: do not let that be the reason.",
    ),
    "RebalancesOften": RunbookText(
        reading="PartitionCount is how many tasks can be busy. Tasks that come and go make the group share its "
        "partitions anew.",
        causes=(
            "Tasks stop and start: they crash, run out of memory, or fail their health check.",
            "Spot takes tasks away.",
            "A policy of your own changes the number of tasks too often; the planner changes it once in three minutes.",
            "A process was frozen for longer than the session's timeout.",
        ),
        steps=(
            f"Why did the last tasks stop? {_STOPPED}",
            f"Which events does the service list? {_TASKS}",
            "What changed the number of tasks? `aws application-autoscaling describe-scaling-activities "
            "--service-namespace ecs --resource-id service/<cluster>/<service>`",
            "If Spot is the reason, set spot_from to the tasks that you need on demand.",
            'With Kafka 4.0 or later, for_group(..., protocol="consumer") pauses fewer partitions at each of them.',
        ),
        over="In an hour, fewer than seven minutes have a rebalance.",
    ),
    "StreamNearlyFull": RunbookText(
        reading="CacheNodeType determines how much memory there is; the alarm's text has the entries planned for.",
        causes=(
            "More work than the tasks can do: see [AtMaxCapacity](at-max-capacity.md).",
            "Workers do not finish entries: see [EntriesStuck](entries-stuck.md).",
            "A producer sends far more than it did.",
            "Entries stay for several groups, and one of them is slow or gone.",
        ),
        steps=(
            f"Does it grow, and since when? {_SOURCE_METRIC.format('Length')}",
            f"Are tasks running? {_TASKS}",
            "Raise max_tasks, if what the handler calls bears it, and deploy.",
            "Is there memory for more entries? Then raise max_length; if not, take a larger node type first. The "
            "producer of the runtime refuses at 90 %, and its callers see it.",
        ),
        over="Less than 80 % of the entries are in the stream.",
    ),
    "EntriesLost": RunbookText(
        reading="The line entries_trimmed has their number, and the time at which a worker missed them.",
        causes=(
            "A producer adds with MAXLEN or MINID, which deletes the oldest entries, done or not.",
            "Somebody trimmed or deleted the stream by hand.",
            "Entries stay for several groups, and one of them was slower than that.",
        ),
        steps=(
            "Which producers add to the stream? Let them use the producer of the runtime, which refuses instead.",
            f"Was the stream full? {_SOURCE_METRIC.format('Length')}",
            "If a group was too slow, raise retain and its max_tasks, and deploy.",
            "Send the lost messages once more, from where they came: the stream has them no more.",
        ),
        over="No entry was missed for a minute, and the lost ones were sent again.",
    ),
    "OldestEntryTooOld": RunbookText(
        reading="The last lines show what the tasks are doing.",
        causes=(
            "More work than the tasks can do: see [AtMaxCapacity](at-max-capacity.md).",
            "The handler became slower, usually because something it calls did.",
            "An entry keeps failing, and waits for its next attempt.",
        ),
        steps=(
            f"How much waits? {_SOURCE_METRIC.format('Waiting')}",
            f"Are tasks running, and is the service trying to start more? {_TASKS}",
            "If it is healthy but too slow, raise max_tasks in the environment's file and deploy.",
            "If a dependency is slow, more tasks make it worse: repair the dependency first.",
        ),
        over="The age is below the limit again, and what waits shrinks.",
    ),
    "EntriesStuck": RunbookText(
        reading="The last lines show what the tasks were doing when they stopped finishing entries.",
        causes=(
            "A call in the handler hangs without a timeout.",
            "Every entry fails: a missing permission, a dependency that is down.",
            "No task is running: see [NoTaskRunning](no-task-running.md).",
            "The cache is replaced, full, or does not let the tasks in.",
        ),
        steps=(
            f"Do tasks run? {_TASKS}",
            "Is the cache well? `aws elasticache describe-replication-groups --replication-group-id <cache>`",
            "If the log shows errors, correct what they name; entries are delivered again by themselves.",
            "If the log is silent, the handler hangs. Start fresh tasks: `aws ecs update-service --cluster <cluster> "
            "--service <service> --force-new-deployment`. Entries in hand go to others when their leases end.",
            _ROLL_BACK,
        ),
        over="MessagesHandled is above 0 again and what waits shrinks.",
    ),
    "DeadEntries": RunbookText(
        reading="Each entry that was given up is one line with the reason.",
        causes=(
            "Poison: the entry breaks the schema or is too large, and the worker gave it up at once, with a reason.",
            "A dependency failed for longer than an entry's attempts take.",
            "A new version of the worker, or of the sender, changed the entry.",
        ),
        steps=(
            f"How many, and since when? {_SOURCE_METRIC.format('DeadLetters')}",
            f"Read the log at the time they were given up: {_LOGS}.",
            "Remove the cause first. An entry that is sent back before that only comes here again.",
            "Then read them within the network, as a task that may sign in to the cache: XRANGE on the stream that "
            "ends in :dead, or LRANGE on the list; each has its body and its reason. Send what can succeed once "
            "more, and delete what is done with.",
        ),
        over="No dead letter is left. They take memory until then, and nothing deletes them by itself.",
    ),
    "DeadEntriesRising": RunbookText(
        reading="Each entry that was given up is one line with the reason: are the newest the same as before?",
        causes=(
            "The cause of the first dead letters was never removed.",
            "Some were sent back, and fail again.",
            "A second, different fault hides behind the first.",
        ),
        steps=(
            f"Read the log of the last minutes: {_LOGS}.",
            "Go on as for [DeadEntries](dead-entries.md).",
        ),
        over="No dead letter has been added for a minute. DeadEntries stays raised until none is left.",
    ),
    "ObserverSilent": RunbookText(
        reading="State is Active when the function can run. ReservedConcurrentExecutions of 0 would stop it.",
        causes=(
            "The rule that runs it each minute is disabled.",
            "The account has no concurrency left for it.",
            "CloudWatch or EventBridge is late in this region.",
        ),
        steps=(
            "Is its rule enabled? `aws events list-rule-names-by-target --target-arn <function-arn>`, then "
            "`aws events describe-rule --name <rule>`.",
            "Is it throttled? `aws lambda get-account-settings`",
            "Meanwhile workers keep their tasks. Set the number by hand if work piles up: `aws ecs update-service "
            "--cluster <cluster> --service <service> --desired-count <tasks>`",
        ),
        over="Invocations has a value every minute again.",
    ),
    "ObserverFailing": RunbookText(
        reading="The error names the stream or the list, and what Redis answered.",
        causes=(
            "The cache is being replaced, or fails over.",
            "The function is not let in: a security group, or its role, was changed.",
            "A key holds something else than a stream or a list.",
        ),
        steps=(
            "Is the cache well? `aws elasticache describe-replication-groups --replication-group-id <cache>`",
            "NOPERM or WRONGPASS: the role must be allowed elasticache:Connect; deploy a drifted stack once more.",
            "WRONGTYPE: something else was written under the key that the error names. Find out what, before you "
            "delete it.",
        ),
        over="A run ends without an error, and Waiting has a value every minute again.",
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
            f"What did they log? {_LOGS}",
            _ROLL_BACK,
            "If the desired count is 0 and should not be: `aws ecs update-service --cluster <cluster> "
            "--service <service> --desired-count 1`, then find out who changed it.",
            "If Spot has no capacity, set spot_from to the number of tasks you need on demand, and deploy.",
        ),
        over="runningCount is 1 or more and stays there for five minutes.",
    ),
    "PausedTooLong": RunbookText(
        reading="The tags that begin with fargate-workers:paused name who paused it, why, when, and until when. "
        "Without them it is not paused: see [NoTaskRunning](no-task-running.md).",
        causes=(
            "The reason for the pause is gone, and nobody has resumed it.",
            "The reason is still there, and lasts longer than was thought.",
            "The person who paused it is asleep, on holiday or at another incident.",
        ),
        steps=(
            "Ask the person who paused it, or the one that the reason names.",
            "Is the reason gone? `fargate-workers resume <environment> <worker>` gives it back its tasks and its "
            "scaling; watch it with `fargate-workers status <environment> <worker> --watch`.",
            "Is it still there? Pause it once more, with the end that it has now: `fargate-workers pause "
            "<environment> <worker> --why <reason> --for 4h`. It keeps the numbers from before.",
            "How long do messages live? `aws sqs get-queue-attributes --attribute-names MessageRetentionPeriod "
            f"--queue-url {_URL.format('<queue>')}`. Raise it before the oldest one is deleted.",
        ),
        over="The worker is resumed, or its pause has an end that is still to come.",
    ),
    "OutboxTooOld": RunbookText(
        reading="A line outbox_not_sent names the queue, and what SQS answered.",
        causes=(
            "The worker's role may not send to the queue, or not use its key: any worker relays any row.",
            "The queue was deleted, or a row names the wrong one.",
            "SQS or the network between task and SQS is down.",
            "A message of the same FIFO group waits for its next try.",
        ),
        steps=(
            "AccessDenied, or a KMS error: allow the worker sqs:SendMessage on the queue and the use of its key, with "
            "`worker.allow([...], [...])`, and deploy.",
            "NonExistentQueue: deploy the queue, or correct queue_url in the rows that name it.",
            "No line at all? The tasks cannot reach the database, or none runs: see "
            "[NoTaskRunning](no-task-running.md).",
            "As the owner of the database: SELECT queue_url, count(*), min(created_at), max(tries) FROM message_outbox "
            "WHERE parked_reason IS NULL GROUP BY 1.",
        ),
        over="OutboxOldest is below a minute. What waited is sent by itself, within five minutes of the correction.",
    ),
    "OutboxParked": RunbookText(
        reading="A line outbox_parked has the row's id and SQS's code, such as InvalidMessageContents.",
        causes=(
            "The body has characters that SQS refuses, or is too large with its attributes.",
            "The message has a group where its queue is not FIFO, or none where it is.",
        ),
        steps=(
            "As the owner of the database: SELECT id, queue_url, parked_reason, body FROM message_outbox WHERE "
            "parked_reason IS NOT NULL.",
            "Correct the row and set parked_reason to NULL: the relay sends it within fifteen seconds. The messages "
            "of its FIFO group that came after it were sent already.",
            "A message that nobody needs any more: DELETE its row.",
            "Correct what writes such messages, and deploy.",
        ),
        over="No row is parked. A worker that sleeps reports nothing, which ends the alarm as well: look at the table.",
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
    "OutcomesGivenUp": RunbookText(
        reading="Each is one line with the message's id and the call that failed.",
        causes=(
            "SQS refused or did not answer for as long as the worker held the message.",
            "The worker may no longer delete, release or dead-letter: a policy or a key's policy was changed.",
            "The network between task and SQS is gone: the endpoint or the NAT gateway.",
        ),
        steps=(
            "Is there trouble in the region? https://health.aws.amazon.com",
            "AccessDenied in the log: correct the policy that it names; deploy a stack that has drifted once more.",
            "Without claims, the messages in these lines may be worked on twice: check what they did. With claims, "
            "nothing is left to do.",
        ),
        over="Messages are acknowledged again: NumberOfMessagesDeleted is as high as MessagesHandled.",
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
            "If it is urgent: `aws application-autoscaling register-scalable-target --service-namespace ecs "
            "--scalable-dimension ecs:service:DesiredCount --resource-id service/<cluster>/<service> "
            "--max-capacity <more>`; the next deployment undoes it.",
        ),
        over="Fewer tasks than the maximum run, or no message waits.",
    ),
    "FunctionFailing": RunbookText(
        reading="A line `event_refused`, `environment_replaced`, or one of Lambda's own (a time-out, no memory, an "
        "import that failed) names the reason.",
        causes=(
            "The module cannot be imported, or lacks its handler: a deployment brought a fault.",
            "A variable or a permission is missing, which the first lines of an environment name.",
            "The function has too little memory: Lambda ends it, and its whole batch comes back.",
            "A handler hangs without a timeout; the environment that has it is replaced at its next invocation.",
        ),
        steps=(
            "Which batches? Their messages come back when their visibility timeout ends; nothing is lost.",
            "If it began with a deployment, deploy the version before it.",
            "For memory: `aws lambda get-function-configuration --function-name <function> --query MemorySize`; raise "
            "memory_mib and deploy.",
            "Which mapping? `aws lambda list-event-source-mappings --function-name <function>`. To stop invocations "
            f"meanwhile: `{_MAPPING} --no-enabled`; later the same with --enabled instead.",
        ),
        over="Errors is 0 again, and what came back is handled.",
    ),
    "FunctionThrottled": RunbookText(
        reading="UnreservedConcurrentExecutions is what all functions without a reservation share.",
        causes=(
            "Other functions of the account use up its concurrency.",
            "reserved_concurrency is lower than what the event source mapping invokes; someone changed one of them.",
            "A new account may run few functions at once.",
        ),
        steps=(
            "What does the function have? `aws lambda get-function-concurrency --function-name <function>`",
            "What does the mapping ask for? `aws lambda list-event-source-mappings --function-name <function> "
            "--query 'EventSourceMappings[].[ScalingConfig,ProvisionedPollerConfig]'`",
            "Lower max_concurrency, set reserved_concurrency, or ask AWS for a higher quota.",
        ),
        over="Throttles is 0 again and the backlog shrinks.",
    ),
    "AtMaxConcurrency": RunbookText(
        reading="MaximumConcurrency is what the mapping may invoke at once.",
        causes=(
            "A peak that is larger than planned; it passes.",
            "A sender repeats itself.",
            "The handler became slower.",
        ),
        steps=(
            "Is the backlog shrinking? Then wait: the peak passes.",
            "Can what the handler calls bear more? If so raise max_concurrency and deploy.",
            f"If it is urgent: `{_MAPPING} --scaling-config MaximumConcurrency=100`; the next deployment undoes it.",
        ),
        over="Fewer invocations than the maximum run, or no message waits.",
    ),
    "NotInvoked": RunbookText(
        reading="State should be Enabled; StateTransitionReason and LastProcessingResult name what Lambda could not "
        "do.",
        causes=(
            "Someone switched the mapping off.",
            "The role may no longer receive from the queue, or use its key.",
            "The function may run no invocation: its reserved concurrency is 0.",
        ),
        steps=(
            f"If it is Disabled and should not be: `{_MAPPING} --enabled`",
            "What may the function run? `aws lambda get-function-concurrency --function-name <function>`",
            "A permission: deploy a stack that has drifted once more.",
        ),
        over="Invocations is above 0 again and the backlog shrinks.",
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
        reading="The last lines before the end show why. Exit code 10 means that another try may help, 20 that the "
        "work itself is bad, 137 that the task was killed: out of memory, or still busy after its stop timeout.",
        causes=(
            "The program failed.",
            "The task never started: image, permissions, network or capacity.",
            "The task was killed: memory, or a Spot interruption.",
        ),
        steps=(
            "The stopped-task alert of the same minute carries the exit code and the container's reason.",
            "Never started? `aws ecs list-tasks --cluster <cluster> --desired-status STOPPED --family <family>`, then "
            "`aws ecs describe-tasks --cluster <cluster> --tasks <task> --query 'tasks[].[stopCode,stoppedReason]'`.",
            "Correct it, then run it once, if the next run is too far off: `fargate-workers run <environment> "
            "<worker>`. "
            "Without it, the alarm's text has the command "
            f"with its names, which is an output of the stack, too; it is {_RUN_SCHEDULED}. SCHEDULED_TIME is now, or "
            "the time you make up for.",
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
            "After the correction, do again what each event asked for; the event is the message's body.",
        ),
        over="No more failed invocations, and the dead-letter queue is empty.",
    ),
    "UndeliveredEvents": RunbookText(
        reading="The body is the event or the alert. ERROR_CODE and ERROR_MESSAGE have the reason for "
        "which it was not delivered.",
        causes=(
            "A missing permission: the role, the queue's or topic's policy, or the key's policy.",
            "The target no longer exists.",
            "ECS had no capacity or refused the rate for as long as the tries lasted.",
            "A subscriber of the alerts does not answer; then the body is an alert and TopicArn is in it.",
        ),
        steps=(
            "Correct what ERROR_MESSAGE names.",
            "A rule's event: EventBridge cannot replay it. `fargate-workers run <environment> <worker> --object "
            "s3://<bucket>/<key>` starts the task as the rule does; without it, with the values from the body: "
            f"{_RUN_FOR_OBJECT}.",
            "A schedule's run: make up for it as in [RunFailed](run-failed.md).",
            "An alert: read it now, somebody should have.",
            f"Delete what is done with: {_DELETE}.",
        ),
        over="The dead-letter queue is empty.",
    ),
    "NotificationsFailed": RunbookText(
        reading="Each line is a subscription, with its protocol and endpoint. Is it one of a queue of this stack?",
        causes=(
            "The policy of the queue, or of its key, was changed, and SNS may not send.",
            "The queue was deleted or replaced.",
            "Another subscriber of the topic does not answer; an HTTP endpoint counts every try.",
        ),
        steps=(
            "Read the message and the reason in the dead-letter queue, as in [DeadLetters](dead-letters.md).",
            "With log_failures, SNS has written the reason of each: `aws logs tail --since 1h "
            "sns/<region>/<account>/<topic>/Failure`.",
            "Does the policy still name the topic? `aws sqs get-queue-attributes --attribute-names Policy --queue-url "
            f"{_URL.format('<queue>')}`; deploy a stack that has drifted once more.",
            "Redrive the dead letters; they are the messages themselves, without an envelope.",
        ),
        over="Nothing failed for a minute. Whether it works shows the next message: NumberOfNotificationsDelivered.",
    ),
    "NotificationsLost": RunbookText(
        reading="RedrivePolicy of a subscription names its dead-letter queue; does that exist, and may SNS send there?",
        causes=(
            "The policy of the dead-letter queue, or of its key, was changed.",
            "The dead-letter queue was deleted.",
        ),
        steps=(
            "Look at the subscription: `aws sns get-subscription-attributes --subscription-arn <subscription-arn>`.",
            "Deploy the stack of the queue once more, which restores its policy.",
            "Only the sender still has the messages: ask for those of the time in which the alarm was raised.",
        ),
        over="Nothing was lost for a minute, and the sender has repeated what was.",
    ),
    "NoisyTenants": RunbookText(
        reading="ApproximateNumberOfMessages counts the messages of all tenants; ApproximateNumberOfMessagesVisible"
        "InQuietGroups, a metric, leaves out those of the noisy ones.",
        causes=(
            "A tenant sends more than before: an import, a retry loop, a customer who has grown.",
            "Its messages take longer than those of others.",
            "Senders give many customers one MessageGroupId.",
        ),
        steps=(
            "Do the others wait, too? `aws cloudwatch get-metric-statistics --namespace AWS/SQS --metric-name "
            "ApproximateAgeOfOldestMessageInQuietGroups --statistics Maximum --period 60 --dimensions "
            "Name=QueueName,Value=<queue> --start-time <start> --end-time <end>`. If not, nothing is urgent.",
            f"Which tenant? Look at some messages: `aws sqs receive-message --max-number-of-messages 10 "
            "--visibility-timeout 0 --message-system-attribute-names MessageGroupId --queue-url "
            f"{_URL.format('<queue>')}`.",
            "Ask its sender to slow down, or give it a queue and a worker of its own.",
            "If its messages should not wait either, raise max_tasks.",
        ),
        over="ApproximateNumberOfNoisyGroups has been 0 for a minute.",
    ),
    "RedisBusy": RunbookText(
        reading="CacheNodeType is the size of the nodes; CacheClusterStatus shows whether one is being replaced.",
        causes=(
            "A costly command: KEYS, a large range, a script that loops.",
            "More tasks than before, each with its own load.",
            "A snapshot or a resynchronisation on a small node.",
        ),
        steps=(
            "Which commands? In CloudWatch compare KeyBasedCmds, GetTypeCmds, SetTypeCmds and EvalBasedCmds.",
            "Which are slow? Each has a metric of its time, in microseconds: "
            f"{_CACHE_METRIC.format('EvalBasedCmdsLatency')}.",
            "Lower max_tasks of the workers that use it, if the work can wait.",
            "Take a larger node type in the environment's file; the change is made online.",
        ),
        over="The load is below the limit for five minutes.",
    ),
    "RedisMemoryHigh": RunbookText(
        reading="CacheNodeType determines how much memory there is.",
        causes=(
            "Keys without a time to live.",
            "A read model that has grown with its data.",
            "Clients that do not read their answers: output buffers fill up.",
        ),
        steps=(
            f"Does it grow, and since when? {_CACHE_METRIC.format('BytesUsedForCache')}",
            "CurrItems less CurrVolatileItems is how many keys have no time to live and never expire.",
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
            "Who? Divide CurrConnections by the tasks that run, worker by worker: `aws ecs describe-services "
            "--cluster <cluster> --services <service> --query 'services[].[serviceName,runningCount]'`.",
            f"Does something connect again and again? {_CACHE_METRIC.format('NewConnections')}",
            "Restart what leaks: `aws ecs update-service --cluster <cluster> --service <service> "
            "--force-new-deployment`.",
            "Lower connections_per_task or max_tasks, or take a larger node type.",
        ),
        over="CurrConnections is below 80 % of the budget.",
    ),
    "RedisMemoryFull": RunbookText(
        reading="CacheNodeType determines how much memory there is. [RedisMemoryHigh](redis-memory-high.md) should "
        "have come first.",
        causes=(
            "Keys without a time to live.",
            "The data outgrew the node.",
            "Data that may go shares a cache with claims and counters, which must stay.",
        ),
        steps=(
            "Take a larger node type in the environment's file and deploy; the change is made online.",
            "If it is urgent: `aws elasticache modify-replication-group --replication-group-id <cache> "
            "--cache-node-type <node-type> --apply-immediately`, and write the same into the environment's file.",
            "Messages whose claims were refused are tried again by themselves; those that were given up are "
            "among the [DeadLetters](dead-letters.md).",
            f"Afterwards: what grew? {_CACHE_METRIC.format('BytesUsedForCache')}",
        ),
        over="Less than 95 % is used, and handlers no longer fail with `OOM command not allowed`.",
    ),
    "RedisEvictions": RunbookText(
        reading="CacheNodeType determines how much memory there is.",
        causes=(
            "What is read in turn outgrew the node.",
            "Keys that nobody reads again are stored with a long time to live.",
        ),
        steps=(
            "Is the cache still worth it? CacheHitRate, of each node, is how often it answers.",
            f"Since when? {_CACHE_METRIC.format('Evictions')}",
            "Take a larger node type in the environment's file, or shorten the time to live.",
        ),
        over="Half an hour has had a minute without evictions.",
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
    "DatabaseAtMaxCapacity": RunbookText(
        reading="ServerlessV2ScalingConfiguration has the two capacities. DBClusterMembers shows which instance is the "
        "writer.",
        causes=(
            "More work than planned: more tasks, or statements that read more than before.",
            "A statement without an index, or a transaction that keeps others waiting.",
            "A large deletion or an index that is built.",
        ),
        steps=(
            f"Is it the processor? {_DATABASE_METRIC.format('CPUUtilization')}",
            f"Who is connected, and what do they do? {_SESSIONS}",
            "Can the work wait? Then lower max_tasks of the workers that write.",
            f"Otherwise raise max_acu and deploy; the capacity changes online. {_MORE_CAPACITY}",
        ),
        over="ACUUtilization is below 99 % for a minute, and the oldest message is young again.",
    ),
    "DatabaseConnectionsHigh": RunbookText(
        reading="DatabaseConnections divided by the running tasks and their processes is what each pool holds; "
        "DATABASE_CONNECTIONS is its share.",
        causes=(
            "A client outside the budget connects: a shell, a report, another service.",
            "A handler opens connections of its own and never closes them.",
            "max_acu was raised or lowered without a restart: the server still accepts what it did before.",
        ),
        steps=(
            f"Who? {_SESSIONS}",
            f"Since when? {_DATABASE_METRIC.format('DatabaseConnections')}",
            "Restart what leaks: `aws ecs update-service --cluster <cluster> --service <service> "
            "--force-new-deployment`.",
            "Lower connections_per_process or max_tasks, or raise max_acu and restart the instances, one after the "
            "other: `aws rds reboot-db-instance --db-instance-identifier <instance>`.",
        ),
        over="DatabaseConnections is below 80 % of what the writer accepts.",
    ),
    "DatabaseMemoryLow": RunbookText(
        reading="MaxCapacity times 2 GiB is the memory that an instance may have.",
        causes=(
            "Many connections, each with its own memory.",
            "Statements that sort or join more than before.",
            "A capacity that was chosen for less work.",
        ),
        steps=(
            f"Does it go with the connections? {_DATABASE_METRIC.format('DatabaseConnections')}",
            f"Who is connected, and what do they do? {_SESSIONS}",
            "Raise max_acu and deploy: each ACU is 2 GiB more. " + _MORE_CAPACITY,
        ),
        over="More than a tenth of the memory is free for five minutes.",
    ),
    "DatabaseDeadlocks": RunbookText(
        reading="Each line names both transactions, their statements and the rows that they waited for.",
        causes=(
            "Handlers write the same rows in another order.",
            "One message changes many rows, and two such messages meet.",
            "A person's transaction is open at the same time as the workers'.",
        ),
        steps=(
            "Let every handler write its rows in one order: sorted by their key, for example.",
            "Make transactions shorter: call other services before the first statement.",
            f"Until then the messages are tried again by themselves. Are attempts used up by it? {_LOGS}",
        ),
        over="A quarter of an hour has had fewer than five minutes with deadlocks.",
    ),
    "RedriveFailed": RunbookText(
        reading="The error names the AWS call that failed. A request which makes no sense is answered, not raised.",
        causes=(
            "The function may not use the queue or its key: a policy was changed.",
            "SQS cannot be reached from the function's subnets: the endpoint or the NAT gateway is gone.",
        ),
        steps=(
            f"Ask how the last redrive stands: {_REDRIVE.replace('start', 'status')}, or "
            "`aws sqs list-message-move-tasks --source-arn <dead-letter-queue-arn>`.",
            "Correct what the error names and start again. Messages that moved already are not moved twice.",
            "If it is urgent, without the function: `aws sqs start-message-move-task --source-arn "
            "<dead-letter-queue-arn> --destination-arn <queue-arn> --max-number-of-messages-per-second 5`.",
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
            "Look at the rule: `aws events list-rule-names-by-target --target-arn <function-arn>`, then "
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
            "Correct what the error names; a stack that has drifted is restored by deploying it again.",
            f"Run it once: {_PLAN_ONCE}.",
        ),
        over="Three minutes without an error have passed.",
    ),
}
