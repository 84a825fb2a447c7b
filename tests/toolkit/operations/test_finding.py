"""Environments and workers are found by file, stage and tags; what is not found is one sentence."""

import json
from pathlib import Path

import pytest

from fargate_workers_toolkit import local
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.operations import OperationsError
from fargate_workers_toolkit.operations.places import Aws, find_place
from fargate_workers_toolkit.operations.workers import find_worker, find_workers
from tests.toolkit.operations.world import World


def aws_of(world: World, environment: str) -> Aws:
    return Aws(find_place(environment, folder=world.folder))


def test_workers_are_found_with_their_service_bounds_and_alarms(world: World) -> None:
    orders, refunds = find_workers(aws_of(world, "dev"))

    assert (orders.name, orders.short_name, refunds.short_name) == ("dev-W/Orders", "Orders", "Refunds")
    assert (orders.cluster, orders.service) == ("dev-cluster", "Orders")
    assert (orders.scaling.min_tasks, orders.scaling.max_tasks) == (1, 10)
    assert orders.alarms["DeadLetters"] == "dev-Orders-DeadLetters"


def test_another_environment_in_the_same_account_is_not_mixed_in(world: World) -> None:
    assert [worker.name for worker in find_workers(aws_of(world, "prod"))] == ["prod-W/Orders"]


@pytest.mark.parametrize(
    ("environment", "name", "sentence"),
    [
        ("dev", None, "dev has 2 workers; name one of Orders, Refunds."),
        ("dev", "Oders", 'dev has no worker Oders; it has Orders, Refunds. Did you mean "Orders"?'),
        ("empty", "Orders", "No worker of empty is deployed in account 123456789012 in eu-west-1"),
        (
            "other",
            "Orders",
            "These credentials belong to account 123456789012, and environments/other.toml names 999999999999",
        ),
    ],
)
def test_what_is_not_there_is_one_sentence(world: World, environment: str, name: str | None, sentence: str) -> None:
    with pytest.raises(OperationsError) as caught:
        find_worker(aws_of(world, environment), name)

    assert sentence in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_the_only_worker_needs_no_name(world: World) -> None:
    assert find_worker(aws_of(world, "prod"), None).name == "prod-W/Orders"


def test_a_stage_of_the_assembly_is_an_environment(tmp_path: Path) -> None:
    stage = tmp_path / "cdk.out" / "assembly-shop"
    stage.mkdir(parents=True)
    (tmp_path / "cdk.out" / "manifest.json").write_text(
        json.dumps(
            {
                "artifacts": {
                    "assembly-shop": {
                        "type": "cdk:cloud-assembly",
                        "properties": {"directoryName": "assembly-shop", "displayName": "shop"},
                    }
                }
            }
        )
    )
    (stage / "manifest.json").write_text(
        json.dumps(
            {
                "artifacts": {
                    "shopWorkers": {"type": "aws:cloudformation:stack", "environment": "aws://111122223333/eu-north-1"}
                }
            }
        )
    )

    place = find_place("shop", folder=tmp_path)

    assert (place.account, place.region, place.production) == ("111122223333", "eu-north-1", False)


@pytest.mark.parametrize(
    ("environment", "line", "production"),
    [
        ("dev", "", False),
        ("prod", "", True),
        ("live", "production = true", True),
        ("prod", "production = false", False),
    ],
)
def test_a_file_says_whether_it_is_production_and_the_name_where_it_does_not(
    tmp_path: Path, environment: str, line: str, production: bool
) -> None:
    file = tmp_path / "environments" / f"{environment}.toml"
    file.parent.mkdir()
    file.write_text(f'account = "123456789012"\nregion = "eu-west-1"\n{line}\n')

    assert find_place(environment, folder=tmp_path).production is production


def test_a_word_in_quotes_does_not_make_production_an_environment_that_nobody_asks_for(tmp_path: Path) -> None:
    file = tmp_path / "environments" / "prod.toml"
    file.parent.mkdir()
    file.write_text('account = "123456789012"\nregion = "eu-west-1"\nproduction = "no"\n')

    with pytest.raises(OperationsError, match=r"prod\.toml: production: must be true or false, without quotes\."):
        find_place("prod", folder=tmp_path)


def test_an_unknown_environment_names_the_known_ones(world: World) -> None:
    with pytest.raises(
        OperationsError, match=r"There is no environment \"porduction\".*known: dev, empty, other, prod"
    ):
        find_place("porduction", folder=world.folder)


def test_the_local_environment_has_to_run(world: World) -> None:
    with pytest.raises(OperationsError, match="No local environment is running; start it with"):
        find_place("local", folder=world.folder)


EMBEDDED = EmbeddedAws(pid=0, port=4566, region="us-east-1", seconds_per_minute=2)


def test_an_environment_of_the_embedded_account_is_looked_for_on_this_machine(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "running", lambda _workspace: EMBEDDED, raising=False)
    (world.folder / "environments" / "mine.toml").write_text('account = "000000000000"\nregion = "us-east-1"\n')

    place = find_place("mine", folder=world.folder)

    assert place.endpoint == EMBEDDED.endpoint
    assert place.typed("status", "mine") == "fargate-workers status mine"


def test_the_next_command_finds_the_same_place(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "running", lambda _workspace: EMBEDDED, raising=False)

    here = find_place("dev", folder=world.folder, local=True)
    there = find_place("dev", folder=world.folder, profile="my shop")

    assert here.typed("resume", "dev", "Orders") == "fargate-workers resume dev Orders --local"
    assert there.typed("resume", "dev", "Orders") == "fargate-workers resume dev Orders --profile 'my shop'"
