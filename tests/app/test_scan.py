"""`make scan`: what scanners write is read, what is acknowledged is told from what is not, and nothing stale stays."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tools.scan import __main__ as command
from tools.scan.acknowledgements import Acknowledgement, in_template, judge, without
from tools.scan.findings import Finding, of_cfn_lint, of_checkov, of_trivy, resources_by_line
from tools.scan.scanners import REQUIREMENTS, SCANNERS, Scanner, ScannerError

TEMPLATE: dict[str, Any] = {
    "Metadata": {"a": 1},
    "Resources": {
        "Queue": {
            "Type": "AWS::SQS::Queue",
            "Metadata": {"aws:cdk:path": "Queue", "checkov": {"skip": [{"id": "CKV_AWS_27", "comment": "SSE-SQS"}]}},
        },
        "Subnet": {
            "Type": "AWS::EC2::Subnet",
            "Metadata": {"cfn-lint": {"config": {"ignore_checks": ["W3010"]}, "reasons": {"W3010": "chosen"}}},
        },
    },
}
CHECKOV = {
    "check_id": "CKV_AWS_27",
    "check_name": "Encrypt it",
    "file_path": "/dev/a.template.json",
    "resource": "AWS::SQS::Queue.Queue",
}
FOUND = Finding("checkov", "CKV_AWS_27", "dev/a.template.json", "Queue", "Encrypt it")


def test_checkovs_reports_are_read_one_or_several_or_none() -> None:
    report = {"results": {"failed_checks": [CHECKOV]}}

    assert list(of_checkov(json.dumps(report), Path())) == [FOUND]
    assert list(of_checkov(json.dumps([report, {"results": {}}]), Path())) == [FOUND]
    assert list(of_checkov(json.dumps({"passed": 0, "failed": 0}), Path())) == []


def test_cfn_lints_matches_are_read(tmp_path: Path) -> None:
    match = {
        "Filename": str(tmp_path / "a.template.json"),
        "Rule": {"Id": "W3010"},
        "Message": "Avoid",
        "Location": {"Path": ["Resources", "Subnet", "Properties"]},
    }
    whole = {**match, "Filename": "b.template.json", "Location": {"Path": None}}

    assert list(of_cfn_lint(json.dumps([match, whole]), tmp_path)) == [
        Finding("cfn-lint", "W3010", "a.template.json", "Subnet", "Avoid"),
        Finding("cfn-lint", "W3010", "b.template.json", "", "Avoid"),
    ]
    assert list(of_cfn_lint("", tmp_path)) == []


def test_trivys_lines_are_told_by_resource(tmp_path: Path) -> None:
    text = json.dumps(TEMPLATE, indent=1)
    (tmp_path / "a.template.json").write_text(text)
    line = next(n for n, each in enumerate(text.splitlines(), start=1) if "AWS::EC2::Subnet" in each)
    found = {"ID": "AWS-0104", "Title": "Wide", "CauseMetadata": {"StartLine": line}}
    written = json.dumps(
        {"Results": [{"Target": "a.template.json", "Misconfigurations": [found]}, {"Target": "a.template.json"}]}
    )

    assert list(of_trivy(written, tmp_path)) == [Finding("trivy", "AWS-0104", "a.template.json", "Subnet", "Wide")]
    assert set(resources_by_line(text).values()) == {"Queue", "Subnet"}


def test_acknowledgements_are_read_and_taken_out() -> None:
    assert list(in_template("a", TEMPLATE)) == [
        Acknowledgement("checkov", "CKV_AWS_27", "a", "Queue", "SSE-SQS"),
        Acknowledgement("cfn-lint", "W3010", "a", "Subnet", "chosen"),
    ]
    bare = without(TEMPLATE)
    assert list(in_template("a", bare)) == []
    assert bare["Resources"]["Queue"]["Metadata"] == {"aws:cdk:path": "Queue"}
    assert list(in_template("a", TEMPLATE))  # the original is as it was


def test_a_finding_is_acknowledged_where_it_is_and_not_elsewhere() -> None:
    here = Acknowledgement("checkov", "CKV_AWS_27", "dev/a.template.json", "Queue", "reason")
    elsewhere = Acknowledgement("checkov", "CKV_AWS_27", "dev/a.template.json", "Other", "reason")
    always = Acknowledgement("checkov", "CKV_AWS_27", "", "", "reason")
    another = Acknowledgement("trivy", "CKV_AWS_27", "", "", "reason")

    assert judge([FOUND], [here]).unacknowledged == []
    assert judge([FOUND], [always]).acknowledged == [FOUND]
    verdict = judge([FOUND], [elsewhere, another])
    assert verdict.unacknowledged == [FOUND]
    assert verdict.stale == [elsewhere, another]


class Fake:
    """A scanner that finds what it is told to, or cannot run."""

    def __init__(self, name: str, found: Sequence[Finding] = (), *, optional: bool = False, error: str = "") -> None:
        self.name, self.optional, self._found, self._error = name, optional, found, error

    def prepare(self, folder: Path) -> Path:
        if self._error:
            raise ScannerError(self._error)
        return folder

    def scan(self, program: Path, templates: Path) -> Sequence[Finding]:
        return self._found


@pytest.fixture
def assembly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(command, "HOME", tmp_path / "home")
    monkeypatch.setattr(command, "everywhere", lambda root: [])
    (tmp_path / "cdk.out" / "dev").mkdir(parents=True)
    resources = {"Queue": TEMPLATE["Resources"]["Queue"]}
    (tmp_path / "cdk.out" / "dev" / "a.template.json").write_text(json.dumps({"Resources": resources}))
    return tmp_path / "cdk.out"


@pytest.mark.parametrize(
    ("scanners", "code"),
    [
        ([Fake("checkov", [FOUND])], 0),
        ([Fake("checkov", [FOUND, Finding("checkov", "X", "dev/a.template.json", "Queue", "")])], 1),
        ([Fake("checkov")], 1),
        ([Fake("checkov", error="checkov cannot be installed: no network")], 2),
        ([Fake("checkov", [FOUND]), Fake("trivy", optional=True, error="trivy cannot be installed: no wheel")], 0),
    ],
)
def test_the_exit_code_says_what_happened(
    scanners: list[Fake], code: int, assembly: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "SCANNERS", scanners)

    assert command.main([str(assembly), "--json"]) == code

    written = capsys.readouterr()
    if code == 2:
        assert written.out == ""
        assert written.err.splitlines()[-1] == "checkov cannot be installed: no network"
    else:
        result = json.loads(written.out)
        assert result["passed"] == (code == 0)
        assert result["skipped"] == ({"trivy": "trivy cannot be installed: no wheel"} if len(scanners) > 1 else {})


def test_without_json_a_skipped_scanner_is_said_aloud(
    assembly: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        command, "SCANNERS", [Fake("trivy", optional=True, error="trivy cannot be installed: no wheel")]
    )
    monkeypatch.setattr(command, "in_template", lambda name, template: [])

    assert command.main([str(assembly)]) == 0
    assert capsys.readouterr().out == "trivy: SKIPPED. trivy cannot be installed: no wheel\n"


def test_a_folder_without_templates_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"{tmp_path}: holds no template; run `npx cdk synth` first.\n"


def test_a_scanner_that_breaks_says_so_in_one_sentence(tmp_path: Path) -> None:
    broken = Scanner("checkov", "checkov", ["-c", "raise SystemExit('out of memory')"], frozenset({0}), of_checkov)

    with pytest.raises(ScannerError, match=r"^checkov ended with 1: out of memory$"):
        broken.scan(Path(sys.executable), tmp_path)


def test_every_scanner_is_pinned_with_hashes() -> None:
    for scanner in SCANNERS:
        pinned = (REQUIREMENTS / f"{scanner.distribution}.txt").read_text()
        assert f"{scanner.distribution}==" in pinned
        assert "--hash=sha256:" in pinned
