"""
What a service has promised about numbers, and whether it kept it.

Each number belongs to one writer, so that its true state is known from the answers
alone: what was acknowledged holds, whatever happened since; what was not may be either
way, and the same request again makes it certain. Every other writer names its changes
with an Idempotency-Key: what it asked again until it was told, it then undoes, and the
first request, should it only now arrive, must not count.
"""

import http.client
import itertools
import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import urlencode, urlsplit

SECONDS = 5.0

# What clients see before anything is broken, however busy the machine is.
FIRST_ANSWERS = 12

# "Duplicate entry" and "Phone already in DNC"; "Phone not found in DNC".
ALREADY, GONE = {6007, 6008}, {6001}


class Said(Enum):
    """What an answer means to whoever asked."""

    DONE = "done"
    ALREADY = "there already"
    GONE = "not there"
    LISTED = "listed"
    CLEAR = "clear"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    UNDECLARED = "undeclared"
    # By the same key, which another request holds.
    IN_FLIGHT = "in flight"


CERTAIN = {Said.DONE, Said.ALREADY, Said.GONE}


@dataclass(frozen=True)
class Asker:
    """A client of the form API; *where* tells the service's present address."""

    where: Callable[[], str]
    token: str

    def say(self, operation: str, number: str, key: str = "") -> tuple[Said, Any]:
        """Ask over a connection of its own; return what was said, and the body."""
        fields = {"auth_token": self.token, "phone_number": number, "phone_code": "1"}
        if operation != "check":
            fields["campaign_id"] = "0"
        try:
            status, headers, body = self._post(operation, urlencode(fields), key)
        except (OSError, http.client.HTTPException):
            return Said.UNKNOWN, None
        if status >= 500:
            declared = status == 503 and headers.get("Retry-After")
            return (Said.UNKNOWN if declared else Said.UNDECLARED), body
        if status == 409 and key and headers.get("Retry-After"):
            return Said.IN_FLIGHT, body
        told = json.loads(body)
        return self._read(operation, status, told), told

    def _post(self, operation: str, form: str, key: str) -> tuple[int, Any, bytes]:
        where = urlsplit(self.where()).netloc
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if key:
            headers["Idempotency-Key"] = key
        with closing(http.client.HTTPConnection(where, timeout=SECONDS)) as sending:
            sending.request("POST", f"/v1/dnc/{operation}", form, headers)
            answer = sending.getresponse()
            return answer.status, answer.headers, answer.read()

    @staticmethod
    def _read(operation: str, status: int, told: Any) -> Said:
        if status == 200 and told["success"]:
            if operation != "check":
                return Said.DONE
            return Said.CLEAR if told["data"]["callable"] else Said.LISTED
        if operation == "insert" and told["code"] in ALREADY:
            return Said.ALREADY
        if operation == "delete" and told["code"] in GONE:
            return Said.GONE
        return Said.REFUSED


@dataclass
class Line:
    """A number: what was last asked for, and what holds, None while that is unknown."""

    number: str
    keyed: bool
    operation: str = "insert"
    key: str = ""
    listed: bool | None = None
    changes: int = 0
    asked_again: bool = False

    def turn(self, operation: str) -> None:
        """Begin with another change."""
        self.changes += 1
        self.listed, self.asked_again = None, False
        self.operation = operation
        self.key = str(uuid.uuid4()) if self.keyed else ""


@dataclass
class Ledger:
    """All lines of one cycle, and what went wrong in it."""

    asker: Asker
    prefix: str
    seed: int
    lines: list[Line] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def fill(
        self,
        disturb: Callable[[], None],
        before: tuple[float, float] = (0.4, 1.0),
        after: float = 0.5,
        writers: int = 4,
    ) -> None:
        """Write for some seconds *before*, while and *after* *disturb* happens."""
        over = threading.Event()
        working = [
            threading.Thread(target=self._write, args=[over, writer])
            for writer in range(writers)
        ]
        working.append(threading.Thread(target=self._probe, args=[over]))
        for one in working:
            one.start()
        try:
            time.sleep(random.Random(self.seed).uniform(*before))
            self._await_first_answers()
            disturb()
            time.sleep(after)
        finally:
            over.set()
            for one in working:
                one.join()

    def settle(self, stored: Callable[[], Sequence[str]]) -> list[tuple[str, str]]:
        """Ask again what is unknown; return every promise that was broken."""
        for line in self.lines:
            if line.listed is None:
                self._make_certain(line)
        there = Counter(stored())
        for line in self.lines:
            said, _ = self.asker.say("check", line.number)
            rows = there[f"1{line.number}"]
            if rows > 1:
                self.wrong.append(("twice", line.number))
            if line.listed and rows == 0:
                self.wrong.append(("lost", line.number))
            if line.listed and said is not Said.LISTED:
                wrong = "false clear" if said is Said.CLEAR else "not told"
                self.wrong.append((wrong, line.number))
            if line.listed is False and (rows or said is not Said.CLEAR):
                self.wrong.append(("resurrected", line.number))
        return self.wrong

    def _await_first_answers(self) -> None:
        """Let a busy machine have something to lose."""
        until = time.monotonic() + 10
        while self.counts["done"] < FIRST_ANSWERS and time.monotonic() < until:
            time.sleep(0.05)

    def _write(self, over: threading.Event, writer: int) -> None:
        chance = random.Random(f"{self.seed} {writer}")
        for count in itertools.count():
            if over.is_set():
                return
            line = Line(f"{self.prefix}{writer}{count:04}", keyed=writer % 2 == 1)
            self.lines.append(line)
            self._change(line, "insert", over)
            if line.listed and (line.asked_again or chance.random() < 0.2):
                self._change(line, "delete", over)
            if line.asked_again and line.listed is False:
                self._change(line, "insert", over)

    def _change(self, line: Line, operation: str, over: threading.Event) -> None:
        line.turn(operation)
        self._ask(line)
        while line.listed is None and not over.wait(0.1) and line.keyed:
            line.asked_again = True
            self._ask(line)

    def _ask(self, line: Line) -> None:
        """Ask for the change of *line*, perhaps again."""
        said, body = self.asker.say(line.operation, line.number, line.key)
        with self._counting:
            self.counts[said.value] += 1
        if said is Said.DONE:
            line.listed = line.operation == "insert"
        elif said not in {Said.UNKNOWN, Said.IN_FLIGHT}:
            self.wrong.append((said.value, f"{line.operation} {line.number} {body}"))

    def _probe(self, over: threading.Event) -> None:
        """Look, all the while, for a false "clear"."""
        chance = random.Random(self.seed)
        while not over.wait(0.02):
            firm = [line for line in self.lines if line.listed]
            if not firm:
                continue
            line = chance.choice(firm)
            changes = line.changes
            if not line.listed:
                continue
            said, body = self.asker.say("check", line.number)
            with self._counting:
                self.counts[f"probe {said.value}"] += 1
            # It may have been taken off meanwhile.
            if said is Said.CLEAR and line.changes == changes:
                self.wrong.append(("false clear", line.number))
            elif said in {Said.UNDECLARED, Said.REFUSED}:
                self.wrong.append((said.value, f"check {line.number} {body}"))

    def _make_certain(self, line: Line) -> None:
        for _ in range(40):
            said, body = self.asker.say(line.operation, line.number, line.key)
            if said is Said.UNDECLARED:
                self.wrong.append((said.value, f"{line.operation} {body}"))
            # What has a key is answered as it was the first time.
            if line.keyed and said in CERTAIN - {Said.DONE}:
                self.wrong.append(("not replayed", f"{line.operation} {line.number}"))
            if said in CERTAIN:
                line.listed = line.operation == "insert"
                self.counts["certain later"] += 1
                # It was carried out, and only its answer lost.
                self.counts["unanswered"] += said is not Said.DONE
                return
            time.sleep(0.1)
        self.wrong.append(("never certain", f"{line.operation} {line.number}"))
