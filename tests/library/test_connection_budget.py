"""The budget of a cache's connections, as arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fargate_workers.stores.connection_budget import ConnectionBudget


def test_a_budget_is_eighty_percent_of_what_a_node_accepts() -> None:
    assert ConnectionBudget("ReadModel", max_clients=20_000).limit == 16_000


def test_a_pool_is_fifty_connections_unless_asked_otherwise() -> None:
    budget = ConnectionBudget("ReadModel", max_clients=20_000).grant("Orders", max_tasks=10)

    assert budget.shares[-1].connections_per_task == 50


def test_a_deployment_doubles_what_a_worker_takes() -> None:
    budget = ConnectionBudget("ReadModel", max_clients=20_000).grant("Orders", max_tasks=10, connections_per_task=20)

    assert budget.used == 2 * 10 * 20


def test_a_pool_shrinks_to_what_is_left_for_each_task() -> None:
    budget = ConnectionBudget("ReadModel", max_clients=20_000).grant("Orders", max_tasks=400)

    assert budget.shares[-1].connections_per_task == 16_000 // (2 * 400)


def test_the_workers_and_the_mend_are_named_when_the_budget_is_exceeded() -> None:
    budget = ConnectionBudget("ReadModel", max_clients=20_000).grant("Orders", max_tasks=10, connections_per_task=700)

    with pytest.raises(ValueError, match="it bears") as raised:
        budget.grant("Reports", max_tasks=5, connections_per_task=300)

    assert str(raised.value) == (
        "ReadModel: workers may open 17000 connections, but it bears 16000 (80 % of its node's 20000): "
        "Orders 2 x 10 tasks x 700 = 14000, Reports 2 x 5 tasks x 300 = 3000; "
        "lower max_tasks or connections_per_task, or choose a larger node_type."
    )


def test_a_worker_for_whom_nothing_is_left_is_refused() -> None:
    budget = ConnectionBudget("ReadModel", max_clients=20_000).grant("Orders", max_tasks=10, connections_per_task=800)

    with pytest.raises(ValueError, match="workers may open 16002 connections"):
        budget.grant("Reports", max_tasks=1)


@pytest.mark.parametrize(("max_tasks", "pool", "named"), [(0, None, "max_tasks=0"), (1, 0, "connections_per_task=0")])
def test_a_worker_asks_for_at_least_one(max_tasks: int, pool: int | None, named: str) -> None:
    with pytest.raises(ValueError, match=f"ReadModel: Orders connects with {named}; use at least 1"):
        ConnectionBudget("ReadModel", max_clients=65_000).grant(
            "Orders", max_tasks=max_tasks, connections_per_task=pool
        )


def test_a_task_with_several_processes_has_as_many_pools() -> None:
    database = ConnectionBudget(
        "Orders", max_clients=1_000, usual_pool=10, bearer="its writer", way_out="raise max_acu"
    )
    budget = database.grant("Apply", max_tasks=10, pools=4)

    assert (budget.shares[-1].connections_per_pool, budget.used) == (10, 2 * 10 * 4 * 10)
    with pytest.raises(ValueError, match="Orders") as raised:
        budget.grant("Report", max_tasks=1, connections_per_task=1)
    assert str(raised.value) == (
        "Orders: workers may open 802 connections, but it bears 800 (80 % of its writer's 1000): "
        "Apply 2 x 10 tasks x 4 processes x 10 = 800, Report 2 x 1 tasks x 1 = 2; raise max_acu."
    )


_asked = st.lists(st.tuples(st.integers(1, 500), st.one_of(st.none(), st.integers(1, 500))), max_size=6)


@given(max_clients=st.sampled_from([20_000, 46_000, 65_000]), asked=_asked)
def test_whatever_is_granted_stays_within_the_budget(max_clients: int, asked: list[tuple[int, int | None]]) -> None:
    budget = ConnectionBudget("ReadModel", max_clients=max_clients)
    for max_tasks, pool in asked:
        before = budget
        try:
            budget = budget.grant("Worker", max_tasks=max_tasks, connections_per_task=pool)
        except ValueError:
            least = 1 if pool is None else pool
            assert before.used + 2 * max_tasks * least > before.limit
            continue
        share = budget.shares[-1]
        assert budget.used <= budget.limit
        assert budget.used == before.used + share.connections
        assert share.connections_per_task >= 1
        if pool is not None:
            assert share.connections_per_task == pool
