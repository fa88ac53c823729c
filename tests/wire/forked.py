"""
``dncd`` from a process that has read the program already, and forks for each run.

A run is a process of its own with the arguments, the environment, the folder and the
files that it is given, as the executable's is; only that it reads no program, which
takes longer than most commands. `python -m tests.wire.forked` is the one that forks.
"""

import atexit
import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[2]

# Arguments and environment of a run, as JSON.
MOST_BYTES = 200_000
# Where it tells what became of a run; standard input, output and error.
FILES = 4

Program = Callable[[], object]


class Forked:
    """A run of ``dncd``, with what tests use of :class:`subprocess.Popen`."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stdin: int,
        stdout: int,
        stderr: int,
        program: str = "app.cli:main",
    ) -> None:
        """Start ``dncd`` with *arguments*, or another *program*; files are numbers."""
        self.args = ["dncd", *arguments]
        self.returncode: int | None = None
        self._changing = threading.Lock()
        order = {"argv": self.args, "env": dict(env), "cwd": str(cwd)}
        asked = json.dumps({**order, "program": program})
        self._told, theirs = _pair()
        with theirs:
            files = [theirs.fileno(), stdin, stdout, stderr]
            socket.send_fds(_forker(), [asked.encode()], files)
        self.pid = int(self._read())

    def poll(self) -> int | None:
        """Return how it ended, if it has."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended and return how; raises TimeoutExpired."""
        ended = self._ended(timeout)
        if ended is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return ended

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, seconds: float | None) -> int | None:
        with self._changing:
            if self.returncode is None:
                self._told.settimeout(seconds)
                with contextlib.suppress(TimeoutError, BlockingIOError):
                    self.returncode = int(self._read())
                    self._told.close()
            return self.returncode

    def _read(self) -> bytes:
        told = self._told.recv(16)
        assert told, "who forks for the tests is gone"
        return told


def run(
    arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, data: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    """Run ``dncd`` to its end, with *data* on its standard input."""
    files = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr")]
    try:
        os.write(files[0], data)
        os.lseek(files[0], 0, os.SEEK_SET)
        given = dict(zip(("stdin", "stdout", "stderr"), files, strict=True))
        process = Forked(arguments, env=env, cwd=cwd, **given)
        try:
            code = process.wait(60)
        finally:
            process.kill()
        out, err = (os.pread(each, os.fstat(each).st_size, 0) for each in files[1:])
        return subprocess.CompletedProcess(process.args, code, out, err)
    finally:
        for each in files:
            os.close(each)


def _pair() -> tuple[socket.socket, socket.socket]:
    """Return two ends of what carries messages, each read as it was written."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


@cache
def _forker() -> socket.socket:
    """Start the process that forks; it ends when this one does."""
    ours, theirs = _pair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.wire.forked", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def serve(orders: socket.socket) -> None:
    """Fork for each order, until nobody can give any more."""
    read_program()
    signal.signal(signal.SIGCHLD, lambda *_: reap())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        order, files, _, _ = socket.recv_fds(orders, MOST_BYTES, FILES)
        if not order:
            return
        asked = json.loads(order)
        module, _, name = asked["program"].partition(":")
        program = getattr(import_module(module), name)
        if os.fork() == 0:
            orders.close()
            keep(program, asked, files)
        for each in files:
            os.close(each)


def reap() -> None:
    """Wait for those that have ended, so that what they cost is told with ours."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def read_program() -> None:
    """Import what ``dncd`` imports, in whichever command."""
    from app.cli import COMMANDS  # noqa: PLC0415

    for place in COMMANDS.values():
        import_module(f"app.cli.{place.partition(':')[0]}")
    for more in ("app.gunicorn_conf", "app.granian_server", "gunicorn.workers.gthread"):
        with contextlib.suppress(ModuleNotFoundError):
            import_module(more)
    gc.freeze()


def keep(program: Program, order: Mapping[str, Any], files: list[int]) -> NoReturn:
    """Fork the run itself, and tell its number and how it ended."""
    told, *standard = files
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(told)
        become(program, order, standard)
    for each in standard:
        os.close(each)
    os.write(told, str(pid).encode())
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        os.write(told, str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def become(program: Program, order: Mapping[str, Any], standard: list[int]) -> NoReturn:
    """Be the run of *program* that was ordered."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, each in enumerate(standard):
        os.dup2(each, number)
        os.close(each)
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    os.chdir(order["cwd"])
    sys.argv[:] = order["argv"]
    # As they would be of an executable that is given these files.
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    code: object = 0
    try:
        code = program()
    except SystemExit as ending:
        code = ending.code
    except BaseException:  # noqa: BLE001  so does the interpreter
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for each in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            each.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
