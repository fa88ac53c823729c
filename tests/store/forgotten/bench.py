"""Runs steps on copies of a filled database, with their statements changed."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import conninfo

from app.bootstrap import build_services
from app.store.database import Database
from tests.conftest import TestServer
from tests.store.forgotten import changing, reading
from tests.store.forgotten.steps import CHANGING, STEPS
from tests.store.forgotten.world import World, fill

__all__ = ["CHANGING", "STEPS", "Bench", "Change", "changing", "reading"]

# What becomes of a statement and its parameters on their way to PostgreSQL.
Change = Callable[[str, Any], tuple[str, Any]]

# Instants, and the name of a snapshot.
_PASSING = re.compile(
    r"datetime\.datetime\([^()]*(?:\([^()]*\)[^()]*)*\)|name='[0-9:,]+'"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(?:\+[0-9:]+|Z)?"
)

# Which seal a leaf is in, and where, is told by all organisations' operations.
_ROWS = """
    SELECT string_agg(told, '|' ORDER BY told) FROM (
        SELECT (to_jsonb(own) - '{{sequence,position}}'::text[])::text AS told
        FROM {table} AS own WHERE {column} = %s
    ) AS row
"""

_OF_AN_ORGANISATION = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND (
        column_name = 'organisation_id' OR table_name = 'organisation'
        AND column_name = 'id'
    )
"""

Rows = Mapping[str, str]


@dataclass(frozen=True)
class Whole:
    """What a step says, what is theirs after it, and the statements that it runs."""

    said: str
    theirs: Rows
    statements: list[str]


@dataclass
class Bench:
    """
    Copies of a filled database, a new one whenever a step has changed one.

    An *unguarded* one has no row-level security, to see what that is for.
    """

    server: TestServer
    templates: Mapping[bool, str]
    key_file: Path
    known: Mapping[str, Any]
    stack: ExitStack
    reading: dict[bool, tuple[str, World]] = field(default_factory=dict)
    wholes: dict[str, Whole] = field(default_factory=dict)

    def whole(self, name: str) -> Whole:
        """Return what a step does when nothing is forgotten."""
        if name not in self.wholes:
            seen: set[str] = set()

            def see(statement: str, parameters: Any) -> tuple[str, Any]:
                seen.add(statement)
                return statement, parameters

            said, theirs = self.run(name, see)
            self.wholes[name] = Whole(said, theirs, sorted(seen))
        return self.wholes[name]

    def untouched(self) -> Rows:
        """Return what is theirs before any step."""
        url, _ = self._for_reading(unguarded=False)
        return self._theirs(url)

    def run(
        self, name: str, change: Change, *, unguarded: bool = False
    ) -> tuple[str, Rows]:
        """Return what a step says, and what is theirs after it."""
        if name not in CHANGING:
            url, world = self._for_reading(unguarded=unguarded)
            return _say(name, world, change), self._theirs(url)
        with ExitStack() as stack:
            url, world = self._copy(stack, unguarded=unguarded)
            return _say(name, world, change), self._theirs(url)

    def _for_reading(self, *, unguarded: bool) -> tuple[str, World]:
        if unguarded not in self.reading:
            self.reading[unguarded] = self._copy(self.stack, unguarded=unguarded)
        return self.reading[unguarded]

    def _copy(self, stack: ExitStack, *, unguarded: bool) -> tuple[str, World]:
        url = stack.enter_context(self.server.new_database(self.templates[unguarded]))
        # What is prepared by its name would pass by without being changed.
        database = Database(url, connections=4, prepare_statements=False)
        stack.callback(database.close)
        known = {name: it for name, it in self.known.items() if name != "theirs"}
        return url, World(database, build_services(database, self.key_file), **known)

    def _theirs(self, url: str) -> Rows:
        with psycopg.connect(url) as owner:
            tables = owner.execute(_OF_AN_ORGANISATION).fetchall()
            rows = "UNION ALL".join(
                f" SELECT '{table}', ({_ROWS.format(table=table, column=column)}) "
                for table, column in tables
            )
            theirs = [self.known["theirs"]] * len(tables)
            return dict(owner.execute(rows, theirs).fetchall())


def _say(name: str, world: World, change: Change) -> str:
    said: list[str] = []
    try:
        with _changed(change):
            said += (repr(one) for one in STEPS[name](world))
    except Exception as error:  # noqa: BLE001  whatever it is, it is compared
        said.append(f"{type(error).__name__} {error}")
    return _PASSING.sub("…", "\n".join(said))


@contextmanager
def _changed(change: Change) -> Iterator[None]:
    """Let statements pass *change* on their way to PostgreSQL."""

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def sent(self: Any, query: Any, params: Any = None, **more: Any) -> Any:
            # What psycopg composes for itself is not of the store.
            if isinstance(query, str):
                query, params = change(query, params)
            return original(self, query, params, **more)

        return sent

    with pytest.MonkeyPatch.context() as patch:
        for cursor in (psycopg.Cursor, psycopg.ServerCursor):
            patch.setattr(cursor, "execute", wrap(cursor.execute))
        patch.setattr(psycopg.Cursor, "copy", wrap(psycopg.Cursor.copy))
        yield


@contextmanager
def opened(server: TestServer, template: str, folder: Path) -> Iterator[Bench]:
    """Yield a bench with its two templates, the guarded and the unguarded one."""
    with ExitStack() as stack:
        guarded = stack.enter_context(server.new_database(template))
        known = fill(guarded, folder / "key")
        name = conninfo.conninfo_to_dict(guarded)["dbname"]
        unguarded = stack.enter_context(server.new_database(name))
        with psycopg.connect(unguarded) as owner:
            for (table,) in owner.execute(
                "SELECT relname FROM pg_class WHERE relrowsecurity"
            ).fetchall():
                owner.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        templates = {False: name, True: conninfo.conninfo_to_dict(unguarded)["dbname"]}
        copies = stack.enter_context(ExitStack())
        yield Bench(server, templates, folder / "key", known, copies)
