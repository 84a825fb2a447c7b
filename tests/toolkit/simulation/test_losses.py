"""Messages that nobody ever works on are missed like those that are worked on too late."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.reports.page import page
from fargate_workers_toolkit.reports.study import Study
from fargate_workers_toolkit.reports.verdict import verdict_of
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import Queue
from fargate_workers_toolkit.simulation.simulate import Engine, simulate
from tests.toolkit.simulation.services import fixed
from tests.toolkit.simulation.templates import resource, template, written

HOUR = 3600
ENGINES = pytest.mark.parametrize("engine", ["fluid", "exact"])
EVEN = Assumptions(service_times="fixed")


def overload() -> Load:
    return Load(name="much", arrivals=np.full(2 * HOUR, 10), work_seconds=1.0)


@ENGINES
def test_messages_that_expire_are_missed(engine: Engine) -> None:
    service = fixed(5, queue=Queue(retention=240))
    result = simulate(service, overload(), slo=300, assumptions=EVEN, engine=engine)
    assert result.expired > 30_000
    assert result.lost == result.expired
    assert result.missed == pytest.approx(result.lost)
    assert result.missed_percent == pytest.approx(100 * result.lost / (result.lost + result.done))


@ENGINES
def test_messages_that_become_dead_letters_in_an_outage_are_missed(engine: Engine) -> None:
    flags = np.zeros(2 * HOUR, dtype=np.bool_)
    flags[600:4200] = True
    load = Load(name="outage", arrivals=np.full(2 * HOUR, 2), work_seconds=0.1, outage=flags)
    service = fixed(5, queue=Queue(visibility_timeout=60, max_receive_count=3))
    result = simulate(service, load, slo=300, engine=engine)
    assert result.dead_lettered > 6000
    assert result.lost == result.dead_lettered
    assert result.missed >= result.lost


@ENGINES
def test_poison_is_not_blamed_on_the_policy(engine: Engine) -> None:
    poison = np.zeros(HOUR, dtype=np.int64)
    poison[100] = 50
    load = Load(name="poison", arrivals=np.full(HOUR, 1), work_seconds=0.1, poison=poison)
    service = fixed(5, queue=Queue(visibility_timeout=60, max_receive_count=3))
    result = simulate(service, load, slo=300, engine=engine)
    assert (round(result.dead_lettered), round(result.lost), round(result.missed)) == (50, 0, 0)


def test_the_verdict_names_what_is_lost() -> None:
    service = fixed(5, queue=Queue(retention=240))
    result = simulate(service, overload(), slo=300, assumptions=EVEN)
    study = Study(title="cdk.out", service=service, load=overload(), result=result)
    kept, sentence = verdict_of([study])
    assert not kept
    assert f"{result.lost:,.0f} messages are lost, expired or dead-lettered" in sentence
    assert f"✗ {sentence}" in page([study])


def test_of_two_the_verdict_is_what_the_second_changes() -> None:
    load = Load(name="little", arrivals=np.full(HOUR, 1), work_seconds=0.1)
    dear, cheap = (
        Study(title=f"{tasks}", service=fixed(tasks), load=load, result=simulate(fixed(tasks), load, slo=300))
        for tasks in (20, 2)
    )
    saved = dear.result.cost - cheap.result.cost
    assert verdict_of([dear, cheap]) == (True, f"2 keeps the SLO of 300 s, too, for ${saved:,.2f} less.")
    assert verdict_of([cheap, dear]).sentence.endswith(f"for ${saved:,.2f} more.")


@pytest.mark.parametrize(("limit", "code"), [((), 1), (("--max-lost", "0"), 1), (("--max-lost", "100000000"), 0)])
def test_the_command_ends_with_1_when_messages_are_lost(tmp_path: Path, limit: tuple[str, ...], code: int) -> None:
    changes = {"Queue": resource("AWS::SQS::Queue", MessageRetentionPeriod=60)}
    path = written(tmp_path, template(**changes))
    command = ["simulate", str(path), "--rate", "500", "--slo", "300", "--json", "--summary", *limit]
    ran = CliRunner().invoke(app, command)
    assert ran.exit_code == code, ran.output
    told = json.loads(ran.stdout)
    assert told["lost"] == told["expired"] > 100_000
    assert "lost" in told["verdict"]
    assert not {"minutes", "events"} & told.keys()
