"""The README's five minutes, typed as they are printed."""

import json
import os
import re
import subprocess
from pathlib import Path

from tests.wire.command import DNCD
from tests.wire.conftest import serving

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCK = re.compile(r"```(sh|json)\n(.*?)```", re.DOTALL)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}(T[0-9:.]+\+00:00)?")


def five_minutes() -> list[tuple[str, str]]:
    """Return the blocks between the two headings: what to type, and what comes."""
    text = README.read_text()
    begin = text.index("## Five minutes with it")
    return BLOCK.findall(text[begin : text.index("## What a caller should know")])


def test_every_call_of_the_readme_answers_as_it_says(
    tmp_path: Path, http_server: str
) -> None:
    blocks = five_minutes()
    script, expected = "", []
    for kind, text in blocks:
        if kind == "json":
            expected.append(json.loads(DAY.sub("DAY", text)))
            script += "echo ====\n"
        else:
            script += re.sub(r"\bcurl ", r"curl -sS -w '\\n' ", text)
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
        [json.loads(DAY.sub("DAY", line)) for line in part.splitlines() if "{" in line]
        for part in shell.stdout.split("====")
    ]
    assert [part[-1] for part in answers[:-1]] == expected
    refused = [one for part in answers for one in part if not one["success"]]
    assert [one["code"] for one in refused] == [6007, 403]
