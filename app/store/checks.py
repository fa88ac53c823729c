"""
What stands against calls: the questions that every dialer asks before it dials.

Every statement reads a snapshot of its own and begins at the index of numbers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import LiteralString

from app.domain.erasure import Names, StandIns
from app.domain.patience import NotAtOnce
from app.domain.rules import Call, Finding, Listed, Question, Snapshot
from app.domain.scopes import CampaignReference
from app.store.arrays import write_numbers, write_texts
from app.store.lookups import Lookup, Rows
from app.store.transactions import Once, Open, Tx
from app.store.underway import UnderWay

# One row with the instant, then one for each entry of the numbers. OFFSET keeps them
# looked up one by one: PostgreSQL might rather read the whole organisation, which it
# takes for small. The first row tells, in place of a reason, with which key numbers
# that were erased have their stand-ins.
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
        OFFSET 0
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

FIND_LISTED = """
    SELECT entry.e164, entry.id, entry.campaign_id, entry.purpose, entry.inserted_at,
           CASE WHEN %(with_reasons)s THEN entry.reason END
    FROM unnest(%(e164s)s::text::bigint[]) AS asked (e164)
    CROSS JOIN LATERAL (
        SELECT id, e164, campaign_id, purpose, inserted_at, reason FROM dnc_entry
        WHERE organisation_id = %(organisation_id)s::bigint AND e164 = asked.e164
        OFFSET 0
    ) AS entry
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
    numbers = {question.number.e164 for question in questions}
    names = stand_ins.names(numbers)
    rows = tx.look_up(*_write(tx.organisation_id, questions, names))
    # The row of the organisation, read with them, tells whether to ask again.
    while stand_ins.missed(_mark(rows), names):
        names = stand_ins.names(numbers) or {}
        rows = tx.look_up(*_write(tx.organisation_id, questions, names))
    return _read(rows, questions, names)


class Begun:
    """What ``check`` returns, on its way."""

    def __init__(
        self,
        under_way: UnderWay,
        questions: Sequence[Question],
        stand_ins: StandIns,
        names: Names | None,
    ) -> None:
        """Know what was asked, also under which *names*."""
        self._under_way = under_way
        self._questions = questions
        self._stand_ins = stand_ins
        self._names = names
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
        if self._stand_ins.missed(_mark(rows), self._names):
            raise NotAtOnce
        return _read(rows, self._questions, self._names)


def begin(tx: Once, questions: Sequence[Question], stand_ins: StandIns) -> Begun | None:
    """Begin what ``check`` does, or return None where that would have to wait."""
    names = stand_ins.names(question.number.e164 for question in questions)
    under_way = tx.begin(*_write(tx.organisation_id, questions, names))
    if under_way is None:
        return None
    return Begun(under_way, questions, stand_ins, names)


def _read(
    rows: Rows, questions: Sequence[Question], names: Names | None
) -> list[Finding]:
    entries: dict[int, list[Listed]] = {}
    calls: dict[object, Call] = {}
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
            call=_call_for(question.campaign, calls),
            entries=tuple(entries.get(question.number.e164, ())),
            checking_enabled=checking_enabled,
            checked_at=checked_at,
        )
        for question in questions
    ]


def _write(
    organisation_id: int, questions: Sequence[Question], names: Names | None
) -> tuple[Lookup, list[str]]:
    """Return the statement that asks, and its parameters."""
    keys = {question.number.e164 for question in questions}
    if names:
        keys |= names.keys()
    parameters = [str(organisation_id), write_numbers(keys)]
    asked = {question.campaign for question in questions} - {None}
    if asked:
        parameters.append(write_numbers(x.number for x in asked if x and x.number))
        parameters.append(write_texts(x.code for x in asked if x))
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
