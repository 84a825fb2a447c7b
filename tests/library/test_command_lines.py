"""A wrapped command runs as the one line it was made from, and no line of a page is too long to read at night."""

import re
import shlex
import subprocess

import pytest

from fargate_workers.alarms import runbooks
from fargate_workers.alarms.command_lines import WIDTH, step, wrapped

OPTIONS = "aws sqs receive-message " + " ".join(f"--option-{number} <value-{number}>" for number in range(9))
QUOTED = (
    'aws ecs run-task --network-configuration "$(aws scheduler get-schedule --name <schedule> --query '
    "'{awsvpcConfiguration: Target.EcsParameters.NetworkConfiguration.{subnets: Subnets, securityGroups: Groups}}')\" "
    '--overrides \'{"containerOverrides":[{"name":"worker","environment":[{"name":"SCHEDULE","value":"<arn>"}]}]}\''
)


def words(command: str) -> list[str]:
    """What a shell passes to the program, spaces inside a word left out: they mean nothing in JSON and in a query."""
    text = re.sub(r"<([\w-]+)>", r"\1", command)
    whole = subprocess.run(
        ["bash", "-c", f'aws() {{ printf "%s\\0" "$@"; }}; {text}'], capture_output=True, text=True, check=True
    )
    return ["".join(word.split()) for word in whole.stdout.split("\0")]


@pytest.mark.parametrize("command", [OPTIONS, QUOTED], ids=["options", "quotes"])
def test_a_wrapped_command_means_the_same_to_a_shell(command: str) -> None:
    assert words(wrapped(command)) == words(command)


@pytest.mark.parametrize("command", [OPTIONS, QUOTED], ids=["options", "quotes"])
def test_no_line_of_a_wrapped_command_is_longer_than_wanted(command: str) -> None:
    lines = wrapped(command).splitlines()

    assert len(lines) > 1
    assert max(map(len, lines)) <= WIDTH


def test_a_short_command_stays_as_it_is() -> None:
    assert wrapped("aws sqs list-queues") == "aws sqs list-queues"
    assert step("Look: `aws sqs list-queues`, then go on.", indent="    ") == "Look: `aws sqs list-queues`, then go on."


def test_a_long_command_of_a_step_stands_in_a_block_between_two_sentences() -> None:
    lines = step(f"Look at them with `{OPTIONS}`; then go on.", indent="    ").splitlines()

    assert lines[0] == "Look at them with:"
    assert lines[2] == "    ```sh"
    assert lines[-3:] == ["    ```", "", "    Then go on."]
    assert all(line.startswith("    ") for line in lines[1:] if line)


def test_no_command_of_a_page_is_longer_than_a_line() -> None:
    commands = [
        (name, line)
        for name, page in runbooks.pages().items()
        for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
        for line in block.splitlines()
    ]
    inline = [
        (name, command)
        for name, page in runbooks.pages().items()
        for command in re.findall(r"(?<!`)`((?:aws|eval) [^`]+)`", page)
    ]

    assert commands
    assert [each for each in commands + inline if len(each[1]) > WIDTH] == []
    assert all(shlex.split(line) for _, line in inline)
