"""A policy as one writes it: read, never run, and refused in one sentence."""

import pytest

from fargate_workers.scaling import policies
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.recommendation.candidates import candidates
from fargate_workers_toolkit.simulation.policies import ForLatency, OnBacklogPerTask, OnQueueDepth, Policy
from fargate_workers_toolkit.simulation.policy_line import policy_of
from tests.toolkit.simulation.services import article
from tests.toolkit.simulation.test_recommend import waves


def test_every_line_that_recommend_writes_is_read_as_the_policy_it_was_written_for() -> None:
    every = candidates(article(), [waves(1, 50, 0, 0)], slo=300, warm=25)
    assert [policy_of(policy.line) for policy in every] == list(every)


@pytest.mark.parametrize(
    ("line", "policy"),
    [
        (
            "Scaling.for_latency()",
            ForLatency(acceptable_latency=300, processing_time=1, min_tasks=1, max_tasks=10, mode="balanced"),
        ),
        (
            ' Scaling.for_latency(acceptable_latency=Duration.hours(1), mode="cost", max_tasks=3)',
            ForLatency(acceptable_latency=3600, processing_time=1, min_tasks=1, max_tasks=3, mode="cost"),
        ),
        (
            "Scaling.on_queue_depth()",
            OnQueueDepth(steps=((100, 3), (500, 8), (2_000, 20)), min_tasks=1, max_tasks=10),
        ),
        ("Scaling.on_queue_depth(max_tasks=3)", OnQueueDepth(steps=((100, 3),), min_tasks=1, max_tasks=3)),
        ("Scaling.on_queue_depth({1: 1, 50: 4})", OnQueueDepth(steps=((50, 4),), min_tasks=1, max_tasks=10)),
        ("Scaling.on_backlog_per_task(100)", OnBacklogPerTask(messages=100, min_tasks=1, max_tasks=10)),
    ],
)
def test_what_is_not_said_is_as_the_constructs_have_it(line: str, policy: Policy) -> None:
    assert policy_of(line) == policy


@pytest.mark.parametrize("max_tasks", [2, 3, 4, 6, 10, 50])
def test_default_steps_end_where_the_constructs_end_them(max_tasks: int) -> None:
    read = policy_of(f"Scaling.on_queue_depth(max_tasks={max_tasks})")
    assert isinstance(read, OnQueueDepth)
    assert tuple(read.steps) == policies.Scaling.on_queue_depth(max_tasks=max_tasks).steps


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("Scaling.for_latency(", "is not a line of Python"),
        ("Scaling.for_latency", "write, for example, Scaling.for_latency"),
        ("Scaling.by_magic()", "no Scaling.by_magic here; use one of for_latency, on_queue_depth"),
        ("Scaling.for_latency(function=False)", "without the function nothing measures"),
        ("Scaling.for_latency(max_tasks=open('x'))", "numbers, names in quotes, steps and durations, and nothing else"),
        ("Scaling.for_latency(max_tasks=0)", "0 <= min_tasks <= max_tasks"),
        ("Scaling.for_latency(mode='cheap')", "mode is 'cheap'; use one of balanced, cost"),
        ("Scaling.for_latency(acceptable_latency=Duration.minutes(-1))", "a duration is -1; use a number above 0"),
        ("Scaling.on_queue_depth({})", "must rise"),
        ("Scaling.on_queue_depth({500: 5, 100: 2})", "must rise"),
        ("Scaling.on_queue_depth({100: 2, 500: 2})", "must rise"),
        ("Scaling.on_queue_depth('deep')", "steps are depths"),
        ("Scaling.on_queue_depth({'deep': 1})", "steps are depths"),
        ("Scaling.on_queue_depth(min_tasks=0)", "1 <= min_tasks"),
        ("Scaling.on_backlog_per_task()", "missing a required argument: 'messages'"),
        ("Scaling.on_backlog_per_task(0)", "messages is 0; use a number above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(line: str, sentence: str) -> None:
    with pytest.raises(SimulationError) as refused:
        policy_of(line)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
