"""What is sent to be looked for, and a service whose every log is read."""

import base64
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import RemoteDisconnected
from pathlib import Path
from urllib.parse import quote

import psycopg
import requests
from psycopg import conninfo

from app.bootstrap import build_services
from app.domain.access import new_secret
from app.services.organisations import EVERY_GRANT, operator
from app.store import embedded
from app.store.database import Database
from app.store.migrations import migrate
from tests.conftest import make_organisation
from tests.wire.raw_http import Answer, exchange
from tests.wire.service import Service, serving
from tests.wire.tcp_proxy import Proxy, proxied

# Digits that nothing else here brings about.
NATIONAL = "9175550148"
BETWEEN = r"(?:%[0-9A-Fa-f]{2}|\\u[0-9a-f]{4}|[^0-9]){0,4}"
WHOLE_NUMBER = re.compile(BETWEEN.join(NATIONAL))
TEXTS = ("Quokka of Rottnest", "Quokka%20of%20Rottnest", "Quokka+of+Rottnest")
REASON = TEXTS[0]

NOT_ANSWERED = Answer(0, {}, b"")


def every_writing(secret: str, user: str) -> set[str]:
    """Return how *secret* may stand in a log: as it is, escaped, or in base64."""
    body = secret.removeprefix("dncd_")
    encoded = {
        base64.b64encode(before.encode() + secret.encode())[4:-6].decode()
        for before in ("", "x", "xx", f"{user}:", ":")
    }
    return {body, quote(body), body.lower(), body[4:24], *encoded}


@dataclass
class Watched:
    """A service on a PostgreSQL of its own, both of whose logs are read."""

    service: Service
    proxy: Proxy
    owner_url: str
    server_log: Path
    secrets: dict[str, str]
    answers: int = 0

    @property
    def token(self) -> str:
        return self.secrets["everything"]

    def send(self, sent: bytes, *, echoes: bool = False) -> Answer:
        """Send bytes; a refusal must not repeat them, unless the contract says so."""
        try:
            answer = exchange(self.service.base, sent, finish=True)
        except (RemoteDisconnected, ConnectionError):
            return NOT_ANSWERED
        refused = answer.status >= 400 or b'"success": false' in answer.body
        if refused and not echoes:
            self.require_silence(answer.body.decode(errors="replace"))
        self.answers += answer.status > 0
        return answer

    def left_behind(self) -> dict[str, str]:
        metrics = requests.get(f"{self.service.base}/metrics", timeout=10)
        return {
            "metrics": metrics.text,
            "service": self.service.log.read_text(),
            "postgresql": self.server_log.read_text(errors="replace"),
        }

    def require_silence(self, text: str) -> None:
        found = WHOLE_NUMBER.search(text)
        assert not found, text[max(0, found.start() - 300) : found.end() + 50]
        for name in TEXTS:
            assert name not in text, name
        for user, secret in self.secrets.items():
            for written in every_writing(secret, user):
                assert written not in text, user

    def require_nothing_left(self) -> None:
        for text in self.left_behind().values():
            self.require_silence(text)


# What a login may say of PostgreSQL's log: everything, as the embedded server's owner;
# nothing, on a server as it is installed; and nothing of itself but by a grant, on a
# server that logs each statement with its parameters, and each plan.
LOGINS = {
    "embedded": "",
    "plain": """
        ALTER ROLE dncd_plain SET log_error_verbosity = 'default';
        ALTER ROLE dncd_plain SET log_min_error_statement = 'error';
        ALTER ROLE dncd_plain SET log_parameter_max_length = -1;
        ALTER ROLE dncd_plain SET log_parameter_max_length_on_error = -1;
    """,
    "loud": """
        ALTER ROLE dncd_loud SET log_error_verbosity = 'verbose';
        ALTER ROLE dncd_loud SET log_min_error_statement = 'info';
        ALTER ROLE dncd_loud SET log_parameter_max_length = -1;
        ALTER ROLE dncd_loud SET log_parameter_max_length_on_error = -1;
        ALTER ROLE dncd_loud SET log_statement = 'all';
        ALTER ROLE dncd_loud SET log_min_duration_statement = 0;
        GRANT SET ON PARAMETER log_error_verbosity, log_min_error_statement,
            log_parameter_max_length, "auto_explain.log_min_duration" TO dncd_loud;
    """,
}


@contextmanager
def watching(
    login: str, folder: Path, http_server: str, *, granted: bool = True
) -> Iterator[Watched]:
    """Run a service that reaches a PostgreSQL of its own by that login."""
    place = Path(tempfile.mkdtemp(prefix="dncd-canaries-"))
    try:
        with embedded.owned(place) as running:
            migrate(running.url)
            url = running.url
            if login != "embedded":
                with psycopg.connect(running.url, autocommit=True) as owner:
                    owner.execute(f"CREATE ROLE dncd_{login} LOGIN PASSWORD 'pass'")  # type: ignore[arg-type]
                    owner.execute(f"GRANT dncd_app TO dncd_{login}")  # type: ignore[arg-type]
                    settings, grant, granting = LOGINS[login].partition("GRANT")
                    owner.execute(settings)  # type: ignore[arg-type]
                    if granted:
                        owner.execute(grant + granting)  # type: ignore[arg-type]
                url = conninfo.make_conninfo(
                    running.url, user=f"dncd_{login}", password="pass"
                )
            database = Database(running.url, connections=2)
            services = build_services(database)
            wanted = make_organisation("Acme")
            caller = operator(services.organisations.add("test", wanted), "test")
            issue = services.access.issue
            secrets = {
                "everything": issue(caller, "everything", EVERY_GRANT),
                "box": issue(caller, "box", EVERY_GRANT, user="box"),
                "unknown": new_secret(),
            }
            environment = {
                "DNCD_OWNER_DATABASE_URL": running.url,
            }
            with proxied(url) as proxy:
                environment["DATABASE_URL"] = proxy.url
                with serving(folder, environment, http_server, 2) as service:
                    yield Watched(
                        service, proxy, running.url, place / "postgres.log", secrets
                    )
            database.close()
    finally:
        shutil.rmtree(place, ignore_errors=True)


USABLE = {
    "phone_number": NATIONAL,
    "phoneNumber": f"1{NATIONAL}",
    "phoneList": NATIONAL,
    "phone_code": "1",
    "campaign_id": "0",
    "user": "box",
    "function": "add_dnc_phone",
    "actionType": "add",
    "source": "test",
    "reason": REASON,
    "type": REASON,
    "requestUUID": REASON,
    "first_name": REASON,
    "last_name": REASON,
}
