"""
A worker of granian's: what its thread gives requests to, and when it may end.

It stands in for granian's own function, which makes each request a task of the event
loop, and ends its runtime while somebody still writes an answer into a pipe.
"""

import asyncio
import signal
from functools import partial
from typing import Any

from granian._granian import CallbackScheduler, RSGIWorker
from granian._signals import set_loop_signals
from granian.server.mp import WorkerProcess

from app.granian_bridge import Bridge

# What tells a worker to end.
ENDINGS = {signal.SIGTERM, signal.SIGINT}


def _run(  # noqa: PLR0913, PLR0917  granian hands them over one by one
    worker_id: int,
    bridge: Bridge,
    listening: Any,
    metrics_pipe: Any,
    loop: asyncio.AbstractEventLoop,
    _runtime_mode: Any,
    runtime_threads: int,
    runtime_blocking_threads: int | None,
    blocking_threads: int,
    blocking_threads_idle_timeout: int,
    backpressure: int,
    _task_impl: Any,
    http_mode: Any,
    http1_settings: Any,
    http2_settings: Any,
    websockets: bool,  # noqa: FBT001
    static_path: Any,
    _log_format: str | None,
    tls: tuple[Any, ...],
    _scope_options: Any,
    metrics: Any,
) -> None:
    """Have *bridge* answer until a signal ends the worker."""
    make_worker: Any = RSGIWorker
    worker = make_worker(
        worker_id,
        listening,
        metrics_pipe,
        runtime_threads,
        runtime_blocking_threads,
        blocking_threads,
        blocking_threads_idle_timeout,
        backpressure,
        http_mode,
        http1_settings,
        http2_settings,
        websockets,
        static_path,
        *tls,
        metrics,
    )
    make_scheduler: Any = CallbackScheduler
    scheduler = make_scheduler(loop, None, None, None, None)
    bridge.run_on(loop)
    scheduler._schedule_fn = partial(bridge.take_in, loop=loop)  # noqa: SLF001
    ended = asyncio.Event()

    def end() -> None:
        # granian waits for pipes with the interpreter's lock, without which none of
        # them is closed.
        bridge.pipes.wait_until_closed()
        loop.call_soon_threadsafe(ended.set)

    ending = set_loop_signals(loop)
    ending.add_cb(end)
    # One that came before the loop runs would be kept by uvloop until something else
    # wakes it, and the worker would not end until it is killed.
    loop.call_soon(signal.pthread_sigmask, signal.SIG_UNBLOCK, ENDINGS)
    loop.call_soon(bridge.short_bodies.watch, loop)
    worker.serve_mtr(scheduler, loop, ending)
    loop.run_until_complete(ended.wait())


run = WorkerProcess.wrap_target(_run)
