"""The service's settings; the only reader of the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.domain.access import Edition
from app.domain.errors import SettingInvalid
from app.domain.patience import ANSWER_SECONDS
from app.domain.rates import OFF, Rate, read_rate

# The first is the default.
SERVERS = ("gunicorn", "granian")

_EDITION_PREFIX = "DNCD_EDITION_"


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator can choose; each field is one environment variable."""

    database_url: str | None
    owner_database_url: str | None
    data_dir: Path
    key_file: Path
    seal: bool
    anchor_file: Path
    anchor_seconds: int
    anchor_url: str | None
    anchor_email: str | None
    smtp_url: str
    host: str
    port: int
    server: str
    workers: int
    threads: int
    answer_seconds: int
    trusted_proxies: frozenset[str]
    prepare_statements: bool
    editions: Mapping[str, str]
    rate_per_token: Rate | None
    rate_per_source: Rate | None
    guesses_per_source: Rate | None

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] = os.environ
    ) -> "Settings":
        """Read the settings; raises SettingInvalid, naming the variable."""
        data_dir = Path(environment.get("DNCD_DATA_DIR") or ".dncd")
        return cls(
            database_url=environment.get("DATABASE_URL") or None,
            owner_database_url=environment.get("DNCD_OWNER_DATABASE_URL") or None,
            data_dir=data_dir,
            key_file=Path(environment.get("DNCD_KEY_FILE") or data_dir / "key"),
            seal=_choice(environment, "DNCD_SEAL", ("on", "off")) == "on",
            anchor_file=Path(
                environment.get("DNCD_ANCHOR_FILE") or data_dir / "anchors.jsonl"
            ),
            anchor_seconds=_number(environment, "DNCD_ANCHOR_SECONDS", 60, 86400),
            anchor_url=_url(environment, "DNCD_ANCHOR_URL", ("http", "https")),
            anchor_email=environment.get("DNCD_ANCHOR_EMAIL") or None,
            smtp_url=_url(environment, "DNCD_SMTP_URL", ("smtp", "smtps"))
            or "smtp://localhost:25",
            host=environment.get("DNCD_HOST") or "127.0.0.1",
            port=_number(environment, "DNCD_PORT", 8080, 65535),
            server=_choice(environment, "DNCD_SERVER", SERVERS),
            workers=_number(environment, "DNCD_WORKERS", 2, 256),
            threads=_number(environment, "DNCD_THREADS", 16, 256),
            answer_seconds=_number(
                environment, "DNCD_ANSWER_SECONDS", ANSWER_SECONDS, 20, smallest=2
            ),
            trusted_proxies=frozenset(
                address.strip()
                for address in (
                    environment.get("DNCD_FORWARDED_ALLOW_IPS") or "127.0.0.1"
                ).split(",")
            ),
            prepare_statements=_choice(
                environment, "DNCD_PREPARE_STATEMENTS", ("on", "off")
            )
            == "on",
            editions={
                name.removeprefix(_EDITION_PREFIX).lower(): _choice(
                    environment, name, tuple(Edition)
                )
                for name in environment
                if name.startswith(_EDITION_PREFIX)
            },
            rate_per_token=_rate(environment, "DNCD_RATE_PER_TOKEN", OFF),
            rate_per_source=_rate(environment, "DNCD_RATE_PER_SOURCE", OFF),
            guesses_per_source=_rate(environment, "DNCD_GUESSES_PER_SOURCE", "5:300"),
        )


def _number(
    environment: Mapping[str, str],
    name: str,
    default: int,
    largest: int,
    *,
    smallest: int = 1,
) -> int:
    text = environment.get(name) or str(default)
    if text.isascii() and text.isdecimal() and smallest <= int(text) <= largest:
        return int(text)
    message = (
        f"{name} must be a whole number from {smallest} to {largest}, not {text!r}"
    )
    raise SettingInvalid(message)


def _rate(environment: Mapping[str, str], name: str, default: str) -> Rate | None:
    text = environment.get(name) or default
    try:
        return read_rate(text)
    except ValueError as error:
        message = f"{name} must be off, or as 20 or 20:100 are, not {text!r}"
        raise SettingInvalid(message) from error


def _choice(environment: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    text = environment.get(name) or choices[0]
    if text in choices:
        return text
    message = f"{name} must be one of {', '.join(choices)}, not {text!r}"
    raise SettingInvalid(message)


def _url(
    environment: Mapping[str, str], name: str, schemes: tuple[str, ...]
) -> str | None:
    text = environment.get(name)
    if not text or text.partition("://")[0] in schemes:
        return text or None
    message = f"{name} must begin with {' or '.join(f'{one}://' for one in schemes)}"
    raise SettingInvalid(message)
