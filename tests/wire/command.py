"""The ``dncd`` command as an operator runs it."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.wire import forked

DNCD = str(Path(sys.executable).with_name("dncd"))


def interruptible() -> None:
    """Let Ctrl-C end what is started, also where a shell has it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(
    arguments: list[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    executable: bool = False,
) -> "subprocess.CompletedProcess[str]":
    """
    Run ``dncd`` on the data directory of a service in *folder*; it may fail.

    It is forked, unless it is to be the *executable*, which finds its program itself.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_URL" and not name.startswith("DNCD_")
    }
    data = {"DNCD_DATA_DIR": str(folder / "data")}
    env = {**inherited, **data, **(environment or {})}
    if executable:
        return subprocess.run(
            [DNCD, *arguments],
            env=env,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    told = forked.run(arguments, env=env, cwd=folder)
    return subprocess.CompletedProcess(
        told.args, told.returncode, told.stdout.decode(), told.stderr.decode()
    )


def done(
    arguments: list[str], folder: Path, environment: Mapping[str, str] | None = None
) -> str:
    """Run ``dncd``, which must succeed, and return what it printed."""
    result = run(arguments, folder, environment)
    assert result.returncode == 0, (arguments, result.stdout, result.stderr)
    return result.stdout.strip()


@dataclass(frozen=True)
class Command:
    """``dncd`` on a database of its own, which its organisation shares with nobody."""

    url: str
    folder: Path

    @property
    def environment(self) -> Mapping[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("DNCD_")}
        data = {"DNCD_DATA_DIR": str(self.folder / "data")}
        return {**inherited, "DATABASE_URL": self.url, **data}

    def run(
        self, *arguments: str, data: bytes | None = None
    ) -> "subprocess.CompletedProcess[bytes]":
        return forked.run(
            arguments, env=self.environment, cwd=self.folder, data=data or b""
        )

    @contextmanager
    def started(self, *arguments: str) -> "Iterator[subprocess.Popen[bytes]]":
        process = subprocess.Popen(
            [DNCD, *arguments],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=interruptible,  # noqa: PLW1509  it takes no lock
        )
        try:
            yield process
        finally:
            process.kill()
            with process:
                pass

    def run_on_terminal(self, *arguments: str) -> tuple[int, bytes]:
        """Return the exit status, and what a terminal shows of standard error."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [DNCD, *arguments],
            env={**self.environment, "TERM": "xterm", "COLUMNS": "120"},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            shown = b""
            # How a terminal says that nobody writes to it any more.
            with suppress(OSError):
                while part := os.read(ours, 65536):
                    shown += part
            os.close(ours)
        return process.returncode, shown

    def write(self, name: str, data: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return name

    def listed(self) -> int:
        with psycopg.connect(self.url) as connection:
            row = connection.execute("SELECT count(*) FROM dnc_entry").fetchone()
        assert row is not None
        count: int = row[0]
        return count
