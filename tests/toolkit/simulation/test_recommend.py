"""The search for a policy."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.recommendation.candidates import candidates
from fargate_workers_toolkit.recommendation.held_out import held_out
from fargate_workers_toolkit.recommendation.recommend import Recommendation, recommend
from fargate_workers_toolkit.recommendation.trials import Question, Trial, Trials
from fargate_workers_toolkit.simulation.loads.built_in import built_in, steady
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import ScaledService, Task
from fargate_workers_toolkit.simulation.policies import (
    ForLatency,
    OnBacklogPerTask,
    OnQueueDepth,
    Policy,
    Warm,
)
from fargate_workers_toolkit.simulation.simulate import simulate
from tests.toolkit.simulation.services import article, fixed
from tests.toolkit.simulation.templates import template, written


def waves(*heights: int, outage: bool = False) -> Load:
    arrivals = np.repeat(np.array(heights, dtype=np.int64), 1200)
    failing = np.arange(len(arrivals)) < 600 if outage else None
    return Load(name="waves", arrivals=arrivals, work_seconds=0.5, outage=failing)


def always(*loads: Load) -> Callable[[int], Sequence[Load]]:
    return lambda seed: loads


def latency(seconds: int = 300, *, max_tasks: int = 50) -> ForLatency:
    return ForLatency(
        acceptable_latency=seconds, processing_time=0.5, min_tasks=1, max_tasks=max_tasks, mode="balanced"
    )


FEW: Sequence[Policy] = [
    latency(),
    OnQueueDepth(steps=((9_000, 1),), min_tasks=1, max_tasks=50),
    OnBacklogPerTask(messages=200, min_tasks=1, max_tasks=50),
    OnBacklogPerTask(messages=100, min_tasks=10, max_tasks=50),
]


def found_in(service: ScaledService, *loads: Load, slo: float = 300, **wishes: Any) -> Recommendation:
    return recommend(service, always(*loads), slo=slo, **{"policies": FEW, "seeds": 2, "processes": 1, **wishes})


def test_the_cheapest_policy_that_keeps_the_slo_under_every_load_is_found() -> None:
    service, loads = article(), [waves(5, 40, 5), waves(2, 20, 2)]
    found = found_in(service, *loads)
    tried = [[simulate(policy.applied(service), load, slo=300) for load in loads] for policy in FEW]
    keeping = [
        (sum(result.task_hours for result in results), policy.line)
        for policy, results in zip(FEW, tried, strict=True)
        if all(result.missed < 0.5 for result in results)
    ]
    assert 0 < len(keeping) < len(FEW)
    assert found.finalists[0].policy.line == min(keeping)[1]
    assert len(found.finalists) == len(keeping)


def test_giving_policies_up_early_changes_nothing() -> None:
    service, loads = article(), [waves(5, 40, 5), waves(2, 20, 2)]
    every = candidates(service, loads, slo=300, warm=20)[::3]
    found = found_in(service, *loads, policies=every, seeds=1)
    hours: dict[str, float] = {}
    for policy in every:
        results = [simulate(policy.applied(service), load, slo=300) for load in loads]
        if all(result.missed < 0.5 for result in results):
            hours[policy.line] = round(sum(result.task_hours for result in results), 3)
    cheapest = sorted(hours, key=lambda line: hours[line])[:8]
    assert len(hours) > 2 * len(cheapest)
    assert [outlook.policy.line for outlook in found.finalists] == cheapest


def test_room_is_given_only_as_far_as_it_may_be_taken() -> None:
    """Three policies that cost the same: the two that have less room are tried with the most, and with nothing else."""
    three = [latency(299, max_tasks=50), latency(298, max_tasks=60), latency(300, max_tasks=70)]
    told: list[tuple[str, int, int]] = []
    found = found_in(article(), waves(5), policies=three, progress=lambda *each: told.append(each))
    assert [of for what, done, of in told if what == "Giving the cheapest more room" and done == of] == [2]
    assert found.finalists[0].policy.applied(article()).bounds.maximum == 70


def test_every_seed_must_keep_the_slo() -> None:
    # With the second seed the load is one that no policy here keeps.
    def loads(seed: int) -> Sequence[Load]:
        return [waves(5, 20, 5) if seed == 0 else waves(5, 200, 5)]

    assert recommend(article(), loads, slo=300, policies=FEW, seeds=1, processes=1).finalists
    assert not recommend(article(), loads, slo=300, policies=FEW, seeds=2, processes=1).finalists


def test_the_number_of_processes_changes_nothing() -> None:
    loads = [steady(20, seconds=3_600), waves(5, 40, 5)]
    assert found_in(article(), *loads, processes=1) == found_in(article(), *loads, processes=3)


def test_of_policies_that_cost_the_same_the_one_with_the_most_room_is_taken() -> None:
    same = [latency(max_tasks=50), latency(max_tasks=60)]
    for policies in (same, same[::-1]):
        found = found_in(article(), waves(5), policies=policies)
        assert [outlook.policy for outlook in found.finalists] == same[::-1]


@pytest.mark.parametrize(("load", "tasks"), [(waves(20, 20), 3), (waves(1, 1, 1), 1)])
def test_fewer_tasks_at_least_than_the_template_has_are_for_what_saves_by_them(load: Load, tasks: int) -> None:
    """Where ten tasks are always busy a minimum of one saves nothing; where one is, it does."""
    found = found_in(article(bounds=(3, 50)), load, policies=[latency()])
    assert [outlook.policy for outlook in found.finalists[:1]] == [replace(latency(), min_tasks=tasks)]


def test_no_candidate_has_fewer_tasks_at_most_than_the_template() -> None:
    every = candidates(article(bounds=(1, 50)), [waves(1, 5)], slo=300, warm=3)
    assert {policy.applied(article()).bounds.maximum for policy in every} == {50}


def test_a_policy_is_judged_by_another_day_and_by_more_messages() -> None:
    """Twenty tasks do for a wave of 12 a second; of those that cost the same only fifty do for one of 90."""
    few, many = latency(max_tasks=20), latency(max_tasks=50)
    another = replace(waves(5, 90), name="another day")
    found = recommend(
        article(), lambda _: [waves(5, 12)], slo=300, policies=[few, many], seeds=1, processes=1, checks=[another]
    )
    assert found.finalists[0].policy == many
    assert [(checked.outcome.load, checked.kept) for checked in found.checks] == [
        ("another day", True),
        ("waves x 1.5", True),
    ]


def test_the_first_day_of_a_longer_file_is_left_out_of_the_search() -> None:
    arrivals = np.concatenate((np.full(86_400, 1), np.full(86_400, 2), np.full(600, 3)))
    load = Load(name="file", arrivals=arrivals, work_seconds=0.5, begin=1_795_132_800)
    before, rest = held_out(lambda _: [load, built_in("drip")], seed=0)
    assert [(day.name, day.messages, day.begin) for day in before] == [("file, the day before", 86_400, load.begin)]
    first, second = rest(0)
    assert (first.messages, first.begin) == (2 * 86_400 + 1800, 1_795_132_800 + 86_400)
    assert second.name == "drip"


def test_it_says_what_work_it_assumed_and_that_loads_are_of_two_jobs() -> None:
    loads = [waves(5), replace(waves(5), name="slow", work_seconds=20.0)]
    found = found_in(article(), *loads, policies=[latency()])
    assert found.assumed()[0].startswith("Assumed work in a message: waves 0.5 s, slow 20 s.")
    assert "two kinds of jobs" in found.assumed()[1]
    assert len(found_in(article(), waves(5), policies=[latency()]).assumed()) == 1


def test_when_none_can_the_tasks_that_always_would_are_told_and_do() -> None:
    found = found_in(article(), waves(1, 50), slo=20)
    assert (found.kept, found.best) == (False, None)
    assert found.warm is not None
    assert isinstance(found.warm.policy, Warm)
    tasks = found.warm.policy.tasks
    # 50 messages a second keep 25 tasks busy.
    assert tasks == 25
    assert f"None of 4 policies keeps 20 s; {tasks} tasks that always run would, for $" in found.sentence()
    for seed in found.seeds:
        assert simulate(fixed(tasks), waves(1, 50), slo=20, seed=seed).missed < 0.5
        assert simulate(fixed(tasks - 1), waves(1, 50), slo=20, seed=seed).missed > 100


def test_more_tasks_are_told_when_the_least_that_could_do_not() -> None:
    # All work at the end of the load: by means alone 40 tasks keep up, but work that varies needs more for 10 seconds.
    found = found_in(article(), steady(80, seconds=3_600), slo=12)
    assert found.warm is not None
    assert isinstance(found.warm.policy, Warm)
    tasks = found.warm.policy.tasks
    loads = [steady(80, seconds=3_600)] * 2
    kept = [
        all(simulate(fixed(some), load, slo=12, seed=seed).missed < 0.5 for seed, load in enumerate(loads))
        for some in (tasks - 1, tasks)
    ]
    assert kept == [False, True]


def test_a_rate_that_the_worker_keeps_to_is_named_when_no_number_of_tasks_would_do() -> None:
    slow = replace(article(), task=Task(rate_limit=10))
    found = found_in(slow, waves(5, 40, 5))
    assert (found.best, found.warm) == (None, None)
    assert "no number of tasks would: the worker's own limit of 10 messages a second" in found.sentence()


def test_what_an_outage_makes_late_is_held_against_no_policy() -> None:
    found = found_in(article(), waves(10, 10, 10, outage=True), slo=400)
    assert found.unavoidable[0] > 1
    assert found.finalists


def test_a_template_s_own_policy_that_costs_too_much_is_told_what_saves_how_much() -> None:
    rich = replace(fixed(50), name="Rich")
    found = found_in(rich, waves(5, 20, 5))
    assert found.best is not None
    assert (found.present.kept, found.kept) == (True, True)
    saved = 1 - found.best.cost_per_day / found.present.cost_per_day
    assert f"keeps 300 s, but {found.best.policy.line} does so for $" in found.sentence()
    assert found.sentence().endswith(f"instead of $14.81, {saved:.0%} less.")


def test_a_template_s_own_policy_that_nothing_beats_is_left() -> None:
    found = found_in(latency().applied(article()), waves(5, 20, 5))
    assert found.best is None
    assert "and none of 4 others does so for noticeably less; leave it." in found.sentence()


def test_a_template_s_own_policy_that_misses_is_told_by_how_much() -> None:
    found = found_in(fixed(5), waves(5, 40, 5))
    assert found.best is not None
    assert f"{found.present.outcomes[0].missed_percent:.3g} % of the messages of waves" in found.sentence()
    assert found.best.policy.line in found.sentence()


def test_work_longer_than_the_slo_gets_one_sentence() -> None:
    with pytest.raises(SimulationError, match=r"the work of one message alone takes 0\.5 s"):
        found_in(article(), waves(5), slo=0.4)


def test_more_tasks_than_ecs_runs_in_a_service_get_one_sentence() -> None:
    with pytest.raises(SimulationError, match=r"needs 9,528 tasks at once, and ECS runs 5,000 in a service"):
        found_in(article(), waves(20_000), slo=60)


def test_progress_counts_every_policy() -> None:
    told: list[tuple[str, int, int]] = []
    found_in(article(), waves(5), progress=lambda what, done, of: told.append((what, done, of)))
    assert [(done, of) for what, done, of in told if what == "Trying policies"] == [(n, 4) for n in range(5)]


def test_no_process_is_left_when_a_trial_fails() -> None:
    before = set(multiprocessing.active_children())
    question = Question(service=article(), loads=[[waves(5)]], seeds=[0], slo=300)
    with pytest.raises(IndexError), Trials(question, processes=2) as trials:
        trials.run([Trial(policy=FEW[0], seeds=[0]), Trial(policy=FEW[0], seeds=[9])])
    assert set(multiprocessing.active_children()) == before


COMMAND = [sys.executable, "-m", "fargate_workers_toolkit.command", "recommend"]
WAVE = "0,1200\n600,12000\n1200,1200\n1800,1200\n"


def arguments(tmp_path: Path, **changes: Any) -> list[str]:
    load = tmp_path / "orders.csv"
    load.write_text(WAVE)
    return [str(written(tmp_path, template(**changes))), "--load", str(load), "--slo"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["recommend", *arguments], env={"NO_COLOR": "1", "COLUMNS": "120"})


def test_the_command_prints_the_sentence_and_the_line_to_paste(tmp_path: Path) -> None:
    told = json.loads(run(*arguments(tmp_path), "300", "--json").stdout)
    assert told["line"].startswith("Scaling.")
    assert told["line"] in told["sentence"]
    assert (told["seeds"], told["kept"], told["loads"][0]["load"]) == ([0, 1, 2, 3, 4], True, "orders")
    now, best = told["now"], told["recommended"]
    assert (now["kept"], best["kept"], best["policy"]) == (False, True, told["line"])
    assert now["loads"][0]["missed_percent"] > best["loads"][0]["missed_percent"] == 0
    assert told["warm"]["kept"]
    printed = run(*arguments(tmp_path), "300")
    assert printed.exit_code == 0, printed.output
    assert f"\n    scaling={told['line']}\n" in printed.stdout
    assert told["sentence"] in printed.stdout
    assert "\x1b" not in printed.stdout + printed.stderr


def test_the_command_ends_with_1_when_no_policy_keeps_the_slo(tmp_path: Path) -> None:
    result = run(*arguments(tmp_path), "200", "--max-tasks", "2")
    assert result.exit_code == 1, result.output
    assert "policies keeps 200 s; 8 tasks that always run would, for $" in result.stdout


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        (("0.1",), "the work of one message alone takes 0.5 s"),
        (("300", "--load", "absent.csv"), "absent.csv cannot be read as a CSV file: No such file or directory."),
        (("300", "--load", "burst", "--work-seconds", "2"), "The built-in loads have their own work"),
        (("300", "--service", "Other"), "has no scaled service Other; choose one with --service: Service"),
    ],
)
def test_bad_input_gets_one_sentence(tmp_path: Path, wishes: tuple[str, ...], sentence: str) -> None:
    result = run(*arguments(tmp_path), *wishes)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_ctrl_c_ends_every_process(tmp_path: Path) -> None:
    # In a group of its own, as in a terminal, where all processes get the signal.
    command = subprocess.Popen(
        [*COMMAND, *arguments(tmp_path), "300", "--processes", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell makes what it runs in the background deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - no lock is held
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    while len(members(command.pid)) < 3:
        assert command.poll() is None
    os.killpg(command.pid, signal.SIGINT)
    told, complained = command.communicate()
    assert (command.returncode, told) == (130, "")
    assert "Traceback" not in complained
    # All have closed what they wrote to; the last of them may still be on its way out.
    assert any(not members(command.pid) for _ in range(200))


def members(group: int) -> list[int]:
    """The processes of a group, zombies aside."""
    found = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [row.split() for row in found.splitlines()]
    return [int(pid) for pid, of, state in rows if int(of) == group and not state.startswith("Z")]
