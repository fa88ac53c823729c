"""Lists of leads, of any size, row by row: who may be called?"""

from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from app.domain.access import Caller
from app.domain.rules import Rule, Snapshot
from app.domain.scopes import CampaignReference
from app.files.lead_lists import Block, LeadList
from app.services.checks import Checks, Hit, Hits

# So many blocks are asked about while the next is read.
ASKING = 2

ADDED_COLUMNS = ("dnc_status", "dnc_rule", "dnc_entry_id", "dnc_since")


class Status(StrEnum):
    """What is said of a row."""

    CALLABLE = "callable"
    LISTED = "listed"
    INVALID = "invalid"


@dataclass(slots=True)
class Counts:
    """
    How many rows of each status there were so far.

    *checked* is false once the organisation was found to have switched its checking
    off; which numbers are listed is told all the same.
    """

    callable: int = 0
    listed: int = 0
    invalid: int = 0
    checked: bool = True

    @property
    def rows(self) -> int:
        """How many rows there were of any status."""
        return self.callable + self.listed + self.invalid


class Scrubs:
    """Asks about every number of a list, while the list is still coming."""

    def __init__(self, checks: Checks) -> None:
        """Ask *checks*."""
        self._checks = checks

    def scrub(
        self,
        caller: Caller,
        leads: LeadList,
        campaign: CampaignReference | None,
        only: Status | None,
        counts: Counts,
    ) -> Generator[bytes, None, None]:
        """
        Yield *leads* as CSV with what is said of each row, and keep *counts*.

        *only* leaves the rows of every other status out. Some thousand rows at a time
        are answered from one fresh snapshot, so that neither a long list nor a slow
        reader holds the database. Raises what reading the list and asking raise.
        """
        writer = _Writer(leads, only, counts)
        blocks = leads.read_blocks()
        with ThreadPoolExecutor(ASKING, "scrub") as asking:

            def ask(block: Block) -> Future[tuple[Snapshot, Hits]]:
                keys = [key for key in block.keys if key is not None]
                return asking.submit(self._checks.find_listed, caller, keys, campaign)

            # The first rows go with the header: what is refused at once sends nothing.
            block = next((block for block in blocks if block.rows), Block())
            yield writer.header() + writer.rows(block, *ask(block).result())
            ahead: list[tuple[Block, Future[tuple[Snapshot, Hits]]]] = []
            for block in blocks:
                ahead.append((block, ask(block)))
                if len(ahead) > ASKING:
                    yield from writer.some_rows(*ahead.pop(0))
            for block, asked in ahead:
                yield from writer.some_rows(block, asked)


class _Writer:
    """Writes rows with their statuses."""

    def __init__(self, leads: LeadList, only: Status | None, counts: Counts) -> None:
        self._leads = leads
        self._only = only
        self._counts = counts
        between, end = leads.delimiter, leads.newline
        nothing = between * (len(ADDED_COLUMNS) - 1)
        self._callable = f"{between}{Status.CALLABLE}{nothing}{end}"
        self._invalid = f"{between}{Status.INVALID}{nothing}{end}"
        self._listed = {
            rule: between.join(("", Status.LISTED, rule, "")) for rule in Rule
        }

    def header(self) -> bytes:
        """Return the first row."""
        leads = self._leads
        added = leads.delimiter.join(ADDED_COLUMNS)
        row = f"{leads.bom}{leads.header}{leads.delimiter}{added}{leads.newline}"
        return row.encode()

    def some_rows(
        self, block: Block, asked: Future[tuple[Snapshot, Hits]]
    ) -> Iterator[bytes]:
        """Yield the rows of *block* once *asked* has its answer, if there are any."""
        if written := self.rows(block, *asked.result()):
            yield written

    def rows(self, block: Block, snapshot: Snapshot, hits: Hits) -> bytes:
        """Return the rows of *block*, and count them."""
        self._counts.checked &= snapshot.checking_enabled
        pairs = zip(block.rows, block.keys, strict=True)
        added: dict[int | None, str] = {None: self._invalid}
        for key, hit in hits.items():
            added[key] = self._tell(hit)
        match self._only:
            case None:
                may = self._callable
                written = [row + added.get(key, may) for row, key in pairs]
            case Status.CALLABLE:
                written = [
                    row + self._callable for row, key in pairs if key not in added
                ]
            case Status.LISTED:
                written = [row + added[key] for row, key in pairs if key in hits]
            case Status.INVALID:
                written = [row + self._invalid for row, key in pairs if key is None]
        invalid = block.keys.count(None)
        listed = sum(map(hits.__contains__, block.keys))
        self._counts.invalid += invalid
        self._counts.listed += listed
        self._counts.callable += len(block.rows) - listed - invalid
        return "".join(written).encode()

    def _tell(self, hit: Hit) -> str:
        return (
            f"{self._listed[hit.rule]}{hit.entry_id}{self._leads.delimiter}"
            f"{hit.since.isoformat()}{self._leads.newline}"
        )
