"""`constructs/` is the library's source root, never a package: aws_cdk imports PyPI's `constructs`."""

from pathlib import Path

import constructs

ROOT = Path(__file__).parents[2]


def test_the_constructs_folder_holds_no_module_of_its_own() -> None:
    assert list((ROOT / "constructs").glob("*.py")) == []
    assert not (ROOT / "constructs.py").exists()


def test_import_constructs_finds_the_pypi_package() -> None:
    assert constructs.__file__ is not None
    assert Path(constructs.__file__).parent != ROOT / "constructs"


def test_the_top_level_is_what_the_readme_promises() -> None:
    promised = ["app.py", "cdk.json", "stacks", "constructs", "lambda_src", "worker_image", "tests", "requirements.txt"]

    assert [name for name in promised if not (ROOT / name).exists()] == []
