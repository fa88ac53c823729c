"""The README's five minutes and the calls of docs/, typed as they are printed."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.wire.command import DNCD
from tests.wire.service import serving

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```(sh|json|text)\n(.*?)```", re.DOTALL)
DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}(T[0-9:.]+(\+00:00|Z))?|\d{2}/\d{2}/\d{4} \d{2}:\d{2}:\d{2}"
)


def calls(file: str, begin: str, end: str) -> list[tuple[str, str]]:
    """Return the blocks between two headings: what to type, and what comes."""
    text = (ROOT / file).read_text() + end
    first = text.index(begin)
    return BLOCK.findall(text[first : text.index(end, first)])


@pytest.mark.parametrize(
    ("file", "begin", "end", "refusals"),
    [
        (
            "README.md",
            "## Five minutes with it",
            "## What a caller should know",
            ['"code": 6007', '"code": 403', "ERROR: "],
        ),
        ("docs/dialects.md", "# Point your system", "\n# End", ["ERROR: "]),
    ],
)
def test_every_call_answers_as_it_says(  # noqa: PLR0917
    tmp_path: Path,
    http_server: str,
    file: str,
    begin: str,
    end: str,
    refusals: list[str],
) -> None:
    script, expected = "", []
    for kind, text in calls(file, begin, end):
        if kind == "sh":
            script += re.sub(r"\bcurl ", r"curl -sS -w '\\n' ", text)
        else:
            expected.append(DATE.sub("DATE", text).splitlines())
            script += "echo ====\n"
    with serving(tmp_path, {"DNCD_DATA_DIR": ".dncd"}, http_server) as service:
        script = script.replace("http://127.0.0.1:8080", service.base)
        shell = subprocess.run(
            ["bash", "-eu", "-c", script.replace(".venv/bin/dncd", DNCD)],
            cwd=tmp_path,
            env={
                **{k: v for k, v in os.environ.items() if k != "DATABASE_URL"},
                "DNCD_DATA_DIR": ".dncd",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert shell.returncode == 0, shell.stderr
    answers = [
        [line for line in DATE.sub("DATE", part).splitlines() if line]
        for part in shell.stdout.split("====\n")
    ]
    for told, wanted in zip(answers, expected, strict=False):
        assert [line for line in told if line in wanted] == wanted
    said = [line for part in answers for line in part]
    refused = [line for line in said if '"success": false' in line or "ERROR" in line]
    assert len(refused) == len(refusals), refused
    for line, refusal in zip(refused, refusals, strict=True):
        assert refusal in line
