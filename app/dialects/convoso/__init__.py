"""Convoso's form API with numeric error codes, and its neighbours for leads."""

from app.dialects.convoso.errors import WIRE_ERRORS, write_error
from app.dialects.convoso.routes import blueprint
from app.http.dialect import Dialect

DIALECT = Dialect(
    name=blueprint.name,
    blueprint=blueprint,
    prefixes=("/v1/",),
    write_error=write_error,
    description=blueprint.description,
    errors=WIRE_ERRORS,
    browsing=frozenset({"dnc_search", "leads_search", "campaigns_search"}),
)
