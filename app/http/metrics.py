"""
Counters for Prometheus, over all worker processes.

No label can hold a number, a token or a name: only dialects, operations and statuses.
"""

import os
import time
from functools import cache

from flask import Blueprint, Flask, Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter(
    "dncd_requests_total",
    "Requests answered.",
    ["dialect", "operation", "status"],
)
SECONDS = Histogram(
    "dncd_request_seconds",
    "Seconds from a request's arrival in a worker to its answer.",
    ["dialect", "operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)

RELEASES_CAPPED = Counter(
    "dncd_releases_capped_total",
    "Releases refused because an organisation's cap for the hour was reached.",
    ["dialect"],
)

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Answer the counters of all workers."""
    registry: CollectorRegistry = REGISTRY
    if values.ValueClass is not values.MutexValue:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def share_between_workers() -> None:
    """
    Keep this process's counters in PROMETHEUS_MULTIPROC_DIR, beside its siblings'.

    For a worker after the fork, before its first request.
    """
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        # It would ask who this is whenever it counts.
        myself = os.getpid()
        values.ValueClass = values.MultiProcessValue(  # type: ignore[no-untyped-call]
            lambda: myself
        )


def count(dialect: str, operation: str, status: int, seconds: float) -> None:
    """Count one answered request and the time that it took."""
    _answered(dialect, operation, status).inc()
    _taken(dialect, operation).observe(seconds)


# To find a counter by its labels costs more than to count.
@cache
def _answered(dialect: str, operation: str, status: int) -> Counter:
    return REQUESTS.labels(dialect, operation, str(status))


@cache
def _taken(dialect: str, operation: str) -> Histogram:
    return SECONDS.labels(dialect, operation)


def note_sealed() -> None:
    """Note that everything that is committed is sealed now."""
    _sealed().set_to_current_time()


# Made after the fork: what has no labels is shared, or not, from its beginning.
@cache
def _sealed() -> Gauge:
    return Gauge(
        "dncd_sealed_timestamp_seconds",
        "When last everything that was committed was sealed.",
        multiprocess_mode="max",
    )


def install(app: Flask) -> None:
    """Count every request of *app*; ``request_log`` took the time of its arrival."""

    @app.after_request
    def count_answer(response: Response) -> Response:
        dialect = request.blueprint or ""
        operation = (request.endpoint or "").rpartition(".")[2]
        seconds = time.perf_counter() - g.began
        count(dialect, operation, response.status_code, seconds)
        return response
