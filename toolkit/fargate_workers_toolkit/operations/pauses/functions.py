"""Pause and resume of a function: its event source mapping is disabled, which keeps its settings."""

from fargate_workers_toolkit.operations.clock import Clock
from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.pauses.pause import NAMES, Pause, function_pause_of
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.tags import PAUSED_UNTIL
from fargate_workers_toolkit.operations.workers import FunctionState, FunctionWorker, describe_function


def pause_function(aws: Aws, worker: FunctionWorker, *, by: str, why: str, until: float | None, clock: Clock) -> Pause:
    """Let no message reach a function until somebody resumes it. Invocations that have begun end first.

    Args:
        aws: Its AWS.
        worker: The worker.
        by: Who pauses it.
        why: Why.
        until: Until when it is meant to last, in seconds since 1970. None: no end.
        clock: The time.

    Raises:
        OperationsError: The mapping is gone, somebody else has disabled it, or AWS refuses.
    """
    state = _described(aws, worker)
    before = function_pause_of(state.tags)
    if before is None and not state.is_enabled:
        raise OperationsError(
            f"The event source mapping of {worker.short_name} is {state.state.lower()} already, and no pause has done "
            "that; enable it first, with: aws lambda update-event-source-mapping --enabled --uuid " + state.mapping
        )
    noted = Pause(by=by, why=why, at=clock.now(), until=until)
    functions = aws.client("lambda")
    with answered(sign_in=aws.place.sign_in):
        # Noted first: interrupted in between, it is paused once more, or resumed.
        if until is None and before is not None and before.until is not None:
            functions.untag_resource(Resource=worker.arn, TagKeys=[PAUSED_UNTIL])
        functions.tag_resource(Resource=worker.arn, Tags=noted.as_tags())
        # What is not named stays as it is: batches, concurrency, filters.
        functions.update_event_source_mapping(UUID=state.mapping, Enabled=False)
    return noted


def resume_function(aws: Aws, worker: FunctionWorker) -> Pause:
    """Let messages reach a paused function again.

    Args:
        aws: Its AWS.
        worker: The worker.

    Returns:
        The pause that ended.

    Raises:
        OperationsError: It is not paused, its mapping is gone, or AWS refuses.
    """
    state = _described(aws, worker)
    noted = function_pause_of(state.tags)
    if noted is None:
        raise OperationsError(f"{worker.short_name} is not paused: its function has no tag that says so.")
    functions = aws.client("lambda")
    with answered(sign_in=aws.place.sign_in):
        functions.update_event_source_mapping(UUID=state.mapping, Enabled=True)
        functions.untag_resource(Resource=worker.arn, TagKeys=list(NAMES))
    return noted


def _described(aws: Aws, worker: FunctionWorker) -> FunctionState:
    state = describe_function(aws, worker)
    if not state.mapping:
        raise OperationsError(f"{worker.short_name} has no event source mapping any more; deploy it again.")
    return state
