"""The documentation of the runtime's public face is complete, in a form that tools read."""

from importlib import import_module
from pathlib import Path

import fargate_workers_runtime
import fargate_workers_runtime.testing
from tests.documents.docstrings import (
    begins_with_a_sentence,
    described,
    described_errors,
    own_names,
    parameters,
    raised,
    signatures,
    texts,
)

PACKAGE = "fargate_workers_runtime"
#: Packages whose `__all__` is public, and modules of which every name without an underscore is.
FACES = (fargate_workers_runtime, fargate_workers_runtime.testing)
MODULES = ("settings", "clients", "errors", "brokers.broker", "claims.protocol")

PUBLIC: dict[str, object] = {name: getattr(face, name) for face in FACES for name in face.__all__} | {
    name: thing for module in MODULES for name, thing in own_names(import_module(f"{PACKAGE}.{module}")).items()
}
SIGNATURES = dict(signatures(PUBLIC, package=PACKAGE))


def test_there_is_something_to_describe() -> None:
    assert len(SIGNATURES) > 100


def test_every_public_name_has_a_docstring_that_begins_with_a_sentence() -> None:
    texts = {name: thing.__doc__ or "" for name, thing in PUBLIC.items()} | {
        name: docstring for name, (_, docstring) in SIGNATURES.items()
    }
    assert {name: text for name, text in texts.items() if not begins_with_a_sentence(text)} == {}


def test_every_parameter_is_described() -> None:
    missing = {name: parameters(function) - described(docstring) for name, (function, docstring) in SIGNATURES.items()}
    assert {name: parts for name, parts in missing.items() if parts} == {}


def test_every_error_that_it_raises_is_described() -> None:
    missing = {
        name: raised(function) - described_errors(docstring) for name, (function, docstring) in SIGNATURES.items()
    }
    assert {name: errors for name, errors in missing.items() if errors} == {}


def test_an_error_that_is_not_described_is_found() -> None:
    def take(count: int) -> None:
        if not count:
            raise LookupError("Nothing is left.")
        raise ValueError("The count is wrong.")

    assert raised(take) - described_errors("Takes.\n\nRaises:\n    ValueError: Never.\n") == {"LookupError"}


def test_every_file_function_and_class_begins_with_a_sentence() -> None:
    bad = [
        f"{path.name}: {docstring.splitlines()[0]}"
        for path, docstring in texts(Path(fargate_workers_runtime.__file__).parent)
        if not begins_with_a_sentence(docstring)
    ]
    assert bad == []
