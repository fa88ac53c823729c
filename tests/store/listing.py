"""Files in memory, and what the list holds after they were imported."""

import io
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import dict_row

from app.domain.access import Caller
from app.services import Services
from app.services.imports import ImportOptions, ImportReport, Source


def import_text(
    services: Services, caller: Caller, text: str | bytes, **options: Any
) -> ImportReport:
    data = text.encode() if isinstance(text, str) else text
    source = Source(io.BytesIO(data), "numbers.csv", len(data))
    return services.imports.run(caller, source, ImportOptions(**options))


def exported(services: Services, caller: Caller) -> list[str]:
    """Return the lines of an export, the header first and the rest in order."""
    header, *lines = b"".join(services.exports.stream(caller)).decode().splitlines()
    return [header, *sorted(lines)]


def rows(url: str, statement: str) -> list[Mapping[str, Any]]:
    """Ask as the owner of the database, past row-level security."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(statement.encode()).fetchall()


def entries(url: str, *columns: str) -> list[tuple[Any, ...]]:
    listed = rows(url, "SELECT * FROM dnc_entry ORDER BY e164, campaign_id, purpose")
    return [tuple(entry[column] for column in columns) for entry in listed]
