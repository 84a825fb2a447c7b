"""From Dockerfiles and image assets to what a local process runs."""

import json
from pathlib import Path

import pytest

from fargate_workers_toolkit.local.emulator.processes.programs import UnknownImageError, find_program, read_dockerfile

FOLDER = Path("/asset")


def test_the_last_stage_and_what_it_builds_on_count() -> None:
    program = read_dockerfile(
        """
        ARG PYTHON=python:3.13
        FROM ${PYTHON} AS base
        ENV A=1 B="two words"
        WORKDIR /app
        CMD ["base"]
        FROM other AS build
        ENV C=3
        FROM base
        # A comment
        ENV PYTHONPATH=/app \\
            D=$A
        ENTRYPOINT ["python", "-m"]
        CMD ["worker"]
        """,
        folder=FOLDER,
    )
    assert program.environment == {"A": "1", "B": "two words", "PYTHONPATH": "/app", "D": "1"}
    assert [*program.entrypoint, *program.command] == ["python", "-m", "worker"]


def test_paths_below_the_work_directory_are_in_the_asset() -> None:
    program = read_dockerfile("FROM x\nWORKDIR /app\n", folder=FOLDER)
    assert [program.local_path(path) for path in ("/app", "/app/lib", "/apple", "/tmp")] == [
        "/asset",
        "/asset/lib",
        "/apple",
        "/tmp",
    ]


def test_the_shell_form_runs_in_a_shell() -> None:
    assert read_dockerfile("FROM x\nCMD echo $A\n", folder=FOLDER).command == ("/bin/sh", "-c", "echo $A")


def test_build_arguments_come_before_defaults() -> None:
    program = read_dockerfile("FROM x\nARG V=1\nENV VERSION=$V\n", folder=FOLDER, arguments={"V": "2"})
    assert program.environment == {"VERSION": "2"}


def test_an_image_is_found_by_its_assets_hash(tmp_path: Path) -> None:
    stage = tmp_path / "assembly-local"
    (stage / "asset.abc").mkdir(parents=True)
    (stage / "asset.abc" / "Dockerfile").write_text('FROM x\nCMD ["python"]\n')
    manifest = {"dockerImages": {"abc": {"source": {"directory": "asset.abc"}}}}
    (stage / "Workers.assets.json").write_text(json.dumps(manifest))
    assert find_program(tmp_path, "000.dkr.ecr/assets:abc").folder == stage / "asset.abc"
    assert find_program(tmp_path, "000.dkr.ecr/assets@sha256:abc").command == ["python"]
    with pytest.raises(UnknownImageError, match="only images built from assets run locally"):
        find_program(tmp_path, "registry.example.com/nginx:latest")


def test_the_image_of_an_earlier_assembly_runs_while_its_asset_is_there(tmp_path: Path) -> None:
    (tmp_path / "asset.old").mkdir()
    (tmp_path / "asset.old" / "Dockerfile").write_text('FROM x\nCMD ["python", "-m", "old"]\n')

    program = find_program(tmp_path, "000.dkr.ecr/assets@sha256:old")

    assert (program.folder, program.command) == (tmp_path / "asset.old", ["python", "-m", "old"])
