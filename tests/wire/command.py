"""The ``dncd`` command as an operator runs it."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.wire.conftest import DNCD


def run(
    arguments: list[str], folder: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run ``dncd`` on the data directory of a service in *folder*; it may fail."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_URL" and not name.startswith("DNCD_")
    }
    data = {"DNCD_DATA_DIR": str(folder / "data")}
    return subprocess.run(
        [DNCD, *arguments],
        env={**inherited, **data, **(environment or {})},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def done(
    arguments: list[str], folder: Path, environment: Mapping[str, str] | None = None
) -> str:
    """Run ``dncd``, which must succeed, and return what it printed."""
    result = run(arguments, folder, environment)
    assert result.returncode == 0, (arguments, result.stdout, result.stderr)
    return result.stdout.strip()
