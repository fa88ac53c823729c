"""The workspace API's operations: read, do one thing, write."""

from flask import Response, request
from flask.blueprints import BlueprintSetupState

from app.dialects.workspace import schemas, wire
from app.dialects.workspace.errors import WIRE_ERRORS, write_body, write_error
from app.domain.access import Grant
from app.domain.errors import IdInvalid
from app.http import limits
from app.http.current import admit_page, require_caller, services
from app.http.dialect import dialect_blueprint, needs_token
from app.http.documentation import Described
from app.http.forms import read_query, read_whole

blueprint = dialect_blueprint("workspace", "/api/dnc", write_error)
blueprint.description = (
    "The bearer-token JSON API of a workspace: one list for the whole organisation. "
    "`status` says whether it was done, and `code` repeats the HTTP status."
)

described = Described(
    blueprint, WIRE_ERRORS, schemas.WorkspaceRefusal, write_body, secret_field=None
)


@described.body_operation(
    "/add", Grant.INSERT, schemas.ADD_BODY, schemas.done(schemas.ADDED)
)
def add_number() -> Response:
    """
    Put a number on the organisation's do-not-call list.

    When this answers success the number is blocked, in every dialect. `type` is what
    the other dialects call the reason. A number is read with its country code; where
    without `+` it could be two numbers it is refused.
    """
    caller = require_caller()
    body = read_whole(request, limits.FORM_BYTES)
    draft = wire.read_draft(body, caller.organisation)
    services().suppressions.suppress(caller, draft)
    return wire.write_done(schemas.ADDED)


@described.download_operation(
    "/list", Grant.READ, schemas.LIST_ANSWER, schemas.LIST_PARAMETERS
)
def list_numbers() -> Response:
    """
    List the organisation's do-not-call records.

    Those of every list and dialect, oldest first, stable while paging; `total` is the
    exact number of all that match. A search for a part looks at every record and may
    take seconds on a list of millions; a whole number is looked up at once.
    """
    caller = require_caller()
    fields = read_query(request)
    number, page = wire.read_page(fields)
    admit_page(page)
    wanted = wire.read_search(fields, caller.organisation)
    found, total = services().searches.browse(caller, wanted, page)
    records = (wire.write_record(entry, caller.organisation) for entry in found)
    return wire.write_list(number, page.limit, total, records)


@described.download_operation(
    "/delete/<record_id>",
    Grant.DELETE,
    schemas.done(schemas.DELETED),
    schemas.DELETE_PARAMETERS,
    method="DELETE",
)
def delete_record(record_id: str) -> Response:
    """
    Take a record off the list that it is on.

    Any record of the organisation, whichever dialect has added it.
    """
    entry_id = wire.read_id(record_id)
    reason = wire.read_release_reason(read_query(request))
    services().suppressions.release_entry(require_caller(), entry_id, reason)
    return wire.write_done(schemas.DELETED)


@described.body_operation(
    "/enable-disable",
    Grant.ADMIN,
    schemas.SWITCH_BODY,
    schemas.done(schemas.SWITCHED),
)
def enable_disable() -> Response:
    """
    Switch the pre-dial check of the whole organisation on or off.

    While it is off every number that is asked for before a call counts as callable, in
    every dialect: each answer says so where it can, and is recorded. Batches and scrubs
    tell what is listed all the same. Needs the grant `admin`, and to switch it off
    `delete` besides; recorded itself.
    """
    enabled, reason = wire.read_switch(read_whole(request, limits.FORM_BYTES))
    services().organisations.switch_checking(
        require_caller(), enabled=enabled, reason=reason
    )
    return wire.write_done(schemas.SWITCHED)


@needs_token(Grant.DELETE, None)
def refuse_missing_id() -> Response:
    """Refuse a delete that names no record."""
    raise IdInvalid


@blueprint.record
def route_missing_id(state: BlueprintSetupState) -> None:
    """Route a delete that names no record, which the document need not tell."""
    state.add_url_rule(
        "/delete/",
        "delete_record_unnamed",
        refuse_missing_id,
        methods=["DELETE"],
        strict_slashes=False,
    )
