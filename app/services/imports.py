"""Lists of numbers from a file: one operation, one transaction, all or nothing."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from zoneinfo import ZoneInfo

from app.domain import scopes
from app.domain.access import Caller
from app.domain.causes import Cause
from app.domain.errors import CampaignUnknown, PurposeInvalid
from app.domain.events import OperationKind
from app.domain.scopes import CampaignReference
from app.files import formats
from app.files.compression import Counted, Readable, unpacked
from app.files.lists import NumberList
from app.files.rejects import Reject, RejectsFile
from app.files.tables import Table
from app.services.directory import Directory, Rejected
from app.services.staging import Defaults, Staging
from app.store import bulk, campaigns, operations
from app.store.bulk import Arranged, Shared
from app.store.database import Database
from app.store.roles import Scope
from app.store.transactions import Open

# How long one answer of the database may take: to sort a very long list, at most.
DEADLINE = 3600.0


class Stage(StrEnum):
    """What an import is doing."""

    READING = "reading"
    SORTING = "sorting"
    COMPARING = "comparing"
    STORING = "storing"
    COMMITTING = "committing"


class Outcome(StrEnum):
    """How an import ended."""

    STORED = "stored"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    DRY_RUN = "dry run"


@dataclass(frozen=True, slots=True)
class Source:
    """A file, a pipe or a request's body; *size* in bytes where it is known."""

    stream: Readable
    name: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What holds for rows that do not say, and what to do with the bad ones."""

    campaign: CampaignReference = scopes.ORGANISATION
    purpose: str | None = None
    reason: str | None = None
    calling_code: str | None = None
    skip_invalid: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is: so many rows, and which part of them where it is known."""

    stage: Stage
    rows: int
    fraction: float | None = None


@dataclass(frozen=True, slots=True)
class ImportReport:
    """
    What became of the rows that were read.

    Of a dry run *inserted* is what would be; of a refused import nothing is known but
    what was rejected.
    """

    outcome: Outcome
    read: int
    rejected: int
    inserted: int = 0
    already_listed: int = 0
    repeated: int = 0
    causes: Mapping[Cause, int] = field(default_factory=dict)
    first_rejects: tuple[Reject, ...] = ()
    operation_id: int | None = None

    def as_summary(self) -> dict[str, object]:
        """Return the counts under the names that every edge tells them by."""
        return {
            "outcome": self.outcome,
            "read": self.read,
            "inserted": self.inserted,
            "already_listed": self.already_listed,
            "repeated": self.repeated,
            "rejected": self.rejected,
            "causes": dict(self.causes),
            "operation_id": self.operation_id,
        }


ProgressSink = Callable[[Progress], None]


def _silent(_progress: Progress) -> None:
    """Show nothing."""


class Imports:
    """Whole lists that become entries."""

    def __init__(self, database: Database) -> None:
        """Keep the list in *database*."""
        self._database = database

    def run(
        self,
        caller: Caller,
        source: Source,
        options: ImportOptions,
        *,
        rejects: RejectsFile | None = None,
        progress: ProgressSink = _silent,
    ) -> ImportReport:
        """
        Suppress every number of *source*, and tell what became of its rows.

        A number that is listed already stays as it is. Where a row is rejected nothing
        is stored, unless *skip_invalid*. Raises FileRefused, CampaignUnknown,
        PurposeInvalid, StoreUnavailable. When it raises nothing was stored, unless it
        is OutcomeUnknown: then the same import again makes it certain.
        """
        scope = Scope(caller.organisation.id)
        counted = Counted(source.stream)
        with (
            unpacked(counted) as read,
            self._database.transaction(scope, deadline=DEADLINE) as tx,
        ):
            file = formats.recognise(read)
            lists = Directory.of(campaigns.every_list(tx), campaigns.own_purposes(tx))
            shared = _shared(lists, options, file)
            defaults = Defaults(
                options.calling_code or caller.organisation.default_phone_code,
                shared.campaign_id,
                shared.purpose,
                shared.reason,
                ZoneInfo(caller.organisation.time_zone),
            )
            staging = Staging(lists, defaults, bulk.now(tx), rejects)
            # Closed at once if the progress cannot be shown, before the rollback.
            with closing(_stage(tx, file, staging, counted, source.size)) as parts:
                for fraction in parts:
                    progress(Progress(Stage.READING, staging.read, fraction))
            if rejects is not None:
                # Before anything is stored: what is not on the list must be told.
                rejects.finish()
            taken = staging.read - staging.causes.total()
            if taken < staging.read and not (options.skip_invalid or options.dry_run):
                return _report(Outcome.REFUSED, staging)
            progress(Progress(Stage.SORTING, taken))
            arranged = bulk.arrange(tx)
            if options.dry_run:
                progress(Progress(Stage.COMPARING, arranged.rows))
                new = bulk.count_new(tx, shared)
                return _report(Outcome.DRY_RUN, staging, arranged, new)
            operation_id = operations.next_id(tx)
            inserted = 0
            for piece in arranged.pieces():
                inserted += bulk.insert(tx, operation_id, piece, shared)
                fraction = piece[1] / arranged.pages
                rows = round(fraction * arranged.rows)
                progress(Progress(Stage.STORING, rows, fraction))
            if not inserted:
                return _report(Outcome.UNCHANGED, staging, arranged)
            operations.append(
                tx,
                caller,
                OperationKind.ENTRIES_IMPORTED,
                why=source.name,
                touched=inserted,
                operation_id=operation_id,
            )
            progress(Progress(Stage.COMMITTING, arranged.rows))
        return _report(Outcome.STORED, staging, arranged, inserted, operation_id)


def _shared(
    lists: Directory, options: ImportOptions, file: Table | NumberList
) -> Shared:
    """Return what the options say of rows that do not; raises as ``run`` does."""
    campaign_id = lists.find_list(options.campaign)
    if campaign_id is None:
        raise CampaignUnknown
    purpose = options.purpose
    if purpose is not None or isinstance(file, NumberList):
        try:
            purpose = lists.require_purpose(campaign_id, purpose)
        except Rejected as rejected:
            raise PurposeInvalid(str(rejected)) from rejected
    return Shared(campaign_id, purpose, options.reason)


def _stage(
    tx: Open,
    file: Table | NumberList,
    staging: Staging,
    counted: Counted,
    size: int | None,
) -> Generator[float | None, None, None]:
    """Send every row to the database; yield which part of the source is read."""
    if staging.rejects is not None:
        staging.rejects.begin(file.header)
    blocks: Iterator[str | bytes]
    if isinstance(file, Table):
        blocks = map(staging.rows_of(file), file)
    else:
        blocks = map(staging.numbers_of(file), file)
    numbers_only = isinstance(file, NumberList)
    with bulk.staging(tx, numbers_only=numbers_only) as write:
        for block in blocks:
            write(block)
            yield counted.consumed / size if size else None


def _report(
    outcome: Outcome,
    staging: Staging,
    arranged: Arranged | None = None,
    inserted: int = 0,
    operation_id: int | None = None,
) -> ImportReport:
    rejected = staging.causes.total()
    return ImportReport(
        outcome=outcome,
        read=staging.read,
        rejected=rejected,
        inserted=inserted,
        already_listed=arranged.rows - inserted if arranged else 0,
        repeated=staging.read - rejected - arranged.rows if arranged else 0,
        causes=dict(staging.causes.most_common()),
        first_rejects=tuple(staging.first_rejects),
        operation_id=operation_id,
    )
