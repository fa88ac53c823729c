"""dncd's own questions, in the form API's envelope: checks, files, and the past."""

from app.dialects.native import wire
from app.dialects.native.errors import WIRE_ERRORS, write_error
from app.dialects.native.routes import blueprint
from app.domain.access import Grant
from app.http import limits
from app.http.dialect import Dialect
from app.http.fast_lane import Lane

DIALECT = Dialect(
    name=blueprint.name,
    blueprint=blueprint,
    # The paths that it shares with the form API are that one's to refuse.
    prefixes=(),
    write_error=write_error,
    description=blueprint.description,
    errors=WIRE_ERRORS,
    bulk={
        "check_batch": limits.SHORT_BYTES,
        "scrub": limits.SHORT_BYTES,
        "import_list": limits.SHORT_BYTES,
        # Whatever is asked, it is a whole list.
        "export_list": -1,
    },
    lanes={
        "/v1/dnc/check": Lane(
            operation="check",
            grant=Grant.CHECK,
            read=wire.read_question,
            write=wire.write_verdict,
            unusual=wire.AS_OF,
        )
    },
)
