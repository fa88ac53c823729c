"""
What stands against calls: the questions that every dialer asks before it dials.

Every statement reads a snapshot of its own and begins at the index of numbers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import LiteralString, NamedTuple

from app.domain.erasure import Names, StandIns
from app.domain.patience import NotAtOnce
from app.domain.rules import Call, Finding, Listed, Question, Snapshot
from app.domain.scopes import CampaignReference
from app.store.arrays import write_numbers, write_texts
from app.store.lookups import Lookup, Rows
from app.store.transactions import Once, Open, Tx
from app.store.underway import UnderWay

# One row with the instant, then one for each entry of the numbers. ORDER BY keeps them
# looked up one by one, each in the order of the index of numbers: PostgreSQL might
# rather read the whole organisation, which it takes for small. The first row tells, in
# place of a reason, with which key numbers that were erased have their stand-ins.
_CHECK: LiteralString = """
    SELECT NULL::bigint AS e164, NULL::bigint AS id, NULL::bigint AS campaign_id,
           NULL::text AS name, NULL::text AS purpose,
           erasure_key AS reason,
           now() AS instant, checking_enabled AS flag
    FROM organisation
    WHERE id = $1::bigint
    UNION ALL
    SELECT entry.e164, entry.id, entry.campaign_id, list.name, entry.purpose,
           entry.reason, entry.inserted_at, NULL
    FROM unnest($2::text::bigint[]) AS asked (e164)
    CROSS JOIN LATERAL (
        SELECT * FROM dnc_entry
        WHERE organisation_id = $1::bigint AND e164 = asked.e164
        ORDER BY campaign_id
    ) AS entry
    JOIN campaign AS list ON list.organisation_id = $1::bigint
                         AND list.id = entry.campaign_id
"""

CHECK = Lookup("dncd_check", _CHECK)

# And one for each campaign that is asked for, by id or code.
CHECK_FOR_CAMPAIGNS = Lookup(
    "dncd_check_for_campaigns",
    f"""
    {_CHECK}
    UNION ALL
    SELECT NULL, NULL, id, uid, purpose, NULL, NULL, NULL
    FROM campaign
    WHERE organisation_id = $1::bigint
      AND (id = ANY($3::text::bigint[]) OR uid = ANY($4::text::text[]))
""",
)

# Planned anew for each piece, as one for any few numbers: so it begins at their index
# however many there are, unless the whole list is read sooner than these few.
FIND_LISTED = """
    SELECT e164, id, campaign_id, purpose, inserted_at,
           CASE WHEN %(with_reasons)s THEN reason END
    FROM dnc_entry
    WHERE organisation_id = %(organisation_id)s::bigint
      AND e164 = ANY (%(e164s)s::text::bigint[])
"""

SNAPSHOT = """
    SELECT pg_current_snapshot()::text AS name, now() AS taken_at, checking_enabled,
           erasure_key AS erasure_mark
    FROM organisation WHERE id = %(organisation_id)s
"""


# Number, id, list, purpose, instant and reason. Not an object each: there may be as
# many as there are numbers.
Row = tuple[int, int, int, str | None, datetime, str | None]


def check(
    tx: Once, questions: Sequence[Question], stand_ins: StandIns
) -> list[Finding]:
    """
    Return what is known about each of *questions*, in their order.

    Of numbers that were erased too, by their *stand_ins*. Raises ErasureKeyWrong.
    """
    asked = _begin_asking(questions, stand_ins)
    rows = tx.look_up(*_write(tx.organisation_id, asked))
    # The row of the organisation, read with them, tells whether to ask again.
    while stand_ins.missed(_mark(rows), asked.names):
        asked = asked._replace(names=stand_ins.names(asked.e164s) or {})
        rows = tx.look_up(*_write(tx.organisation_id, asked))
    return _read(rows, asked)


class _Asked(NamedTuple):
    """Questions, the key of the number of each, and names that erased ones go by."""

    questions: Sequence[Question]
    e164s: Sequence[int]
    names: Names | None


class Begun:
    """What ``check`` returns, on its way."""

    def __init__(self, under_way: UnderWay, asked: _Asked, stand_ins: StandIns) -> None:
        """Know what was *asked*."""
        self._under_way = under_way
        self._asked = asked
        self._stand_ins = stand_ins
        self.fileno = under_way.fileno
        self.give_up = under_way.give_up
        self.close = under_way.close

    def receive(self) -> list[Finding] | None:
        """
        Return what is known about each question, or None while not all of it has come.

        Raises ErasureKeyWrong, and NotAtOnce if it is to be asked again.
        """
        rows = self._under_way.receive()
        if rows is None:
            return None
        if self._stand_ins.missed(_mark(rows), self._asked.names):
            raise NotAtOnce
        return _read(rows, self._asked)


def begin(tx: Once, questions: Sequence[Question], stand_ins: StandIns) -> Begun | None:
    """Begin what ``check`` does, or return None where that would have to wait."""
    asked = _begin_asking(questions, stand_ins)
    under_way = tx.begin(*_write(tx.organisation_id, asked))
    return None if under_way is None else Begun(under_way, asked, stand_ins)


def _begin_asking(questions: Sequence[Question], stand_ins: StandIns) -> _Asked:
    e164s = [question.number.e164 for question in questions]
    return _Asked(questions, e164s, stand_ins.names(e164s))


def _read(rows: Rows, asked: _Asked) -> list[Finding]:
    entries: dict[int, list[Listed]] = {}
    calls: dict[object, Call] = {}
    names = asked.names
    for e164, entry_id, campaign_id, name, purpose, reason, instant, flag in rows:
        if flag is not None:
            checking_enabled, checked_at = flag, instant
        elif e164 is not None:
            number = e164 if e164 > 0 or names is None else names[e164]
            entries.setdefault(number, []).append(
                Listed(entry_id, campaign_id, name, purpose, reason, instant)
            )
        else:
            calls[campaign_id] = calls[name] = Call(campaign_id, purpose)
    return [
        Finding(
            _call_for(question.campaign, calls),
            tuple(entries.get(e164, ())),
            checking_enabled,
            checked_at,
        )
        for question, e164 in zip(asked.questions, asked.e164s, strict=True)
    ]


def _write(organisation_id: int, asked: _Asked) -> tuple[Lookup, list[str]]:
    """Return the statement that asks, and its parameters."""
    keys = {*asked.e164s, *(asked.names or ())}
    parameters = [str(organisation_id), write_numbers(keys)]
    campaigns = {question.campaign for question in asked.questions} - {None}
    if campaigns:
        parameters.append(write_numbers(x.number for x in campaigns if x and x.number))
        parameters.append(write_texts(x.code for x in campaigns if x))
        return CHECK_FOR_CAMPAIGNS, parameters
    return CHECK, parameters


def _mark(rows: Rows) -> str | None:
    """Return what the organisation's row tells of erased entries: the first row."""
    mark: str | None = next(row[5] for row in rows if row[7] is not None)
    return mark


def take_snapshot(tx: Tx) -> Snapshot:
    """Return the instant that everything else in *tx* is read at."""
    row = tx.fetch(SNAPSHOT, {"organisation_id": tx.organisation_id})[0]
    return Snapshot(
        row["name"], row["taken_at"], row["checking_enabled"], row["erasure_mark"]
    )


def find_listed(
    tx: Open, pieces: Iterable[Sequence[int]], *, with_reasons: bool
) -> Iterator[Row]:
    """
    Yield of every entry of the numbers what Row has; the reason if it is wanted.

    A statement looks up one of the *pieces*, while the rows of another are taken.
    """
    return look_up_pieces(tx, FIND_LISTED, pieces, with_reasons=with_reasons)


def look_up_pieces(
    tx: Open,
    statement: LiteralString,
    pieces: Iterable[Sequence[int]],
    **others: object,
) -> Iterator[Row]:
    """Yield what *statement*, with *others*, finds of the numbers of each piece."""
    asked = (
        {
            "organisation_id": tx.organisation_id,
            "e164s": write_numbers(piece),
            **others,
        }
        for piece in pieces
    )
    return chain.from_iterable(tx.fetch_each(statement, asked))


def _call_for(
    campaign: CampaignReference | None, calls: Mapping[object, Call]
) -> Call | None:
    """Return the call for *campaign*; an id goes before a code that looks like it."""
    if campaign is None:
        return None
    return calls.get(campaign.number) or calls.get(campaign.code)
