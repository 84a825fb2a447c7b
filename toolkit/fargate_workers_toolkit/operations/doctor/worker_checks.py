"""Questions to each worker."""

from collections.abc import Callable, Sequence

from fargate_workers_toolkit.operations.doctor.check import Check, Finding, Patient, trouble, well
from fargate_workers_toolkit.operations.state import FunctionStatus, ServiceStatus, Status
from fargate_workers_toolkit.operations.workers import a_service

_DAY = 86_400.0
#: Dead letters are kept for 14 days, from the first send on.
_STALE_DAYS = 7


def _each(look: Callable[[Patient, Status], Finding]) -> Callable[[Patient], Sequence[Finding]]:
    return lambda patient: [look(patient, state) for state in patient.states]


def _each_service(look: Callable[[Patient, ServiceStatus], Finding]) -> Callable[[Patient], Sequence[Finding]]:
    return lambda patient: [look(patient, state) for state in patient.states if isinstance(state, ServiceStatus)]


def _each_function(look: Callable[[Patient, FunctionStatus], Finding]) -> Callable[[Patient], Sequence[Finding]]:
    return lambda patient: [look(patient, state) for state in patient.states if isinstance(state, FunctionStatus)]


def _command(patient: Patient, state: Status, command: str) -> str:
    return patient.aws.place.typed(*command.split(), patient.environment, state.worker.short_name)


def _tasks(patient: Patient, state: ServiceStatus) -> Finding:
    service, name = state.service, state.worker.short_name
    if service.running < service.desired and service.deployment != "IN_PROGRESS":
        text = f"{service.running} of {service.desired} tasks run."
        return trouble(name, text, _command(patient, state, "tail"))
    return well(name, f"{service.running} of {service.desired} tasks run.")


def _deployment(patient: Patient, state: ServiceStatus) -> Finding:
    service, name = state.service, state.worker.short_name
    if service.deployment == "FAILED":
        return trouble(name, "Its last deployment failed.", _command(patient, state, "tail"))
    if service.deployment == "IN_PROGRESS" and patient.now - service.deployed_at > 3_600:
        return trouble(name, "Its deployment has run for more than an hour.", _command(patient, state, "tail"))
    return well(name, f"Its deployment is {service.deployment.lower().replace('_', ' ') or 'done'}.")


def _letters(patient: Patient, state: Status) -> Finding:
    name = state.worker.short_name
    if state.dead_letters:
        todo = _command(patient, state, "dead-letters list")
        what = "1 dead letter waits" if state.dead_letters == 1 else f"{state.dead_letters:,} dead letters wait"
        return trouble(name, f"{what}.", todo)
    return well(name, "No dead letters.")


def _late(patient: Patient, state: Status) -> Finding:
    name = state.worker.short_name
    if state.is_late():
        return trouble(name, "Its oldest message waits too long.", _command(patient, state, "status"))
    return well(name, "No message waits too long.")


def _raised(patient: Patient, state: Status) -> Finding:
    name = state.worker.short_name
    heard = [alarm.role for alarm in state.alarms if not alarm.muted]
    if heard:
        return trouble(name, f"Alarms are raised: {', '.join(heard)}.", _command(patient, state, "status"))
    return well(name, "No alarm is raised." if not state.alarms else "Every alarm that is raised is muted.")


def _paused(patient: Patient, state: Status) -> Finding:
    name, pause = state.worker.short_name, state.pause
    if pause is None:
        return well(name, "Not paused.")
    days = (patient.now - pause.at) / _DAY
    text = f"Paused by {pause.by} for {days:.1f} days: {pause.why or 'no reason given'}."
    return trouble(name, text, _command(patient, state, "resume"))


def _suspended(_: Patient, state: ServiceStatus) -> Finding:
    name = state.worker.short_name
    if state.scaling.suspended and state.pause is None:
        kinds = ", ".join(sorted(state.scaling.suspended))
        todo = (
            "aws application-autoscaling register-scalable-target --service-namespace ecs "
            f"--scalable-dimension ecs:service:DesiredCount --resource-id {state.scaling.resource_id} "
            "--suspended-state "
            "DynamicScalingInSuspended=false,DynamicScalingOutSuspended=false,ScheduledScalingSuspended=false"
        )
        return trouble(name, f"Its scaling is suspended, and nobody paused it: {kinds}.", todo)
    return well(name, "Its scaling acts, or it is paused.")


def _at_most(_: Patient, state: ServiceStatus) -> Finding:
    name, most = state.worker.short_name, state.scaling.max_tasks
    if most and state.service.desired >= most:
        todo = "Raise max_tasks, and deploy, if that is what it should be."
        return trouble(name, f"It runs the most tasks that it may, {most}.", todo)
    return well(name, f"{state.service.desired} of at most {most} tasks are wanted.")


def _planned(_: Patient, state: ServiceStatus) -> Finding:
    name = state.worker.short_name
    has_planner = "PlannerSilent" in state.worker.alarms or state.plan is not None
    if state.plan is not None and state.plan.desired_tasks > state.scaling.max_tasks and not state.pause:
        todo = "Raise max_tasks, and deploy."
        return trouble(name, f"Its plan wants {state.plan.desired_tasks} tasks, more than it may have.", todo)
    return well(name, "Its plan fits its bounds." if has_planner else "It is scaled without a plan.")


def _image(patient: Patient, state: ServiceStatus) -> Finding:
    name, settings = state.worker.short_name, patient.settings[state.worker.name]
    mismatch = [
        task for task in _stopped_reasons(patient, state) if "exec format" in task or "CannotPullContainer" in task
    ]
    if mismatch:
        todo = f"Build the image for {settings.architecture}, or set architecture=, and deploy."
        return trouble(name, f"Its image does not start: {mismatch[0]}.", todo)
    return well(name, f"Its image starts on {settings.architecture}.")


def _stops(patient: Patient, state: ServiceStatus) -> Finding:
    name = state.worker.short_name
    bad = [
        reason
        for reason in _stopped_reasons(patient, state)
        if "OutOfMemory" in reason or "Essential container" in reason
    ]
    if bad:
        return trouble(name, f"Tasks ended by themselves lately: {bad[0]}.", _command(patient, state, "tail"))
    return well(name, "No task ended by itself lately.")


def _stopped_reasons(patient: Patient, state: ServiceStatus) -> list[str]:
    """Why tasks stopped within the last hour, for as long as ECS remembers."""
    ecs, worker = patient.aws.client("ecs"), a_service(state.worker, otherwise="it has no tasks")
    arns = ecs.list_tasks(cluster=worker.cluster, serviceName=worker.service, desiredStatus="STOPPED")["taskArns"]
    if not arns:
        return []
    tasks = ecs.describe_tasks(cluster=worker.cluster, tasks=arns[:100])["tasks"]
    reasons: list[str] = []
    for task in tasks:
        inside = [str(container.get("reason", "")) for container in task.get("containers", [])]
        reasons.append(" ".join(filter(None, [str(task.get("stoppedReason", "")), *inside])))
    return reasons


def _mapped(patient: Patient, state: FunctionStatus) -> Finding:
    name, function = state.worker.short_name, state.function
    if not function.mapping:
        return trouble(name, "Its event source mapping is gone.", f"npx cdk deploy '{patient.environment}/**'")
    if not function.is_enabled and state.pause is None:
        todo = f"aws lambda update-event-source-mapping --uuid {function.mapping} --enabled"
        return trouble(name, f"Its event source mapping is {function.state}, and nobody paused it.", todo)
    return well(name, f"Its event source mapping is {function.state}.")


def _readable(_: Patient, state: Status) -> Finding:
    name = state.worker.short_name
    if state.unknown:
        return Finding(subject=name, verdict="unknown", text=" ".join(state.unknown))
    return well(name, "Everything could be read.")


def _log(patient: Patient, state: Status) -> Finding:
    name, settings = state.worker.short_name, patient.settings[state.worker.name]
    groups = patient.aws.client("logs").describe_log_groups(logGroupNamePrefix=settings.log_group)["logGroups"]
    group = next((each for each in groups if each["logGroupName"] == settings.log_group), None)
    if group is None:
        todo = f"npx cdk deploy '{patient.environment}/**'"
        return trouble(name, f"Its log group {settings.log_group} is gone.", todo)
    kept = group.get("retentionInDays")
    if kept is None:
        todo = f"aws logs put-retention-policy --log-group-name {settings.log_group} --retention-in-days 30"
        return trouble(name, "Its log is kept without an end.", todo)
    return well(name, f"Its log is kept for {kept} days.")


CHECKS = (
    Check(name="As many tasks run as are wanted", look=_each_service(_tasks)),
    Check(name="Deployments have ended", look=_each_service(_deployment)),
    Check(name="Images start", look=_each_service(_image)),
    Check(name="No task ends by itself", look=_each_service(_stops)),
    Check(name="No dead letters wait", look=_each(_letters)),
    Check(name="No message waits too long", look=_each(_late)),
    Check(name="No alarm is raised", look=_each(_raised)),
    Check(name="Nothing is paused", look=_each(_paused)),
    Check(name="Scaling acts", look=_each_service(_suspended)),
    Check(name="Functions are fed", look=_each_function(_mapped)),
    Check(name="There is room to scale", look=_each_service(_at_most)),
    Check(name="Plans fit the bounds", look=_each_service(_planned)),
    Check(name="Logs are kept, and not without an end", look=_each(_log)),
    Check(name="Everything can be read", look=_each(_readable)),
)
