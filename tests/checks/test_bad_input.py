"""What a wrong environment gets: one sentence that names the thing and the mend, exit code 2, nothing half-made.

The sentences themselves are those of test_environment.py and of the library's tests.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "constructs"), "CDK_OUTDIR": str(folder / "cdk.out")}
    return subprocess.run(
        [sys.executable, "app.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for folder in ("environments", "stacks", "worker_image"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "instead", "sentence"),
    [
        ("max_tasks = 4", "max_taks = 4", 'environments/dev.toml: max_taks: unknown key. Did you mean "max_tasks"?'),
        (
            "max_tasks = 4",
            "max_tasks = 100000",
            "ImportOrders: 100000 tasks, twice as many during a deployment, may hold",
        ),
    ],
)
def test_a_wrong_environment_gets_one_sentence(line: str, instead: str, sentence: str, copied: Path) -> None:
    file = copied / "environments" / "dev.toml"
    file.write_text(re.sub(f"^{line}", instead, file.read_text(), flags=re.MULTILINE))

    result = run(copied)

    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert sentence in result.stderr
    assert not (copied / "cdk.out" / "manifest.json").exists()


def test_a_stack_that_outgrew_cloudformation_gets_one_sentence(copied: Path) -> None:
    for other in set((copied / "environments").glob("*.toml")) - {copied / "environments" / "dev.toml"}:
        other.unlink()
    topics = {"Resources": {f"Topic{number}": {"Type": "AWS::SNS::Topic"} for number in range(500)}}
    (copied / "topics.json").write_text(json.dumps(topics))
    with (copied / "stacks" / "platform_stack.py").open("a") as file:
        file.write("        from aws_cdk import cloudformation_include\n")
        file.write("        cloudformation_include.CfnInclude(self, 'Topics', template_file='topics.json')\n")

    result = run(copied)

    assert result.returncode == 2
    said = "resources, and CloudFormation takes 500; move some of its workers into another stack on the same cluster"
    assert re.fullmatch(rf"The stack dev/Platform has 5\d\d {said} \(docs/environments\.md\)\.\n", result.stderr)


def test_a_bug_in_a_stack_keeps_its_traceback(copied: Path) -> None:
    with (copied / "stacks" / "platform_stack.py").open("a") as file:
        file.write("        int('x')\n")

    result = run(copied)

    assert result.returncode == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "platform_stack.py" in result.stderr
