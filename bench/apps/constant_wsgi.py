"""
A bare WSGI application that answers a constant, under the service's own servers.

It is what the server costs by itself: the same worker class, threads and workers.
"""

import sys
from multiprocessing import set_start_method
from typing import Any

from granian.constants import Interfaces
from gunicorn.app.base import BaseApplication

from app import granian_server, gunicorn_conf
from app.http import request_log

# As long as the answer to a check of a number that is listed.
BODY = (
    b'{"success":true,"data":{"callable":false,"phone_code":"1",'
    b'"phone_number":"5551234567","checked_at":"2026-11-21T10:00:00.000000Z",'
    b'"matches":[{"id":"1","rule":"organisation","campaign_id":"0",'
    b'"campaign_name":"Global DNC","purpose":"","reason":"ConsentRevoked",'
    b'"since":"2026-11-20T10:00:00.000000Z"}]}}'
)
HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))]


def application(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer the constant, whatever is asked."""
    start_response("200 OK", HEADERS)
    return [BODY]


class Constant(BaseApplication):  # type: ignore[misc]  # gunicorn is untyped
    """gunicorn with the service's settings and without the service."""

    def __init__(self, port: int, workers: int, threads: int) -> None:
        """Listen on *port* of this machine."""
        self._wanted = gunicorn_conf.settings("127.0.0.1", port, workers, threads)
        super().__init__()

    def load_config(self) -> None:
        """Take the service's settings."""
        for name, value in self._wanted.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the constant application."""
        request_log.configure()
        return application


def serve_with_granian(port: int, workers: int, threads: int) -> None:
    """Serve as the service does under granian, without what it puts before itself."""
    set_start_method("fork", force=True)
    settings = granian_server.settings("127.0.0.1", port, workers)
    settings |= {"interface": Interfaces.WSGI, "blocking_threads": threads}
    granian_server.Server("bench.apps.constant_wsgi:application", **settings).serve()


if __name__ == "__main__":
    server, *numbers = sys.argv[1:]
    if server == "granian":
        serve_with_granian(*map(int, numbers))
    else:
        request_log.configure()
        Constant(*map(int, numbers)).run()
