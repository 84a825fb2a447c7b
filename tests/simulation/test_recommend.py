"""The search for a policy."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.simulation.errors import SimulationError
from fargate_workers_toolkit.simulation.load import Load
from fargate_workers_toolkit.simulation.recommend import Candidate, candidates, recommend
from fargate_workers_toolkit.simulation.simulate import simulate
from tests.simulation.services import article, fixed
from tests.simulation.templates import template, written


def waves(*heights: int, outage: bool = False) -> Load:
    arrivals = np.repeat(np.array(heights, dtype=np.int64), 1200)
    failing = np.arange(len(arrivals)) < 600 if outage else None
    return Load(name="waves", arrivals=arrivals, work_seconds=0.5, outage=failing)


def test_what_is_recommended_keeps_the_slo_under_every_load_for_fewer_task_hours_than_the_most_tasks() -> None:
    service, loads = article(), [waves(5, 40, 5), waves(2, 20, 2)]
    found = recommend(service, loads, slo=300)
    assert found.candidate is not None
    assert [result.missed < 1 for result in found.results] == [True, True]
    assert found.sentence() == found.candidate.sentence()
    # The same policy again tells the same.
    again = [simulate(found.candidate.applied(service), load, slo=300).task_hours for load in loads]
    assert again == [result.task_hours for result in found.results]
    assert found.task_hours < sum(simulate(fixed(50), load, slo=300).task_hours for load in loads)


def test_when_none_can_the_tasks_that_always_would_are_told() -> None:
    found = recommend(article(), [waves(1, 50)], slo=20)
    assert found.candidate is None
    # 50 messages a second keep 25 tasks busy; one less falls 2 a second behind, 1200 seconds long.
    assert found.sentence() == "No policy that was tried keeps 20 s; 25 tasks that always run would."


def test_too_low_a_maximum_is_no_excuse() -> None:
    found = recommend(article(bounds=(1, 5)), [waves(5, 40, 5)], slo=300)
    assert (found.candidate, found.warm) == (None, 17)


def test_what_an_outage_makes_late_is_held_against_no_policy() -> None:
    assert recommend(article(), [waves(10, 10, 10, outage=True)], slo=400).candidate is not None


def test_progress_sees_every_candidate() -> None:
    seen: list[Candidate] = []

    def progress(those: Sequence[Candidate]) -> Iterable[Candidate]:
        for candidate in those:
            seen.append(candidate)
            yield candidate

    loads = [waves(5)]
    recommend(article(), loads, slo=300, progress=progress)
    assert seen == candidates(loads, slo=300, concurrency=1)
    assert len(set(seen)) == len(seen) > 100


def test_work_longer_than_the_slo_gets_one_sentence() -> None:
    with pytest.raises(SimulationError, match=r"the work of one message alone takes 0\.5 s"):
        recommend(article(), [waves(5)], slo=0.4)


def test_the_command_tells_what_is_better_than_now(tmp_path: Path) -> None:
    load = tmp_path / "orders.csv"
    load.write_text("0,1200\n600,12000\n1200,1200\n1800,1200\n")
    arguments = ["recommend", str(written(tmp_path, template())), "--load", str(load), "--slo"]
    result = CliRunner().invoke(app, [*arguments, "300", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["recommended"]["orders"]["missed_percent"] < told["now"]["orders"]["missed_percent"]
    assert CliRunner().invoke(app, [*arguments, "300"]).stdout.count("recommended") == 1
    assert CliRunner().invoke(app, [*arguments, "0.1"]).exit_code == 2


def test_the_command_ends_with_1_when_no_policy_keeps_the_slo(tmp_path: Path) -> None:
    load = tmp_path / "orders.csv"
    load.write_text("0,1200\n600,12000\n1200,1200\n1800,1200\n")
    small = template()
    small["Resources"]["Target"]["Properties"]["MaxCapacity"] = 2
    result = CliRunner().invoke(app, ["recommend", str(written(tmp_path, small)), "--load", str(load), "--slo", "200"])
    assert result.exit_code == 1, result.output
    assert "No policy that was tried keeps 200 s; 8 tasks that always run would" in result.stdout
