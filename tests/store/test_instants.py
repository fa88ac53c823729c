"""Instants are told as UTC, whatever zone a server or a database is set to."""

from datetime import UTC

import psycopg
from psycopg import sql

from app.bootstrap import build_services
from app.domain.phone import PhoneNumber
from app.domain.rules import Question
from app.store.database import Database

NUMBER = PhoneNumber("1", "5551234567")


def test_a_database_in_another_zone_answers_in_utc(database_url: str, caller) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        zone = sql.SQL("ALTER DATABASE {} SET timezone TO 'Asia/Tokyo'").format(name)
        connection.execute(zone)
    database = Database(database_url, connections=1)
    checks = build_services(database).checks

    verdicts = [checks.check(caller, Question(NUMBER)) for _ in range(2)]
    snapshot, _ = checks.find_listed(caller, [NUMBER.e164], None)
    database.close()

    for instant in (*(each.checked_at for each in verdicts), snapshot.taken_at):
        assert instant.tzinfo is UTC
