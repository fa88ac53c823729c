"""``dncd check`` and ``dncd scrub`` as an operator runs them."""

import gzip
import json
import signal

import pytest

from tests.waiting import require
from tests.wire.command import Command

LEADS = "name,phone\nAda,5551234567\nBen,(555) 123-4568\nEve,x\n"
HEADER = "name,phone,dnc_status,dnc_rule,dnc_entry_id,dnc_since"


@pytest.fixture
def listed(command: Command) -> Command:
    """With one number on the list, for a reason."""
    done = command.run("import", "-", "--reason", "Asked", data=b"5551234567\n")
    assert done.returncode == 0, done.stderr
    return command


def test_the_exit_status_says_whether_a_number_may_be_called(listed):
    clear = listed.run("check", "555-123-4568")
    blocked = listed.run("check", "+1 (555) 123-4567")
    told = listed.run("check", "5551234567", "--json")
    abroad = listed.run("check", "+442079460958")
    unknown = listed.run("check", "5551234567", "--campaign", "NOSUCH")
    no_number = listed.run("check", "555")
    # Brazil has none such; without the plus it is the one that is listed.
    doubtful = listed.run("check", "+5551234567")

    for free in (clear, abroad):
        assert (free.returncode, free.stdout) == (0, b"may be called\n")
    assert blocked.returncode == 1
    assert blocked.stdout.startswith(b"may not be called\n  organisation: on ")
    assert b"reason Asked" in blocked.stdout
    verdict = json.loads(told.stdout)
    assert (told.returncode, verdict["callable"]) == (1, False)
    for refused in (unknown, no_number, doubtful):
        assert (refused.returncode, refused.stdout) == (1, b"")
        assert refused.stderr.startswith(b"Error: ")


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_list_is_scrubbed_into_a_file(listed, packed):
    data = gzip.compress(LEADS.encode()) if packed else LEADS
    name = listed.write("leads.csv", data)

    done = listed.run("scrub", name, "-o", "clean.csv", "--json")

    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    summary = json.loads(done.stderr)
    assert summary == {"callable": 1, "listed": 1, "invalid": 1, "checked": True}
    header, ada, ben, eve = (listed.folder / "clean.csv").read_text().splitlines()
    assert header == HEADER
    assert ada.startswith("Ada,5551234567,listed,organisation,")
    assert ben == "Ben,(555) 123-4568,callable,,,"
    assert eve == "Eve,x,invalid,,,"


def test_a_list_is_scrubbed_in_a_pipe(listed):
    done = listed.run("scrub", "-", "--only", "callable", data=LEADS.encode())

    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == f"{HEADER}\nBen,(555) 123-4568,callable,,,\n"
    assert done.stderr == b"1 callable, 1 listed, 1 invalid.\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("name,city\nAda,Rome\n", "no column of numbers"),
        ("phone\n" + "5550000000\n" * 300_000 + '"', "never closed"),
        (gzip.compress(LEADS.encode())[:-9], "damaged"),
    ],
    ids=["header", "last row", "cut off"],
)
def test_a_list_that_fails_half_way_leaves_the_output_as_it_was(listed, data, words):
    name = listed.write("leads.csv", data)
    listed.write("clean.csv", "what was there")

    failed = listed.run("scrub", name, "-o", "clean.csv")

    assert failed.returncode == 1
    assert words in failed.stderr.decode()
    assert (listed.folder / "clean.csv").read_text() == "what was there"
    names = {path.name for path in listed.folder.iterdir()}
    assert names <= {"leads.csv", "clean.csv", "data"}


def test_a_reader_that_has_seen_enough_ends_a_scrub_in_one_line(listed):
    name = listed.write("leads.csv", "phone\n" + "5550000000\n" * 300_000)

    with listed.started("scrub", name) as scrub:
        assert scrub.stdout.read(10) == b"phone,dnc_"
        scrub.stdout.close()

        assert scrub.wait(20) == 1
        (line,) = scrub.stderr.read().decode().splitlines()
    assert "Broken pipe" in line


def test_a_scrub_that_is_terminated_leaves_nothing(listed):
    with listed.started("scrub", "-", "-o", "clean.csv") as scrub:
        scrub.stdin.write(b"phone\n" + b"5550000000\n" * 100_000)
        scrub.stdin.flush()
        require(lambda: any(listed.folder.glob(".clean.csv.*")))

        scrub.terminate()

        assert scrub.wait(20) == 128 + signal.SIGTERM
    assert list(listed.folder.glob("*clean*")) == []
    assert list(listed.folder.glob(".clean*")) == []


def test_a_terminal_sees_how_far_a_scrub_is(listed):
    name = listed.write("leads.csv", "phone\n" + "5550000000\n" * 200_000)

    status, shown = listed.run_on_terminal("scrub", name, "-o", "clean.csv")

    assert status == 0
    assert b"Scrubbing" in shown
    assert b"rows" in shown
    assert b"200,000 callable" in shown
