"""The documentation of the Lambda functions is complete, in a form that tools read."""

from importlib import import_module
from pkgutil import iter_modules

import pytest

import fargate_workers_observer
import fargate_workers_planner
import fargate_workers_redrive
from tests.documents.docstrings import (
    begins_with_a_sentence,
    described,
    described_errors,
    own_names,
    parameters,
    raised,
    signatures,
)

SIGNATURES = {
    f"{module}.{name}": signature
    for package in (fargate_workers_observer, fargate_workers_planner, fargate_workers_redrive)
    for module in (f"{package.__name__}.{each.name}" for each in iter_modules(package.__path__))
    for name, signature in signatures(own_names(import_module(module)), package=package.__name__)
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_every_function_describes_its_parameters_and_errors(name: str) -> None:
    function, docstring = SIGNATURES[name]
    assert begins_with_a_sentence(docstring)
    assert parameters(function) - described(docstring) == set()
    assert raised(function) - described_errors(docstring) == set()


def test_all_functions_are_looked_at() -> None:
    assert {name.partition(".")[0] for name in SIGNATURES} == {
        "fargate_workers_observer",
        "fargate_workers_planner",
        "fargate_workers_redrive",
    }
