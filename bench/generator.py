"""The processes in which loads are driven."""

import ctypes
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Self

from app.store.postgres_binaries import PR_SET_PDEATHSIG
from bench.load import Load, Tally, drive


class Generator:
    """Processes that wait for loads to drive."""

    def __init__(self, processes: int = 1) -> None:
        """Use so many processes; each costs the servers a share of the machine."""
        self._processes = processes
        self._pool = ProcessPoolExecutor(
            processes,
            multiprocessing.get_context("spawn"),
            initializer=_die_with,
            initargs=(os.getpid(),),
        )

    def __enter__(self) -> Self:
        """Use it in a ``with``."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, load: Load) -> Tally:
        """Drive *load* and return what came back."""
        n = min(self._processes, load.connections)
        shares = [
            replace(
                load,
                requests=load.requests[share::n],
                expected=load.expected[share::n],
                connections=len(range(share, load.connections, n)),
            )
            for share in range(n)
        ]
        whole, *others = self._pool.map(drive, shares)
        for other in others:
            whole.seconds = max(whole.seconds, other.seconds)
            whole.latencies.extend(other.latencies)
            whole.exhausted |= other.exhausted
            for name in ("answers", "refused", "checked", "wrong", "reconnected"):
                setattr(whole, name, getattr(whole, name) + getattr(other, name))
        return whole


def _die_with(parent: int) -> None:
    """Stop without a word when the benchmarks do, by whatever signal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:
        os._exit(1)
