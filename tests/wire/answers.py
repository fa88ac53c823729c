"""What Convoso's clients are answered, as the contract writes it."""

from typing import Any

from tests.wire.service import Api

Words = tuple[int, str]

FORBIDDEN = (403, "Forbidden")


def refusal(code: int, text: str, **more: object) -> dict[str, Any]:
    """Return the whole body of a refusal."""
    return {"success": False, "code": code, "text": text, "message": text, **more}


def worded(api: Api, documented: Words, live: Words, **more: object) -> dict[str, Any]:
    """Return the whole body of a refusal in the edition of *api*."""
    edition = api.caller.organisation.editions["convoso"]
    words = {"documented": documented, "live": live}[edition]
    return refusal(*words, **more)


def page(entries: list[dict[str, str]], **bounds: int) -> dict[str, Any]:
    """Return the whole body of a search that found *entries* and nothing else."""
    data = {"offset": 0, "limit": 100, "total": len(entries), **bounds}
    return {"success": True, "data": {**data, "entries": entries}}
