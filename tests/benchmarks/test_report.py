"""The one form in which every benchmark reports."""

import json

import pytest

from benchmarks.report import Check, Row, publish

KEPT = Check(measures="Speed", rows=[Row(name="seconds", value=1.25, most=2, digits=2)])
BROKEN = Check(measures="Cost", rows=[Row(name="requests", value=3, most=2)], beside={"peers": 4})


def test_a_broken_promise_is_marked_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert publish({"speed": KEPT, "cost": BROKEN}, as_json=False) == 1
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("Speed", "1.25", "kept"))
    assert "BROKEN" in printed


def test_kept_promises_end_with_0_and_json_holds_them_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert publish({"speed": KEPT}, as_json=True, machine={"node": "v24"}) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["node"] == "v24"
    assert printed["rows"]["speed"] == {
        "measures": "Speed",
        "values": {"seconds": 1.25},
        "bound": {"seconds": "<= 2"},
        "kept": True,
        "beside": {},
    }
