"""How an anchor leaves the house: to a URL, or to somebody's mailbox."""

import json
import smtplib
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import unquote, urlsplit

from app.audit.verify import Anchor

PATIENCE = 10.0

# Between one attempt and the next, in seconds; then no more of this anchor.
RETRIES = (1.0, 5.0, 30.0, 120.0, 600.0)


class Courier(Protocol):
    """Takes an anchor to where somebody else keeps it."""

    @property
    def every(self) -> float:
        """How many seconds to leave between two anchors, at least."""
        ...

    @property
    def name(self) -> str:
        """How a log calls it, without an address."""
        ...

    def carry(self, anchor: Anchor) -> None:
        """Hand *anchor* over; raises OSError or SMTPException (which is one)."""
        ...


@dataclass(frozen=True, slots=True)
class Post:
    """Posts each anchor as JSON."""

    url: str
    every: float = 0.0
    name: str = "url"

    def carry(self, anchor: Anchor) -> None:
        """Post *anchor*; raises OSError unless the answer is a success."""
        request = urllib.request.Request(  # noqa: S310  settings allow http alone
            self.url,
            data=json.dumps(asdict(anchor)).encode(),
            headers={"Content-Type": "application/json", "User-Agent": "dncd"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            answer.read(1024)


@dataclass(frozen=True, slots=True)
class Mail:
    """Sends anchors by e-mail, at most so often."""

    to: str
    server: str
    every: float = 24 * 3600.0
    name: str = "email"

    def carry(self, anchor: Anchor) -> None:
        """Send *anchor*; raises OSError unless the server takes it."""
        message = EmailMessage()
        message["To"] = self.to
        message["From"] = f"dncd <{self.to}>"
        message["Subject"] = f"dncd anchor: seal {anchor.sequence}"
        message.set_content(
            "Keep this message: it shows later that the do-not-call history up to\n"
            f"{anchor.at} ({anchor.operations} operations) was not rewritten.\n\n"
            + anchor.as_line(),
            cte="7bit",
        )
        where = urlsplit(self.server)
        host, secure = where.hostname or "localhost", where.scheme == "smtps"
        made = smtplib.SMTP_SSL if secure else smtplib.SMTP
        with made(
            host, where.port or (465 if secure else 25), timeout=PATIENCE
        ) as smtp:
            smtp.ehlo()
            if not secure and smtp.has_extn("starttls"):
                smtp.starttls()
                smtp.ehlo()
            if where.username:
                smtp.login(unquote(where.username), unquote(where.password or ""))
            smtp.send_message(message)


Failed = Callable[[str, Exception], None]


class Dispatch:
    """Has couriers carry anchors, one thread each, and never waits for them."""

    def __init__(self, couriers: Sequence[Courier], failed: Failed) -> None:
        """Tell *failed* by a courier's name of each attempt that came to nothing."""
        self._failed = failed
        self._boxes = [_Box() for _ in couriers]
        for courier, box in zip(couriers, self._boxes, strict=True):
            threading.Thread(
                target=self._work, args=(courier, box), daemon=True
            ).start()

    def send(self, anchor: Anchor) -> None:
        """Let every courier carry *anchor*, instead of an older one it still has."""
        for box in self._boxes:
            box.put(anchor)

    def _work(self, courier: Courier, box: "_Box") -> None:
        while True:
            anchor = box.take()
            for pause in (*RETRIES, None):
                try:
                    courier.carry(anchor)
                except (OSError, ValueError) as error:
                    self._failed(courier.name, error)
                else:
                    time.sleep(courier.every)
                    break
                if pause is None or box.wait(pause):
                    break


class _Box:
    """Room for the newest anchor that is not on its way."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._anchor: Anchor | None = None

    def put(self, anchor: Anchor) -> None:
        with self._changed:
            self._anchor = anchor
            self._changed.notify()

    def take(self) -> Anchor:
        with self._changed:
            self._changed.wait_for(lambda: self._anchor is not None)
            anchor, self._anchor = self._anchor, None
        assert anchor is not None  # noqa: S101
        return anchor

    def wait(self, seconds: float) -> bool:
        """Wait until there is a newer one, but no longer; whether there is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._anchor is not None, seconds)
