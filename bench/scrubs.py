"""A file of a million numbers, streamed through the service."""

import http.client
import socket
import threading
import time
from pathlib import Path

from bench import numbers
from bench.environment import Stage
from bench.postgres import Programs
from bench.servers import OK, NotAvailable, Running

NAME = "scrub"
ROWS = 1_000_000
BAR = 2.5
MEMORY_MB = 200.0
PATH = "/v1/dnc/scrub?phone_code=1&only=all"
CHUNK = 1 << 16
PATIENCE = 300.0

# Copy in, join, copy out: what it takes without a service.
SCRUB = """
CREATE TEMPORARY TABLE staging (phone_number text, name text);
\\copy staging FROM '{file}' CSV HEADER
\\copy (SELECT staging.*, entry.id IS NULL AS callable, entry.reason FROM staging \
LEFT JOIN dnc_entry AS entry ON entry.organisation_id = {organisation} \
AND entry.e164 = 10000000000 + staging.phone_number::bigint \
AND entry.campaign_id = 0) TO '/dev/null' CSV HEADER
"""


def run(stage: Stage) -> None:
    """Measure scrubs beside psql, and the memory that they take."""
    file, rows = stage.folder / "scrub.csv", ROWS
    listed = write_file(file, stage.entries, rows)
    few = stage.folder / "few.csv"
    write_file(few, stage.entries, 100)
    servers, missing = {}, []
    for kind in ("gunicorn", "granian"):
        try:
            running = stage.service(kind)
            scrub(running, stage.token, few)
            servers[f"dncd scrub, {kind}"] = running
        except (NotAvailable, OSError) as reason:
            missing.append(str(reason))
    programs = Programs.on(stage.url)
    script = SCRUB.format(file=file, organisation=stage.organisation)
    _measure(stage, programs, script, file, servers, rows)
    stage.report.about["scrub_rows"] = {"rows": rows, "listed": listed}
    file.unlink()
    if missing:
        raise NotAvailable("; ".join(missing))


def _measure(
    stage: Stage,
    programs: Programs,
    script: str,
    file: Path,
    servers: dict[str, Running],
    rows: int,
) -> None:
    raw: list[float] = []
    taken: dict[str, list[float]] = {what: [] for what in servers}
    for running in servers.values():
        stage.watch.forget(running.kind)
    for _ in range(stage.repeats):
        began = time.monotonic()
        programs.psql(script)
        raw.append(time.monotonic() - began)
        for what, running in servers.items():
            began = time.monotonic()
            lines = scrub(running, stage.token, file)
            taken[what].append(time.monotonic() - began)
            if lines != rows + 1:
                stage.report.faults.append(f"{what}: {lines} lines of {rows + 1}")
    base = stage.report.add(NAME, f"psql, {rows:,} rows", "s", raw)
    for what, values in taken.items():
        line = stage.report.add(NAME, what, "s", values)
        ratio = line.over(base)
        stage.report.judge(NAME, f"{what} / psql (time)", ratio, at_most=BAR)
        highest = stage.watch.highest_mb(servers[what].kind)
        stage.report.judge(
            NAME, f"{what}: MB of the largest worker", highest, at_most=MEMORY_MB
        )


def scrub(running: Running, token: str, file: Path) -> int:
    """
    Send *file* while the answer is read, and return the answer's lines.

    Raises NotAvailable if the service refuses, OSError if the connection fails.
    """
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: text/csv\r\nContent-Length: {file.stat().st_size}\r\n\r\n"
    )
    address = ("127.0.0.1", running.port)
    with socket.create_connection(address, PATIENCE) as connection:
        sender = threading.Thread(target=_send, args=(connection, head.encode(), file))
        sender.start()
        try:
            answer = http.client.HTTPResponse(connection, method="POST")
            answer.begin()
            if answer.status != OK:
                told = answer.read(300).decode(errors="replace")
                raise NotAvailable(f"scrub, {running.kind}: {answer.status} {told}")
            return sum(
                part.count(b"\n") for part in iter(lambda: answer.read1(CHUNK), b"")
            )
        except http.client.HTTPException as error:
            raise NotAvailable(f"scrub, {running.kind}: {error!r}") from error
        finally:
            connection.shutdown(socket.SHUT_RDWR)
            sender.join()


def _send(connection: socket.socket, head: bytes, file: Path) -> None:
    try:
        connection.sendall(head)
        with file.open("rb") as source:
            while part := source.read(CHUNK):
                connection.sendall(part)
    except OSError:
        # Whoever reads the answer learns why.
        return


def write_file(file: Path, entries: int, rows: int) -> int:
    """Write a CSV file of which about a fifth is listed; return how many are."""
    listed = numbers.listed(entries, rows // 5)
    free = numbers.unlisted(rows - len(listed))
    every = rows // len(listed)
    with file.open("w", encoding="ascii") as out:
        out.write("phone_number,name\n")
        held = iter(listed)
        clear = iter(free)
        for n in range(rows):
            number = next(held, None) if n % every == 0 else next(clear, None)
            out.write(f"{number or next(clear, None) or next(held)},Lead {n}\n")
    return len(listed)
