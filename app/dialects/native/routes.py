"""The native dialect's operations: read, do one thing, write."""

from flask import Response, request

from app.dialects.native import (
    erasure_schemas,
    file_schemas,
    files,
    history,
    history_schemas,
    schemas,
    wire,
)
from app.dialects.native.errors import WIRE_ERRORS, write_error
from app.domain.access import Grant
from app.files.lead_lists import LeadList
from app.http import limits, streams
from app.http.current import require_caller, services
from app.http.dialect import dialect_blueprint
from app.http.documentation import Described
from app.http.forms import Fields, read_query, read_whole
from app.http.paging import read_page
from app.services.imports import Source
from app.services.scrubs import Counts

blueprint = dialect_blueprint("native", "/v1", write_error)
blueprint.description = (
    "dncd's own questions, in the envelope of the form API: one number before each "
    "call, fifty thousand at once, or a file of any size; and whole lists in and out."
)

CSV = "text/csv; charset=utf-8"

described = Described(blueprint, WIRE_ERRORS, knows_every_parameter=True)


@described.form_operation(
    "/dnc/check", Grant.CHECK, schemas.Check(), schemas.CheckAnswer
)
def check(fields: Fields) -> Response:
    """
    Ask whether a number may be called.

    Asked before every call. A number may not be called for a campaign if it is on the
    organisation's list, on that campaign's, or on that of the campaign's purpose;
    without a campaign, if it is on the organisation's. Whatever was acknowledged
    before the question came is seen.

    With `as_of` the answer is what the list said at that instant, and the same
    whenever it is asked: a change that is still under way is waited for, up to a
    second, or 6070 says that the instant is not settled yet.
    """
    answer = wire.answer_check_as_of(services(), require_caller(), fields)
    return Response(answer, content_type="application/json")


@described.form_operation(
    "/dnc/erase", Grant.ADMIN, erasure_schemas.Erase(), erasure_schemas.EraseAnswer
)
def erase(fields: Fields) -> Response:
    """
    Forget a number that stays blocked.

    The number, reasons, evidence, past versions and leads of it are removed for good;
    each list that held it goes on blocking it, by a keyed hash. Needs the grants
    `admin` and `delete`, and never makes a number callable. To erase again changes
    nothing.
    """
    return wire.write_erased(
        services().erasures.erase(require_caller(), *wire.read_erase(fields))
    )


@described.body_operation(
    "/dnc/check/batch", Grant.CHECK, schemas.BATCH_BODY, schemas.BATCH_ANSWER
)
def check_batch() -> Response:
    """
    Ask which of many numbers may be called.

    Up to 50,000 numbers of one calling code, all answered from one snapshot; with
    `as_of` as the list was at that instant.
    """
    batch = wire.read_batch(read_whole(request, limits.BATCH_BYTES))
    snapshot, hits = services().checks.find_listed(
        require_caller(),
        [key for key in batch.keys if key is not None],
        batch.campaign,
        as_of=batch.as_of,
    )
    answer = wire.write_batch(batch, snapshot, hits)
    return Response(answer, content_type="application/json")


@described.body_operation(
    "/dnc/scrub",
    Grant.CHECK,
    file_schemas.SCRUB_BODY,
    file_schemas.SCRUB_ANSWER,
    file_schemas.SCRUB_PARAMETERS,
)
def scrub() -> Response:
    """
    Mark every row of a list of leads as callable, listed or invalid.

    CSV in, CSV out, of any size, answered while it still comes. The first row names
    the columns; every column is kept, in order, and four are added: `dnc_status`,
    `dnc_rule`, `dnc_entry_id` and `dnc_since`. Some thousand rows at a time are
    answered from one fresh snapshot. An answer that breaks off without its end is not
    complete, and must not be used.
    """
    caller = require_caller()
    wanted = files.read_scrub(read_query(request), caller.organisation)
    leads = LeadList(streams.read_parts(request), wanted.columns)
    counts = Counts()
    marked = services().scrubs.scrub(
        caller, leads, wanted.campaign, wanted.only, counts
    )
    return files.mark_switch(counts, streams.answer(request, marked, CSV))


@described.body_operation(
    "/dnc/import",
    Grant.INSERT,
    file_schemas.IMPORT_BODY,
    file_schemas.IMPORT_ANSWER,
    file_schemas.IMPORT_PARAMETERS,
)
def import_list() -> Response:
    """
    Put every number of a file on the list, all or none.

    One operation and one transaction. What the file is, is told by what it holds.
    Numbers that are listed already stay as they are, so importing a file again changes
    nothing; where an answer did not come, do so.
    """
    caller = require_caller()
    query = read_query(request)
    options = files.read_import(query)
    name = files.read_file_name(query)
    with streams.kept(request, limits.IMPORT_BYTES) as body:
        report = services().imports.run(caller, Source(body, name), options)
    return files.write_report(report)


@described.download_operation(
    "/dnc/export",
    Grant.READ,
    file_schemas.EXPORT_ANSWER,
    file_schemas.EXPORT_PARAMETERS,
)
def export_list() -> Response:
    """
    Get the list as CSV, as of one moment: now, or an instant of the past.

    An answer that breaks off without its end is not complete. Reasons and purposes are
    as they were stored: open a list of unknown origin as text, not as formulas.
    """
    campaign, as_of = files.read_export(read_query(request))
    rows = services().exports.stream(require_caller(), campaign, as_of)
    return streams.answer(request, rows, CSV)


@described.form_operation(
    "/dnc/history",
    Grant.READ,
    history_schemas.History(),
    history_schemas.HistoryAnswer,
)
def history_of(fields: Fields) -> Response:
    """
    Tell everything that was ever listed of a number, and who did it.

    Every version of every entry that has or had the number, deleted ones too, each
    with the operations that made and ended it; or of one entry, by its id. In the order
    in which they began, stable while paging; `total` is exact. Of a number or an id
    that never was listed there are none.
    """
    caller = require_caller()
    page = read_page(fields)
    subject = history.read_subject(fields, caller.organisation)
    versions, total = services().histories.find(caller, subject, page)
    return history.write_history(page, total, versions)


@described.form_operation(
    "/dnc/restore",
    Grant.INSERT,
    history_schemas.Restore(),
    history_schemas.Restored,
)
def restore_entry(fields: Fields) -> Response:
    """
    Put a deleted entry back on its list.

    It has the same id, number, list, reason and evidence as when it was deleted, and
    its history stays whole. When this answers success the number is blocked, in every
    dialect. 6007 says that the entry is listed; 6008 that its list holds the number
    again, by the entry whose `id` is told: in both cases the number is blocked.
    """
    entry_id = history.read_entry_id(fields)
    services().histories.restore(require_caller(), entry_id)
    return history.write_restored(entry_id)
