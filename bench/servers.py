"""Servers that are started for a run, on the loopback interface, and end with it."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.store.postgres_binaries import dies_with_us

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 60.0
OK = 200


class NotAvailable(Exception):
    """What is to be measured does not exist in this version, or does not start."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that was started, and where it listens."""

    kind: str
    port: int
    process: "subprocess.Popen[bytes]"


def inherited() -> dict[str, str]:
    """Return this process's environment, without settings of another dncd."""
    return {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_URL" and not name.startswith("DNCD_")
    }


def start(
    folder: Path,
    kind: str,
    command: Callable[[str], list[str]],
    url: str,
    extra: dict[str, str],
) -> Running:
    """Start *command*, given a free port, on the database at *url*."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    home = folder / kind.replace(" ", "-")
    home.mkdir()
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command(str(port)),
            cwd=ROOT,
            env={
                **inherited(),
                "DATABASE_URL": url,
                "DNCD_DATA_DIR": str(home),
                # One database has one key, whoever serves it.
                "DNCD_KEY_FILE": str(folder / "key"),
                "PROMETHEUS_MULTIPROC_DIR": str(home),
                **extra,
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=dies_with_us(),  # noqa: PLW1509  one thread more, which reads files
        )
    return Running(kind, port, process)


def wait_until_ready(running: Running, path: str, folder: Path) -> None:
    """Return once GET *path* is answered; raises NotAvailable, with the log's end."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and running.process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=5)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", path)
            if connection.getresponse().status == OK:
                connection.close()
                return
        connection.close()
        time.sleep(0.05)
    log = folder / running.kind.replace(" ", "-") / "log"
    end = log.read_text(errors="replace")[-2000:]
    raise NotAvailable(f"{running.kind} did not become ready:\n{end}")


def stop(servers: list[Running]) -> None:
    """End the servers, and whatever they have left behind."""
    for running in servers:
        running.process.terminate()
    for running in servers:
        try:
            running.process.wait(15)
        except subprocess.TimeoutExpired:
            running.process.kill()
            running.process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
