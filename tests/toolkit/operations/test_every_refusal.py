"""Every command that AWS refuses ends with 2 and one sentence, whichever of its requests it was."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from click.testing import Result
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.commands import COMMANDS
from fargate_workers_toolkit.operations.places import Aws
from tests.toolkit.operations.world import World

pytestmark = pytest.mark.usefixtures("nobody_waits")

#: Each command of someone on call, as it is typed.
TYPED: Sequence[tuple[str, ...]] = (
    ("status", "dev"),
    ("doctor", "dev"),
    ("tail", "dev", "Orders"),
    ("tail", "dev", "Orders", "--message", "m-1"),
    ("tail", "dev", "Orders", "--key", "order-1"),
    ("dead-letters", "list", "dev"),
    ("dead-letters", "show", "dev", "Orders"),
    ("dead-letters", "replay", "dev", "Orders", "--all"),
    ("dead-letters", "replay", "dev", "Orders", "--all", "--by-sqs"),
    ("dead-letters", "purge", "dev", "Orders", "--where", "age > 1d"),
    ("pause", "dev", "Orders", "--why", "a test"),
    ("drain", "dev", "Orders", "--why", "a test"),
    ("resume", "dev", "Orders"),
    ("scale", "dev", "Orders", "--min", "2", "--for", "1h"),
    ("rollback", "dev", "Orders"),
    ("rollback", "dev", "Orders", "--list"),
    ("run", "dev", "HourlyReport"),
    ("alerts", "test", "dev"),
    ("mute", "dev", "--for", "1h", "--why", "a test"),
    ("unmute", "dev"),
)

#: What AWS answers, and what the sentence says about it.
REFUSALS = {
    "no credentials": (("", ""), "no AWS credentials"),
    "expired": (("ExpiredTokenException", "The security token included in the request is expired"), "have expired"),
    "denied": (
        (
            "AccessDeniedException",
            "User: arn:aws:sts::1:assumed-role/r/ada is not authorized to perform: sqs:ReceiveMessage on resource: "
            "arn:aws:sqs:eu-west-1:1:orders because no identity-based policy allows the sqs:ReceiveMessage action",
        ),
        "These credentials may not call sqs:ReceiveMessage",
    ),
    "throttled": (("ThrottlingException", "Rate exceeded"), "too many requests"),
    "unknown": (("UnrecognizedClientException", "The security token is invalid."), "does not know these credentials"),
    "failed": (("InternalFailure", "We encountered an internal error."), "failed with InternalFailure"),
}


def error_of(name: str, call: str) -> BotoCoreError | ClientError:
    if name == "no credentials":
        return NoCredentialsError()
    (code, message), _ = REFUSALS[name]
    return ClientError({"Error": {"Code": code, "Message": message}}, call)


class Refusing:
    """A client that refuses every request."""

    def __init__(self, name: str) -> None:
        self._name = name

    def get_paginator(self, call: str) -> "Refusing":
        del call
        return self

    def __getattr__(self, call: str) -> Callable[..., Any]:
        def refuse(*_: object, **__: object) -> None:
            raise error_of(self._name, call.title().replace("_", ""))

        return refuse


def run(arguments: Sequence[str]) -> Result:
    return CliRunner(env={"COLUMNS": "500"}).invoke(app, list(arguments))


def is_one_sentence(text: str) -> bool:
    """One line that ends with a full stop."""
    return re.fullmatch(r"\S[^\n]+\.\n", text) is not None and "Traceback" not in text


def test_every_command_of_someone_on_call_is_tried() -> None:
    on_call = {name for name, (file, _) in COMMANDS.items() if file.startswith("on_call.")}

    assert {each[0] for each in TYPED} == on_call


@pytest.mark.parametrize("typed", TYPED, ids=" ".join)
def test_a_refusal_of_the_first_request_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: tuple[str, ...]
) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "dev.toml").write_text('account = "123456789012"\nregion = "eu-west-1"\n')
    (tmp_path / "cdk.json").write_text(json.dumps({}))
    monkeypatch.chdir(tmp_path)
    for refusal, (_, said) in REFUSALS.items():
        monkeypatch.setattr(Aws, "client", lambda _self, _service, refusal=refusal: Refusing(refusal))

        ended = run(typed)

        assert ended.exit_code == 2, ended.output
        assert ended.stdout == ""
        assert is_one_sentence(ended.stderr), ended.stderr
        assert said in ended.stderr


# What finds workers works; then comes the refusal of one service, as of a role that lacks a permission.
@pytest.mark.parametrize("service", ["ecs", "sqs", "logs", "cloudwatch"])
def test_a_refusal_of_one_service_is_a_sentence_or_something_named_unknown(
    world: World, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    allowed = Aws.client
    monkeypatch.setattr(
        Aws, "client", lambda self, name: Refusing("denied") if name == service else allowed(self, name)
    )
    for typed in TYPED:
        ended = run(typed)

        assert ended.exception is None or isinstance(ended.exception, SystemExit), (typed, ended.exception)
        assert "Traceback" not in ended.output
        if ended.exit_code == 2:
            # Before it, what is about to be done may stand.
            assert is_one_sentence(ended.stderr.splitlines(keepends=True)[-1]), (typed, ended.stderr)


def test_an_environment_that_is_none_and_one_with_nothing_in_it_are_one_sentence(world: World) -> None:
    for typed in TYPED:
        for environment in ("nowhere", "empty"):
            ended = run([environment if each == "dev" else each for each in typed])

            assert ended.exit_code == 2, (typed, ended.output)
            assert ended.stdout == ""
            assert is_one_sentence(ended.stderr), ended.stderr
            assert environment in ended.stderr
