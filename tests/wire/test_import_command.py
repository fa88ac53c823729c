"""``dncd import`` and ``dncd export`` as an operator runs them."""

import csv
import gzip
import io
import json
import os
import signal
import time
import zipfile

import psycopg
import pytest

from app.files.tables import Column
from tests.wire.command import Command

HEADER = ",".join(Column)
GOOD = "5551234567\n5551234568\n"
BAD = "5551234567\n727XXXXXXX\n5551234568\n"


def zipped(data: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("numbers.txt", data)
    return file.getvalue()


def test_a_list_goes_in_and_out_again(command):
    added = command.run("import", "-", "--json", data=GOOD.encode())
    plain = command.run("export")
    packed = command.run("export", "-o", "list.csv.gz")
    again = command.run("import", "list.csv.gz", "--json")
    archived = command.run("import", command.write("a", zipped(GOOD)), "--json")

    assert json.loads(added.stdout) == {
        "outcome": "stored",
        "read": 2,
        "inserted": 2,
        "already_listed": 0,
        "repeated": 0,
        "rejected": 0,
        "causes": {},
        "operation_id": json.loads(added.stdout)["operation_id"],
    }
    assert plain.stdout.decode().splitlines()[0] == HEADER
    assert plain.stdout.count(b"\n") == 3
    assert (
        gzip.decompress((command.folder / "list.csv.gz").read_bytes()) == plain.stdout
    )
    for each in (again, archived):
        assert json.loads(each.stdout)["outcome"] == "unchanged"
        assert json.loads(each.stdout)["already_listed"] == 2
    for each in (added, plain, packed, again, archived):
        assert (each.returncode, each.stderr) == (0, b"")
    names = {path.name for path in command.folder.iterdir()}
    assert names <= {"a", "list.csv.gz", "data"}


def test_rejected_rows_are_told_and_nothing_is_stored_unless_asked(command):
    name = command.write("numbers.txt", BAD)

    refused = command.run("import", name)
    dry = command.run("import", name, "--dry-run", "--skip-invalid")
    before = command.listed()
    skipped = command.run("import", name, "--skip-invalid", "--rejects", "bad.csv")

    assert refused.returncode == 1
    assert refused.stderr.decode().startswith("numbers.txt:2: an area code as a whole")
    assert b"Stored nothing: 1 of 3 rows" in refused.stdout
    assert dry.returncode == 0
    assert b"Would import 2 of 3 rows" in dry.stdout
    assert before == 0
    assert skipped.returncode == 0
    assert b"Imported 2 of 3 rows" in skipped.stdout
    assert skipped.stderr == b""
    with (command.folder / "bad.csv").open(newline="") as file:
        (reject,) = csv.DictReader(file)
    assert reject["line"] == "2"
    assert reject["phone_number"] == "727XXXXXXX"
    assert "area code" in reject["cause"]
    assert (command.folder / "bad.csv").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "data", "words"),
    [
        (["-"], b"5551234567\n\xff\n", "line 2 is not UTF-8"),
        (["-", "--campaign", "NOSUCH"], GOOD.encode(), "no such campaign"),
        (["-", "--campaign", "-1"], GOOD.encode(), "no purpose"),
        (["-", "--organisation", "Nobody"], GOOD.encode(), "no organisation 'Nobody'"),
        (["nosuch.txt"], b"", "No such file"),
    ],
)
def test_an_import_is_refused_in_one_line(arguments, data, words, command):
    result = command.run("import", *arguments, data=data)

    assert result.returncode == 1
    assert words in result.stderr.decode()
    assert result.stderr.count(b"\n") == 1
    assert command.listed() == 0


def test_rejects_never_overwrite_what_is_imported(command):
    name = command.write("numbers.txt", BAD)

    result = command.run("import", name, "--rejects", f"./{name}")

    assert result.returncode == 2
    assert b"would overwrite" in result.stderr
    assert (command.folder / name).read_text() == BAD


def test_nothing_is_stored_that_was_rejected_without_a_trace(command):
    result = command.run(
        "import", "-", "--skip-invalid", "--rejects", "/dev/full", data=BAD.encode()
    )

    assert result.returncode == 1
    assert b"No space left" in result.stderr
    assert result.stderr.count(b"\n") == 1
    assert command.listed() == 0


def test_a_database_that_goes_away_is_told_in_one_line(command):
    with command.started("import", "-") as process:
        process.stdin.write(b"5551234567\n" * 60_000)
        process.stdin.flush()
        wait_until_staging(command.url)

        end_staging(command.url)
        process.stdin.close()
        code = process.wait(20)
        told = process.stderr.read().decode()

    assert code == 1
    assert told.count("\n") == 1
    assert "database cannot be used" in told


def test_a_pipe_that_has_a_name_is_written_to_and_stays(command):
    pipe = command.folder / "pipe"
    os.mkfifo(pipe)
    with command.started("export", "-o", "pipe") as process:
        read = pipe.read_bytes()
        code = process.wait(20)

    assert code == 0
    assert read.decode() == HEADER + "\n"
    assert pipe.is_fifo()


def test_an_export_that_fails_leaves_no_file(command):
    (command.folder / "list.csv").write_text("yesterday's")

    refused = command.run("export", "-o", "list.csv", "--campaign", "NOSUCH")

    assert refused.returncode == 1
    assert [path.name for path in command.folder.glob("*list*")] == ["list.csv"]
    assert [path.name for path in command.folder.glob(".list*")] == []
    assert (command.folder / "list.csv").read_text() == "yesterday's"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_import_that_is_ended_half_way_leaves_nothing(number, command):
    with command.started("import", "-") as process:
        process.stdin.write(b"5551234567\n" * 60_000)
        process.stdin.flush()
        wait_until_staging(command.url)

        process.send_signal(number)
        process.stdin.close()
        code = process.wait(20)
        told = process.stderr.read().decode()

    assert code == (130 if number is signal.SIGINT else -number)
    if number is signal.SIGINT:
        assert told == "Interrupted: nothing was stored.\n"
    assert command.listed() == 0
    assert command.run("import", "-", data=GOOD.encode()).returncode == 0
    assert command.listed() == 2


def wait_until_staging(url: str) -> None:
    """Wait until a command copies rows to the database."""
    question = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY staged%'"
    deadline = time.monotonic() + 20
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(question).fetchone() == (0,):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def end_staging(url: str) -> None:
    """End the sessions that copy rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE 'COPY staged%'"
        )


def test_an_import_beside_the_service_shows_in_the_next_search(
    api, service_database, tmp_path
):
    command = Command(service_database, tmp_path)
    name = api.caller.organisation.name

    done = command.run("import", "-", "--organisation", name, data=GOOD.encode())
    found = api.search(phone_number="5551234568")

    assert done.returncode == 0, done.stderr
    assert [entry["phone_number"] for entry in found] == ["5551234568"]


def test_a_terminal_sees_the_progress(command):
    name = command.write("numbers.txt", GOOD * 50_000)

    status, shown = command.run_on_terminal("import", name)

    assert status == 0
    assert b" rows " in shown
    assert b"/s" in shown
