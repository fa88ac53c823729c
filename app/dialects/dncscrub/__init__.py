"""DNCScrub's two calls: the internal do-not-call list, and the scrub of a list."""

from app.dialects.dncscrub.errors import WIRE_ERRORS, write_error
from app.dialects.dncscrub.routes import blueprint
from app.dialects.dncscrub.schemas import SECURITY_SCHEMES
from app.http import limits
from app.http.dialect import Dialect

DIALECT = Dialect(
    name=blueprint.name,
    blueprint=blueprint,
    prefixes=("/app/",),
    write_error=write_error,
    description=blueprint.description,
    errors=WIRE_ERRORS,
    bulk={"pdnc": limits.SHORT_BYTES, "scrub": limits.SHORT_BYTES},
    security_schemes=SECURITY_SCHEMES,
)
