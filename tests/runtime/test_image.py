"""The image's own promises: what is in it, who runs it, and what its hash depends on."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from fargate_workers_runtime.sql.postgres_settings import RDS_CA_FILE

WORKER_IMAGE = Path(__file__).parents[2] / "worker_image"
DOCKERFILE = (WORKER_IMAGE / "Dockerfile").read_text()
SOURCES = sorted(
    path for package in ("fargate_workers_runtime", "order_pipeline") for path in (WORKER_IMAGE / package).rglob("*.py")
)


def instructions(name: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", "", DOCKERFILE)
    return re.findall(rf"^{name} (.*)$", joined, flags=re.MULTILINE)


def test_the_base_image_is_an_exact_tag_given_as_a_build_argument() -> None:
    *_, last = instructions("FROM")
    assert last == "${PYTHON_IMAGE}"
    argument, _ = instructions("ARG")
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.\d+\.\d+-slim-bookworm", argument)


def test_the_certificates_of_rds_come_from_a_stage_that_a_build_argument_names() -> None:
    assert instructions("ARG")[1] == "RDS_CERTIFICATES=download"
    stages = [line.removeprefix("scratch AS ") for line in instructions("FROM") if line.startswith("scratch AS ")]
    assert stages == ["certificates-download", "certificates-context", "certificates-none"]
    assert "certificates-${RDS_CERTIFICATES} AS certificates" in instructions("FROM")
    assert f"--from=certificates /rds/ {RDS_CA_FILE.parent}/" in instructions("COPY")


def test_nothing_is_downloaded_beside_the_certificates_and_what_the_lock_has() -> None:
    (download,) = instructions("ADD")
    assert download.endswith(f"/rds/{RDS_CA_FILE.name}")
    assert [command for command in instructions("RUN") if "install" in command] == [
        '["python", "-m", "pip", "install", "--no-cache-dir", "--no-deps", "--require-hashes", '
        '"--requirement", "requirements.txt"]'
    ]


def test_the_image_runs_as_a_user_without_rights() -> None:
    assert instructions("USER") == ["10001:10001"]


@pytest.mark.parametrize("name", ["RUN", "CMD"])
def test_every_command_is_in_exec_form_and_needs_no_shell(name: str) -> None:
    assert instructions(name)
    for command in instructions(name):
        assert json.loads(command)[0] in {"python", "chmod"}


def test_every_user_may_read_what_was_copied_whatever_modes_the_checkout_has() -> None:
    commands = [line for line in DOCKERFILE.splitlines() if line.startswith(("COPY", "RUN"))]
    last_copy = max(number for number, line in enumerate(commands) if line.startswith("COPY"))

    assert commands[last_copy + 1] == 'RUN ["chmod", "-R", "a+rX", "/app"]'
    assert instructions("WORKDIR")[-1] == "/app"


def test_the_health_check_is_the_runtimes_own() -> None:
    (check,) = instructions("HEALTHCHECK")
    assert check.endswith('CMD ["python", "-m", "fargate_workers_runtime.health"]')


def test_the_documented_image_is_run_and_looked_after_as_ours() -> None:
    document = (WORKER_IMAGE.parent / "docs" / "worker" / "handlers.md").read_text(encoding="utf-8")
    (dockerfile,) = re.findall(r"```dockerfile\n(.*?)```", document, re.DOTALL)
    lines = dockerfile.splitlines()
    assert "USER 10001:10001" in lines
    assert lines.index("VOLUME /tmp") < lines.index("USER 10001:10001")
    assert 'CMD ["python", "-m", "fargate_workers_runtime.health"]' in dockerfile


def test_every_requirement_is_pinned_and_hashed_and_names_no_index() -> None:
    requirements = (WORKER_IMAGE / "requirements.txt").read_text()
    assert "--require-hashes" in DOCKERFILE
    assert "://" not in requirements
    pinned = re.findall(r"^([a-z0-9-]+)==\S+ .*\\$", requirements, flags=re.MULTILINE)
    assert {"boto3", "jsonschema-rs", "redis"} <= set(pinned)
    assert requirements.count("--hash=sha256:") >= len(pinned)


def test_the_build_context_is_an_allow_list() -> None:
    rules = [
        line for line in (WORKER_IMAGE / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert rules[0] == "*"
    assert rules[1:] == [
        "!Dockerfile",
        "!requirements.txt",
        "!fargate_workers_runtime/**/*.py",
        "!order_pipeline/**/*.py",
        "!certificates/global-bundle.pem",
    ]


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    result = subprocess.run([hadolint, str(WORKER_IMAGE / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


def not_held(path: Path) -> set[str]:
    """What a module imports and the image does not hold."""
    held = {
        *("boto3", "botocore", "confluent_kafka", "jsonschema_rs", "psycopg", "psycopg_pool", "redis"),
        *("fargate_workers_runtime", "order_pipeline"),
    }
    typing_only = {"types_boto3_dynamodb", "types_boto3_s3", "types_boto3_sqs"}
    if path.parent.name == "fargate_workers_runtime":
        held.remove("order_pipeline")
    if path.name == "pytest_plugin.py":
        held.add("pytest")  # who loads it is pytest
    if path.name == "sqlalchemy_driver.py":
        held.add("sqlalchemy")  # loaded for connections that a handler has made with it
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.split(".")[0])
    return imported - held - typing_only - sys.stdlib_module_names


def test_modules_import_only_what_the_image_holds() -> None:
    assert {path.stem: names for path in SOURCES if (names := not_held(path))} == {}


def test_every_public_name_is_found() -> None:
    import fargate_workers_runtime

    for name in fargate_workers_runtime.__all__:
        found = getattr(fargate_workers_runtime, name)
        home = found.__name__ if isinstance(found, ModuleType) else found.__module__
        assert home.startswith("fargate_workers_runtime.")


def test_the_examples_in_docstrings_run() -> None:
    import doctest

    from fargate_workers_runtime.entry_points import worker

    result = doctest.testmod(worker)
    assert (result.attempted > 0, result.failed) == (True, 0)
