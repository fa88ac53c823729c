"""
Bulk work has a few places in each worker.

So most threads are left to whoever is about to dial, or to be listed.
"""

from collections.abc import Mapping
from threading import BoundedSemaphore

from flask import Flask, Response, g, request

from app.domain import patience
from app.domain.errors import Overloaded

# Of a worker's threads, those that bulk work may have; as many may wait for one.
SHARE = 4

# A longer page of a list is bulk work.
MOST_ENTRIES = 200


class BulkWork:
    """The places that one worker has for bulk work."""

    def __init__(self, threads: int) -> None:
        """Share out *threads*."""
        places = max(1, threads // SHARE)
        self._running = BoundedSemaphore(places)
        self._inside = BoundedSemaphore(2 * places)

    def enter(self) -> None:
        """Take a place, perhaps after waiting for it; raises Overloaded."""
        if not self._inside.acquire(blocking=False):
            raise Overloaded
        if not patience.take_turn(lambda most: self._running.acquire(timeout=most)):
            self._inside.release()
            raise Overloaded

    def leave(self) -> None:
        """Give the place to the next."""
        self._running.release()
        self._inside.release()


def admit(work: BulkWork, most_bytes: Mapping[str, int]) -> None:
    """
    Let the request take a place if it is bulk work; raises Overloaded.

    *most_bytes* tells for each endpoint how large the body of a short question is.
    """
    most = most_bytes.get(request.endpoint or "")
    if most is None:
        return
    length = request.content_length
    if length is None and "HTTP_TRANSFER_ENCODING" in request.environ:
        length = most + 1
    if (length or 0) > most:
        take_place(work)


def take_place(work: BulkWork) -> None:
    """Let the request take a place until it is answered; raises Overloaded."""
    work.enter()
    g.bulk = work


def install(app: Flask) -> None:
    """Let bulk work go when it is answered."""

    @app.after_request
    def leave_at_end(response: Response) -> Response:
        place: BulkWork | None = g.pop("bulk", None)
        if place is not None:
            # An answer of any length is sent after this.
            response.call_on_close(place.leave)
        return response
