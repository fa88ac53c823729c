"""The native dialect's operations: read, do one thing, write."""

from flask import Response, request

from app.dialects.native import schemas, wire
from app.dialects.native.errors import WIRE_ERRORS, write_error
from app.domain.access import Grant
from app.http.current import require_caller, services
from app.http.dialect import dialect_blueprint
from app.http.documentation import Described
from app.http.forms import Fields, read_whole

blueprint = dialect_blueprint("native", "/v1", write_error)
blueprint.description = (
    "dncd's own questions, in the envelope of the form API: one number before each "
    "call, fifty thousand at once, or a file of any size."
)

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
    batch = wire.read_batch(read_whole(request, schemas.BATCH_BODY.most_bytes))
    snapshot, hits = services().checks.find_listed(
        require_caller(), [key for key in batch.keys if key is not None], batch.campaign
    )
    answer = wire.write_batch(batch, snapshot, hits)
    return Response(answer, content_type="application/json")
