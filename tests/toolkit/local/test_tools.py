"""What is missing is said in one sentence, before anything is made."""

import json
import socket
import stat
from pathlib import Path

import pytest

from fargate_workers_toolkit import command
from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local import embedded_aws, tools
from fargate_workers_toolkit.local.workspace import Workspace


def install_cdk(root: Path, *, wanted: str, found: str) -> None:
    (root / "node_modules" / "aws-cdk").mkdir(parents=True)
    (root / "node_modules" / "aws-cdk" / "package.json").write_text(json.dumps({"version": found}))
    (root / "package.json").write_text(json.dumps({"devDependencies": {"aws-cdk": wanted}}))


def install_program(folder: Path, name: str, says: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho {says}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_a_missing_node_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalError, match="Node or npm is missing: install Node 20 or newer with npm"):
        tools.find_node()


def test_an_old_node_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_program(tmp_path, "node", "v18.1.0")
    install_program(tmp_path, "npm", "9")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalError, match=r"Node v18\.1\.0 is too old"):
        tools.find_node()


def test_a_missing_cdk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalError, match="The CDK CLI is not installed: run `npm install aws-cdk@2`"):
        tools.find_cdk(tmp_path)


def test_a_pinned_cdk_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"devDependencies": {"aws-cdk": "2.1148.1"}}))
    with pytest.raises(LocalError, match="The CDK CLI is not installed: run `npm ci`"):
        tools.find_cdk(tmp_path)


def test_the_accidental_release_is_named(tmp_path: Path) -> None:
    install_cdk(tmp_path, wanted="2.1148.1", found="3.0.0")
    with pytest.raises(LocalError, match=r"3\.0\.0 is an accidental release .* run `npm ci` to get 2\.1148\.1"):
        tools.find_cdk(tmp_path)


def test_another_cdk_is_named(tmp_path: Path) -> None:
    install_cdk(tmp_path, wanted="2.1148.1", found="2.1000.0")
    with pytest.raises(LocalError, match=r"is 2\.1000\.0, package\.json wants 2\.1148\.1"):
        tools.find_cdk(tmp_path)


def test_a_used_port_is_named() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with pytest.raises(LocalError, match=f"Port {port} is in use .* give another with --port"):
            embedded_aws.find_port(port)


def test_a_folder_outside_the_repository_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"There is no cdk\.json in .* run the command inside a CDK app"):
        Workspace.here(tmp_path)


def test_the_command_ends_with_2_and_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["fargate-workers", "local", "down"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_cdk_of_a_folder_above_is_found(tmp_path: Path) -> None:
    install_cdk(tmp_path, wanted="^2.1148.0", found="2.1200.0")
    (tmp_path / "app").mkdir()
    assert tools.find_cdk(tmp_path / "app") == tmp_path / "node_modules" / "aws-cdk" / "bin" / "cdk"


def test_the_cdk_on_the_path_is_found_where_no_folder_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    install_program(tmp_path / "bin", "cdk", "2.1148.1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "app").mkdir()
    assert tools.find_cdk(tmp_path / "app") == tmp_path / "bin" / "cdk"
