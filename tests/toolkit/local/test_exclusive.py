"""Two commands in two terminals: the second one names the process of the first, and changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fargate_workers_toolkit import command
from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local import lifecycle
from fargate_workers_toolkit.local.exclusive import exclusive_use
from fargate_workers_toolkit.local.workspace import Workspace

HOLDER = """
import sys
from pathlib import Path
from fargate_workers_toolkit.local.exclusive import exclusive_use
from fargate_workers_toolkit.local.workspace import Workspace
with exclusive_use(Workspace(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_process_that_holds_it_is_named(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    refused = pytest.raises(LocalError, match=rf"process {os.getpid()}\); wait until it ends")
    with exclusive_use(workspace), refused, exclusive_use(workspace):
        pass
    with exclusive_use(workspace):  # free again
        pass


def test_its_folder_hides_itself_from_version_control(tmp_path: Path) -> None:
    with exclusive_use(Workspace(tmp_path)):
        assert (tmp_path / ".local" / ".gitignore").read_text() == "*\n"


def test_a_workspace_of_another_name_is_free(tmp_path: Path) -> None:
    with exclusive_use(Workspace(tmp_path)), exclusive_use(Workspace(tmp_path, name="another")):
        pass


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(lifecycle.__file__).parents[2])},
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LocalError, match=f"process {holder.pid}"), exclusive_use(Workspace(tmp_path)):
            pass
        holder.kill()
    with exclusive_use(Workspace(tmp_path)):
        pass


@pytest.mark.parametrize("name", ["up", "run", "down"])
def test_every_command_is_refused_meanwhile(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cdk.json").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["fargate-workers", "local", name])
    with exclusive_use(Workspace(tmp_path)), pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("Another local run is at work here")
    assert not (tmp_path / ".local" / "run").exists()
