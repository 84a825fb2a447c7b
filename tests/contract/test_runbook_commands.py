"""What runbooks, alarms, outputs and documents tell people to type is what AWS CLI 2 and the cache's user accept."""

import json
import os
import re
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fargate_workers.alarms import runbooks
from tests.contract.aws_commands import commands_in, mistake
from tests.contract.operator_commands import operator_commands_in, operator_mistake

ROOT = Path(__file__).parents[2]


def texts() -> dict[str, str]:
    pages = {f"runbook {name}": text for name, text in runbooks.pages().items()}
    documents = {*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")} - {*(ROOT / "docs" / "runbooks").iterdir()}
    return pages | {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sorted(documents)}


def written(value: Any) -> str:
    """A resolved text, with a placeholder where CloudFormation puts a name."""
    if isinstance(value, str):
        return value
    ((function, operand),) = value.items()
    return "".join(written(part) for part in operand[1]) if function == "Fn::Join" else "<name>"


@pytest.fixture(scope="module")
def deployed(assembly: Path) -> dict[str, str]:
    """What the alarms that call people and the outputs of production say."""
    found: dict[str, str] = {}
    for path in assembly.glob("assembly-prod/*.template.json"):
        template = json.loads(path.read_text())
        for name, resource in template["Resources"].items():
            text = written(resource["Properties"].get("AlarmDescription", ""))
            if "Runbook: " in text:  # those of the scaling tell nobody
                found[name] = text
        for name, output in template.get("Outputs", {}).items():
            if written(output["Value"]).startswith("aws "):
                found[name] = f"`{written(output['Value'])}`"
    return found


def test_every_command_of_a_text_is_one_that_the_cli_takes() -> None:
    commands = {(name, command) for name, text in texts().items() for command in commands_in(text)}

    assert len(commands) > 60
    assert {(name, command, found) for name, command in commands if (found := mistake(command)) is not None} == set()


def test_no_command_of_a_page_is_overlooked() -> None:
    for name, text in runbooks.pages().items():
        starts = len(re.findall(r"(?:^ *|[`(])aws [a-z]", text, re.MULTILINE))
        assert len(commands_in(text)) == starts, name


def test_every_command_of_an_alarm_or_output_is_one_that_the_cli_takes(deployed: dict[str, str]) -> None:
    commands = {name: commands_in(text) for name, text in deployed.items()}

    assert [name for name, found in commands.items() if not found] == []
    assert {name: why for name, found in commands.items() for each in found if (why := mistake(each))} == {}


def test_every_page_begins_with_a_command_of_an_operator_and_then_has_that_of_the_cli() -> None:
    for name, text in runbooks.pages().items():
        if name != "README.md":
            first = text.partition("## First\n")[2].partition("## ")[0]
            operator, cli = re.findall(r"```sh\n(.*?)\n```", first, re.DOTALL)
            assert operator.startswith("fargate-workers "), name
            assert cli.startswith("aws "), name


def test_every_command_of_an_operator_is_one_that_fargate_workers_takes() -> None:
    pages = runbooks.pages()
    commands = {(name, command) for name, text in pages.items() for command in operator_commands_in(text)}

    assert len(commands) >= len(pages) - 1
    assert {(name, command, why) for name, command in commands if (why := operator_mistake(command))} == set()


def test_every_alarm_begins_with_a_command_without_a_placeholder(deployed: dict[str, str]) -> None:
    texts = {name: text for name, text in deployed.items() if "\n" in text}

    for name, text in texts.items():
        (first,) = re.findall(r"^First: (.*)$", text, re.MULTILINE)
        assert "<" not in first, name
        assert re.match(r"fargate-workers \S+( list)? prod( \w+)?( --|$)", first), (name, first)
        assert operator_mistake(first) is None, name


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("fargate-workers stat prod", "there is no command stat"),
        ("fargate-workers tail prod Orders --sinse 1h", "No such option"),
        ("fargate-workers pause prod Orders", "Missing option"),
        ("fargate-workers dead-letters list", "Missing argument"),
    ],
)
def test_the_reader_of_operators_commands_finds(command: str, why: str) -> None:
    assert why in str(operator_mistake(command))


def test_a_run_can_be_started_by_pasting_one_command(deployed: dict[str, str]) -> None:
    (whole,) = [text.strip("`") for name, text in deployed.items() if name.startswith("HourlyReportRunNow")]
    failed = next(text for name, text in deployed.items() if name.startswith("HourlyReportRunFailed"))

    assert whole.startswith("aws ecs run-task --cluster ")
    assert whole.count("'") % 2 == 0
    assert '{"name":"SCHEDULED_TIME","value":"\'"$(date -u' in whole
    assert 'Run it now: eval "$(aws cloudformation describe-stacks --stack-name prod-Workers ' in failed
    (key,) = re.findall(r"OutputKey=='(\w+)'", failed)
    assert key in deployed


def test_the_redrive_function_is_named_where_it_is_looked_for(deployed: dict[str, str]) -> None:
    for worker in ("ImportOrders", "ApplyOrders"):
        text = next(text for name, text in deployed.items() if re.match(f"{worker}DeadLetters[0-9A-F]", name))
        assert "Once the cause is gone: aws lambda invoke" in text
        assert f'{{"action":"start","queue":"{worker}"}}' in text


def test_every_alarms_text_names_its_environment(deployed: dict[str, str]) -> None:
    assert [name for name, text in deployed.items() if "\n" in text and not text.startswith("prod-")] == []


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("aws logs follow group", "there is no logs follow"),
        ("aws ecs describe-service --cluster c", "there is no ecs describe-service"),
        ("aws ecs describe-services --cluster c", "Missing required parameter"),
        ("aws ecs describe-services --services s --clusters c", "no option --clusters"),
        ("aws ecs describe-services --services s --query 'services[0].wanted'", "the answer has no wanted"),
        ("aws ecs list-tasks --desired-status ENDED", "ENDED is none of RUNNING"),
        ("aws lambda invoke --function-name f --payload '{}' out.json", "AWS CLI 2 takes base64"),
        ("aws lambda invoke --function-name f", "belong to no option"),
        (
            "aws ecs run-task --task-definition t --network-configuration "
            '\'{"awsvpcConfiguration":{"Subnets":["s"]}}\'',
            "Unknown parameter",
        ),
        ("aws sqs get-queue-url --queue-name q --max-items 5", "no option --max-items"),
    ],
)
def test_the_reader_of_commands_finds(command: str, why: str) -> None:
    assert why in str(mistake(command))


def test_what_an_alarm_says_to_paste_runs_in_a_shell_with_every_quote_in_its_place(deployed: dict[str, str]) -> None:
    whole = next(text.strip("`") for name, text in deployed.items() if name.startswith("HourlyReportRunNow"))
    failed = next(text for name, text in deployed.items() if name.startswith("HourlyReportRunFailed"))
    (line,) = re.findall(r"^Run it now: (.*)$", failed, re.MULTILINE)
    pretended = 'aws() { case "$1" in cloudformation) printf %s "$WHOLE";; *) printf "%s\\n" "$@";; esac; }'

    whole = whole.replace("<name>", "name")
    shell = ["bash", "-c", f"{pretended}; {line}"]
    words = subprocess.run(
        shell, env={"WHOLE": whole, "PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True
    )

    given = words.stdout.splitlines()
    network, overrides = (
        json.loads(given[given.index(option) + 1]) for option in ("--network-configuration", "--overrides")
    )
    assert given[:2] == ["ecs", "run-task"]
    assert network["awsvpcConfiguration"].keys() == {"subnets", "securityGroups", "assignPublicIp"}
    ((container,),) = overrides.values()
    (name, time) = container["environment"]
    assert (container["name"], name["name"], time["name"]) == ("worker", "SCHEDULE_NAME", "SCHEDULED_TIME")
    assert datetime.fromisoformat(time["value"]).tzinfo is not None
