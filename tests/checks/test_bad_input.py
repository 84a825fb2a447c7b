"""What a wrong environment gets: one sentence that names the thing and the mend, exit code 2, nothing half-made."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("line", "instead", "sentence"),
    [
        ("max_tasks = 4", "max_taks = 4", 'environments/dev.toml: max_taks: unknown key. Did you mean "max_tasks"?'),
        (
            "max_tasks = 4",
            "max_tasks = 100000",
            "ImportOrders: 100000 tasks, twice as many during a deployment, may hold",
        ),
        ('account = "111111111111"', "account = 0111", "environments/dev.toml: account: must be a 12-digit string"),
    ],
)
def test_a_wrong_environment_gets_one_sentence(line: str, instead: str, sentence: str, tmp_path: Path) -> None:
    for folder in ("environments", "stacks", "worker_image"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", tmp_path)
    file = tmp_path / "environments" / "dev.toml"
    file.write_text(re.sub(f"^{line}", instead, file.read_text(), flags=re.MULTILINE))

    environment = {**os.environ, "PYTHONPATH": str(ROOT / "constructs"), "CDK_OUTDIR": str(tmp_path / "cdk.out")}
    result = subprocess.run(
        [sys.executable, "app.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert sentence in result.stderr
    assert not (tmp_path / "cdk.out" / "manifest.json").exists()
