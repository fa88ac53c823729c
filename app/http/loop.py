"""What a lane needs of the loop that its server waits in."""

from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """Something that is to be called later."""

    def cancel(self) -> object:
        """Let it not be called any more."""
        ...


class Loop(Protocol):
    """An event loop, after asyncio's, or a server's own that does as much."""

    def call_soon(self, callback: Callable[..., object], *args: object) -> object:
        """Call it once what has come by now is done; for the loop's thread."""
        ...

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: object
    ) -> object:
        """Call it so; for any thread."""
        ...

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: object
    ) -> Timer:
        """Call it in *delay* seconds."""
        ...

    def add_reader(
        self, fd: int, callback: Callable[..., object], *args: object
    ) -> object:
        """Call it whenever *fd* can be read from."""
        ...

    def remove_reader(self, fd: int) -> object:
        """Look at *fd* no more."""
        ...
