"""
What a service has promised about numbers, and whether it kept it.

Each number belongs to one writer, so that its true state is known from the answers
alone: what was acknowledged holds, whatever happened since; what was not may be either
way, and the same request again makes it certain.
"""

import http.client
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import urlencode, urlsplit

SECONDS = 5.0

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


CERTAIN = {Said.DONE, Said.ALREADY, Said.GONE}


@dataclass(frozen=True)
class Asker:
    """A client of the form API; *where* tells the service's present address."""

    where: Callable[[], str]
    token: str

    def say(self, operation: str, number: str) -> tuple[Said, Any]:
        """Ask over a connection of its own; return what was said, and the body."""
        fields = {"auth_token": self.token, "phone_number": number, "phone_code": "1"}
        if operation != "check":
            fields["campaign_id"] = "0"
        try:
            status, headers, body = self._post(operation, urlencode(fields))
        except (OSError, http.client.HTTPException):
            return Said.UNKNOWN, None
        if status >= 500:
            declared = status == 503 and headers.get("Retry-After")
            return (Said.UNKNOWN if declared else Said.UNDECLARED), body
        told = json.loads(body)
        return self._read(operation, status, told), told

    def _post(self, operation: str, form: str) -> tuple[int, Any, bytes]:
        where = urlsplit(self.where()).netloc
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
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
    operation: str = "insert"
    listed: bool | None = None


@dataclass
class Ledger:
    """All lines of one cycle, and what went wrong in it."""

    asker: Asker
    prefix: str
    seed: int
    lines: list[Line] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def fill(
        self, seconds: float, disturb: Callable[[], None], writers: int = 4
    ) -> None:
        """Write for *seconds*, while *disturb* happens somewhere in the middle."""
        over = threading.Event()
        working = [
            threading.Thread(target=self._write, args=[over, writer])
            for writer in range(writers)
        ]
        working.append(threading.Thread(target=self._probe, args=[over]))
        for one in working:
            one.start()
        try:
            time.sleep(seconds * random.Random(self.seed).uniform(0.2, 0.5))
            began = time.monotonic()
            disturb()
            time.sleep(max(0.0, seconds / 2 - (time.monotonic() - began)))
        finally:
            over.set()
            for one in working:
                one.join()

    def settle(self, stored: Callable[[], Sequence[str]]) -> list[tuple[str, str]]:
        """Ask again what is unknown; return every promise that was broken."""
        if self.wrong:
            return self.wrong
        for line in self.lines:
            if line.listed is None:
                self._make_certain(line)
        there = Counter(stored())
        for line in self.lines:
            said, _ = self.asker.say("check", line.number)
            rows = there[f"1{line.number}"]
            if rows > 1:
                self.wrong.append(("twice", line.number))
            if line.listed and (rows == 0 or said is not Said.LISTED):
                self.wrong.append(("lost", line.number))
            if line.listed is False and (rows or said is not Said.CLEAR):
                self.wrong.append(("resurrected", line.number))
        return self.wrong

    def _write(self, over: threading.Event, writer: int) -> None:
        chance = random.Random(f"{self.seed} {writer}")
        for count in itertools.count():
            if over.is_set():
                return
            line = Line(f"{self.prefix}{writer}{count:04}")
            self.lines.append(line)
            self._change(line, "insert")
            if line.listed and chance.random() < 0.2:
                self._change(line, "delete")
            if line.listed is None:
                over.wait(0.1)

    def _change(self, line: Line, operation: str) -> None:
        line.operation, line.listed = operation, None
        said, body = self.asker.say(operation, line.number)
        self.counts[said.value] += 1
        if said is Said.DONE:
            line.listed = operation == "insert"
        elif said is not Said.UNKNOWN:
            self.wrong.append((said.value, f"{operation} {line.number} {body}"))

    def _probe(self, over: threading.Event) -> None:
        """Look, all the while, for a false "clear"."""
        chance = random.Random(self.seed)
        while not over.wait(0.02):
            firm = [line for line in self.lines[:-4] if line.listed]
            if not firm:
                continue
            line = chance.choice(firm)
            said, body = self.asker.say("check", line.number)
            self.counts[f"probe {said.value}"] += 1
            # It may have been taken off meanwhile.
            if said is Said.CLEAR and line.operation == "insert":
                self.wrong.append(("false clear", line.number))
            elif said in {Said.UNDECLARED, Said.REFUSED}:
                self.wrong.append((said.value, f"check {line.number} {body}"))

    def _make_certain(self, line: Line) -> None:
        for _ in range(40):
            said, _ = self.asker.say(line.operation, line.number)
            if said in CERTAIN:
                line.listed = line.operation == "insert"
                return
            time.sleep(0.1)
        self.wrong.append(("never certain", f"{line.operation} {line.number}"))
