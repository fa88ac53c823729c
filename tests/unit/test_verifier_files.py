"""The verifier as a program: what its files have to hold."""

import json
from pathlib import Path

import pytest

from app.audit import verify

EXPORT = (
    {
        "type": "export",
        "format": 1,
        "chain": "a chain",
        "cluster": "1",
        "at": "2026-11-21T11:00:00.000000+00:00",
    },
    {"type": "end"},
)


@pytest.fixture
def export(tmp_path: Path) -> str:
    file = tmp_path / "audit.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in EXPORT))
    return str(file)


def test_an_export_alone_verifies(export: str) -> None:
    assert verify.main(["--export", export]) == 0


@pytest.mark.parametrize(
    "held",
    [
        pytest.param(None, id="no file"),
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"chain":"a chain","sequence":1,"ro', id="half a line"),
        pytest.param(b"null\n", id="no anchor"),
    ],
)
def test_anchors_that_were_named_and_are_not_there_are_not_passed_over(
    export: str, tmp_path: Path, held: bytes | None
) -> None:
    anchors = tmp_path / "anchors.jsonl"
    if held is not None:
        anchors.write_bytes(held)

    assert verify.main(["--export", export, "--anchors", str(anchors)]) == 2
