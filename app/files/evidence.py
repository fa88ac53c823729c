"""Evidence as a file has it: a JSON object of texts in a column."""

import json

from app.domain import texts
from app.domain.errors import EvidenceInvalid

# More than any protocol brings with an entry.
MOST = 20


def read_evidence(text: str) -> str | None:
    """Return the JSON of what is told, or None for nothing; raises EvidenceInvalid."""
    try:
        members = json.loads(text) if text else {}
    except (ValueError, RecursionError) as error:
        raise EvidenceInvalid from error
    if not isinstance(members, dict) or len(members) > MOST:
        raise EvidenceInvalid
    if not all(isinstance(value, str) for value in members.values()):
        raise EvidenceInvalid
    told = {
        name: value
        for name, value in members.items()
        if texts.read_evidence(name) and texts.read_evidence(value)
    }
    return json.dumps(told) if told else None
