"""The examination of an environment: every check, whatever AWS refuses to one of them."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from fargate_workers_toolkit.operations.clock import Clock
from fargate_workers_toolkit.operations.doctor import account_checks, alert_checks, worker_checks
from fargate_workers_toolkit.operations.doctor.check import Check, Finding, Patient
from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.state import read_states
from fargate_workers_toolkit.operations.workers import Worker, settings_of

CHECKS: Sequence[Check] = (*account_checks.CHECKS, *alert_checks.CHECKS, *worker_checks.CHECKS)

_AT_ONCE = 8


def examine(aws: Aws, workers: Sequence[Worker], *, clock: Clock) -> Iterator[tuple[Check, Sequence[Finding]]]:
    """Ask every question.

    Args:
        aws: The environment's AWS.
        workers: Its workers.
        clock: The time.

    Returns:
        The checks in their order, each with its findings. What AWS refuses is a finding, too.

    Raises:
        OperationsError: The workers themselves cannot be read.
    """
    states = read_states(aws, workers, clock=clock)
    settings = {state.worker.name: settings_of(aws, state.worker) for state in states}
    patient = Patient(aws=aws, states=states, settings=settings, now=clock.now())
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        looking = [(check, pool.submit(_look, check, patient)) for check in CHECKS]
        for check, future in looking:
            yield check, future.result()


def _look(check: Check, patient: Patient) -> Sequence[Finding]:
    try:
        with answered(sign_in=patient.aws.place.sign_in):
            return check.look(patient)
    except OperationsError as error:
        return [Finding(subject=patient.environment, verdict="unknown", text=str(error))]
