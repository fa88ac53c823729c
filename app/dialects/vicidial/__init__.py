"""VICIdial's Non-Agent API for do-not-call lists, and its filter of inbound calls."""

from app.dialects.vicidial.errors import WIRE_ERRORS, write_error
from app.dialects.vicidial.routes import blueprint
from app.http.dialect import Dialect

DIALECT = Dialect(
    name=blueprint.name,
    blueprint=blueprint,
    prefixes=("/vicidial/", "/non_agent_api.php"),
    write_error=write_error,
    description=blueprint.description,
    errors=WIRE_ERRORS,
)
