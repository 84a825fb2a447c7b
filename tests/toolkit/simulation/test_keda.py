"""KEDA's rule, played by the simulator: ceil(messages / messages a pod), the autoscaler's window, sleep and waking."""

import pytest

from fargate_workers_toolkit.aws_behaviour import Bounds
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation import DEFAULTS, Keda, policy_of, simulate
from fargate_workers_toolkit.simulation.control import KedaControl, Observation
from fargate_workers_toolkit.simulation.loads import BUILT_IN, built_in
from fargate_workers_toolkit.simulation.model import KedaRule, ScaledService, Task
from fargate_workers_toolkit.simulation.result import Result

ORDERS = ScaledService(name="Orders", bounds=Bounds(1, 50), initial_tasks=1, steps={}, task=Task(concurrency=1))


def control(rule: KedaRule, *, least: int = 1, initial: int = 1) -> KedaControl:
    service = ScaledService(name="Orders", bounds=Bounds(least, 50), initial_tasks=initial, steps={})
    return KedaControl(service, rule, assumptions=DEFAULTS)


def pods(keda: KedaControl, *visible: float, in_flight: float = 0) -> list[int]:
    return [keda.minute(Observation(visible=each, in_flight=in_flight)) for each in visible]


def test_it_grows_at_once_and_messages_in_flight_count() -> None:
    assert pods(control(KedaRule(queue_length=10)), 95) == [10]
    assert pods(control(KedaRule(queue_length=10)), 95, in_flight=100) == [20]
    assert pods(control(KedaRule(queue_length=10)), 1e6) == [50]


def test_it_shrinks_to_the_most_wanted_in_five_minutes_and_by_half_at_most() -> None:
    keda = control(KedaRule(queue_length=10))

    assert pods(keda, 400, 1, 1, 1, 1) == [40] * 5
    assert pods(keda, 1, 1, 1, 1, 1, 1, 1) == [20, 10, 5, 2, 1, 1, 1]


def test_a_deviation_of_a_tenth_changes_nothing() -> None:
    keda = control(KedaRule(queue_length=10), initial=20)

    assert pods(keda, 220, 221) == [20, 23]


def test_it_sleeps_after_the_cooldown_and_a_message_wakes_it() -> None:
    keda = control(KedaRule(queue_length=10), least=0)

    assert pods(keda, 5, 0, 0, 0, 0) == [1] * 5
    assert pods(keda, 0, 0) == [0, 0]
    assert pods(keda, 1) == [1]
    assert pods(control(KedaRule(queue_length=10), least=2), 0, 0, 0, 0, 0, 0) == [2] * 6


def test_a_line_asks_for_it() -> None:
    policy = policy_of("KEDA(queue_length=100, min_tasks=0, max_tasks=20)")

    assert policy == Keda(queue_length=100, min_tasks=0, max_tasks=20, grace=915)
    assert policy_of(policy.line) == policy
    with pytest.raises(SimulationError, match="queue_length is 0; use a number above 0"):
        policy_of("KEDA(queue_length=0)")


def test_applied_it_replaces_what_scales_the_service_and_gives_handlers_their_time() -> None:
    service = Keda(queue_length=5, min_tasks=0, max_tasks=9, grace=915).applied(ORDERS)

    assert (service.keda, service.bounds, service.alarms) == (KedaRule(queue_length=5), Bounds(0, 9), [])
    assert (service.task.stop_timeout, service.task.protected) == (915, False)


def played(queue_length: int, load: str) -> Result:
    policy = Keda(queue_length=queue_length, min_tasks=1, max_tasks=50, grace=915)
    return simulate(policy.applied(ORDERS), built_in(load), slo=300)


# An outage of the handlers leaves more than fifty pods work off in time.
@pytest.mark.parametrize("load", [name for name in BUILT_IN if name != "outage"])
def test_the_messages_that_an_export_gives_a_pod_keep_the_latency(load: str) -> None:
    """A fifth of 300 s x 1 at once / 0.5 s; one message a pod takes more pod-hours for the same."""
    exported, eager = played(120, load), played(1, load)

    assert exported.missed < 0.5
    assert exported.lost == 0
    assert exported.task_hours <= eager.task_hours


def test_with_all_of_the_latency_a_load_that_rises_is_late() -> None:
    assert played(600, "heavy").missed_percent > 5


def test_both_engines_agree_on_it() -> None:
    service = Keda(queue_length=100, min_tasks=1, max_tasks=50, grace=915).applied(ORDERS)
    fluid, exact = (simulate(service, built_in("burst"), slo=300, engine=engine) for engine in ("fluid", "exact"))

    assert fluid.task_hours == pytest.approx(exact.task_hours, rel=0.03)
