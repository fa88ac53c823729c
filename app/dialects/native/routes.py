"""The native dialect's operations: read, do one thing, write."""

from flask import Response, request

from app.dialects.native import schemas, wire
from app.dialects.native.errors import WIRE_ERRORS, write_error
from app.domain.access import Grant
from app.files.lead_lists import LeadList
from app.http import limits, streams
from app.http.current import require_caller, services
from app.http.dialect import dialect_blueprint
from app.http.documentation import Described
from app.http.forms import Fields, read_whole
from app.services.scrubs import Counts

blueprint = dialect_blueprint("native", "/v1", write_error)
blueprint.description = (
    "dncd's own questions, in the envelope of the form API: one number before each "
    "call, fifty thousand at once, or a file of any size."
)

CSV = "text/csv; charset=utf-8"

described = Described(blueprint, WIRE_ERRORS)


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
    """
    answer = wire.answer_check(services(), require_caller(), fields)
    return Response(answer, content_type="application/json")


@described.body_operation(
    "/dnc/check/batch", Grant.CHECK, schemas.BATCH_BODY, schemas.BATCH_ANSWER
)
def check_batch() -> Response:
    """
    Ask which of many numbers may be called.

    Up to 50,000 numbers of one calling code, all answered from one snapshot.
    """
    batch = wire.read_batch(read_whole(request, limits.BATCH_BYTES))
    snapshot, hits = services().checks.find_listed(
        require_caller(), [key for key in batch.keys if key is not None], batch.campaign
    )
    answer = wire.write_batch(batch, snapshot, hits)
    return Response(answer, content_type="application/json")


@described.body_operation(
    "/dnc/scrub",
    Grant.CHECK,
    schemas.SCRUB_BODY,
    schemas.SCRUB_ANSWER,
    schemas.SCRUB_PARAMETERS,
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
    wanted = wire.read_scrub(request.args, caller.organisation)
    leads = LeadList(streams.read_parts(request), wanted.columns)
    counts = Counts()
    marked = services().scrubs.scrub(
        caller, leads, wanted.campaign, wanted.only, counts
    )
    return wire.mark_switch(counts, streams.answer(request, marked, CSV))
