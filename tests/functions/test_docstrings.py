"""The documentation of the Lambda functions is complete, in a form that tools read."""

from importlib import import_module
from pkgutil import iter_modules

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


def test_every_function_describes_its_parameters_and_errors() -> None:
    missing = {
        name: (parameters(function) - described(docstring)) | (raised(function) - described_errors(docstring))
        for name, (function, docstring) in SIGNATURES.items()
    }
    assert {name: parts for name, parts in missing.items() if parts} == {}
    assert [name for name, (_, docstring) in SIGNATURES.items() if not begins_with_a_sentence(docstring)] == []


def test_all_functions_are_looked_at() -> None:
    assert {name.partition(".")[0] for name in SIGNATURES} == {
        "fargate_workers_observer",
        "fargate_workers_planner",
        "fargate_workers_redrive",
    }
