"""How much memory each process has, at its highest."""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Self

PROC = Path("/proc")
EVERY_SECONDS = 0.5


class Watch:
    """Reads the memory of the processes below some roots, until it is stopped."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._roots: dict[int, str] = {}
        self._highest: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Read a last time, and end."""
        self._ended.set()
        self._thread.join()

    def follow(self, pid: int, kind: str) -> None:
        """Watch the process *pid* and those below it."""
        self._roots[pid] = kind

    def highest_mb(self, kind: str) -> float:
        """Return the highest resident size of any one process of *kind*."""
        found = self._highest.get(kind, {}).values()
        return max((rss for rss, _ in found), default=0) / 1024

    def forget(self, kind: str) -> None:
        """Begin anew for *kind*."""
        self._highest.pop(kind, None)

    def rows(self) -> list[dict[str, str | int | float]]:
        """Return what to report of each kind."""
        return [
            {
                "kind": kind,
                "seen": len(processes),
                "RSS MB": round(max(r for r, _ in processes.values()) / 1024, 1),
                "PSS MB": round(max(p for _, p in processes.values()) / 1024, 1),
            }
            for kind, processes in sorted(self._highest.items())
        ]

    def _watch(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            for pid, kind in list(self._roots.items()):
                for process in _family(pid):
                    with contextlib.suppress(OSError, ValueError):
                        self._note(process, kind, is_root=process == pid)

    def _note(self, pid: int, kind: str, *, is_root: bool) -> None:
        command = (PROC / str(pid) / "cmdline").read_bytes()
        if kind == "postgres":
            is_backend = b"[local]" in command or b"127.0.0.1" in command
            kind = "postgres backend" if is_backend else "postgres, its own"
        elif b"resource_tracker" in command:
            return
        elif is_root:
            kind = f"{kind}, main"
        rss = pss = 0
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                rss = int(line.split()[1])
            elif line.startswith("Pss:"):
                pss = int(line.split()[1])
        before = self._highest[kind].get(str(pid), (0, 0))
        self._highest[kind][str(pid)] = max(before[0], rss), max(before[1], pss)


def _family(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for task in (PROC / str(pid) / "task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))
