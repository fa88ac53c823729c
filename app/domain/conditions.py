"""
What must hold before anything is said from the database: its schema, and its history.

Pure: what was found is in the arguments.
"""

from dataclasses import dataclass

from app.domain.errors import SchemaNotServed


@dataclass(frozen=True, slots=True)
class Standing:
    """
    What the database says of itself.

    *revision* is that of its schema, None where there is none; *serves* whether newer
    migrations than the code knows declare that it may go on. *holds_anchor* is true
    where the newest anchor's seal is there, its loss was confirmed, or there is none.
    """

    revision: str | None
    serves: bool
    holds_anchor: bool = True


def find_schema_fault(standing: Standing, code: str) -> str | None:
    """Return why code that needs the revision *code* cannot serve, or None."""
    if standing.revision == code:
        return None
    if standing.revision is None:
        return f"the database has no schema: migrate it to {code} first"
    if standing.revision < code:
        return f"migration {standing.revision} where {code} is needed: migrate first"
    if standing.serves:
        return None
    return f"migration {standing.revision}, which code of {code} does not serve"


def require_schema(standing: Standing, code: str) -> None:
    """Raise SchemaNotServed unless code that needs revision *code* can serve."""
    fault = find_schema_fault(standing, code)
    if fault is not None:
        raise SchemaNotServed(fault)
