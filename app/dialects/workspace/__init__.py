"""The bearer-token JSON API of a workspace: add, list, delete and the switch."""

from app.dialects.workspace.errors import WIRE_ERRORS, write_error
from app.dialects.workspace.routes import blueprint
from app.http.dialect import Dialect

DIALECT = Dialect(
    name=blueprint.name,
    blueprint=blueprint,
    prefixes=("/api/",),
    write_error=write_error,
    description=blueprint.description,
    errors=WIRE_ERRORS,
    browsing=frozenset({"list_numbers"}),
)
