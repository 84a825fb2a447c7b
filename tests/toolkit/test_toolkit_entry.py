"""The command without its extra names the extra; a fault of the command keeps its traceback."""

import sys
import tomllib
from pathlib import Path

import pytest

from fargate_workers_toolkit import entry

ROOT = Path(__file__).parents[2]
COMMAND = "fargate_workers_toolkit.command"


@pytest.fixture(autouse=True)
def unimported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, COMMAND, raising=False)


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ("typer", ["--help"]),
        ("rich", ["simulate"]),
        ("numpy", ["simulate"]),
        ("numpy", ["--help"]),
        ("boto3", ["account", "dev"]),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    package: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["fargate-workers", *words])
    for name in [
        name for name in sys.modules if name == package or name.startswith(("fargate_workers_toolkit.", f"{package}."))
    ]:
        if name != entry.__name__:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"fargate-workers needs the package {package}, which is not installed: "
        'run pip install "fargate-workers[toolkit]".\n'
    )


def test_a_package_that_is_too_old_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old_package.py").touch()
    (tmp_path / "importing.py").write_text("from old_package import new_name\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(entry, "import_module", lambda _: __import__("importing"))
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 2
    assert "needs the package old_package, which is of a version that does not fit" in capsys.readouterr().err


def test_a_fault_of_the_command_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, COMMAND, None)
    with pytest.raises(ModuleNotFoundError):
        entry.main()


def test_plot_brings_the_command_along() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert "fargate-workers[toolkit]" in extras["plot"]
