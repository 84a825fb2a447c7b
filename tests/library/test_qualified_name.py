"""What a worker's log, metrics, claims and plans go by: one name in an account and region."""

from aws_cdk import App, Stack, Stage
from constructs import Construct

from fargate_workers.cloudformation.names.qualified_name import qualify


def test_it_is_the_stacks_name_and_the_path_within() -> None:
    stack = Stack(Stage(App(), "prod"), "Shop")
    assert qualify(stack, "Orders") == "prod-Shop/Orders"
    assert qualify(Construct(stack, "Invoices"), "Worker") == "prod-Shop/Invoices/Worker"


def test_a_stacks_own_name_counts_and_not_its_id() -> None:
    assert qualify(Stack(App(), "Shop", stack_name="shop-eu"), "Orders") == "shop-eu/Orders"


def test_workers_of_one_id_are_told_apart() -> None:
    app = App()
    first, second = Stack(app, "First"), Stack(app, "Second")
    scopes = (first, second, Construct(first, "A"), Construct(first, "B"))
    assert len({qualify(scope, "Worker") for scope in scopes}) == 4
