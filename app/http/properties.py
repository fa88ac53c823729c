"""What the OpenAPI document says of fields that a form and a query have alike."""

from collections.abc import Collection, Mapping
from typing import Any

from app.http.forms import FORM
from app.http.refusals import RETRY_AFTER_SECONDS

Property = Mapping[str, object]
Properties = Mapping[str, Property]

# What says when to ask again, beside a 503.
RETRY_AFTER: dict[str, Any] = {
    "Retry-After": {
        "description": "Seconds to wait before asking again.",
        "schema": {"type": "integer", "example": int(RETRY_AFTER_SECONDS)},
    }
}

# What says how much more may be asked, beside a 429.
_RATE_LIMIT: dict[str, Any] = {
    "x-ratelimit-limit": {
        "description": "How many requests may come at once.",
        "schema": {"type": "integer", "example": 200},
    },
    "x-ratelimit-remaining": {
        "description": "How many of them still may.",
        "schema": {"type": "integer", "example": 0},
    },
    "x-ratelimit-reset": {
        "description": "Seconds until all of them may again.",
        "schema": {"type": "integer", "example": 2},
    },
}

# The headers of a refusal that is to be asked again, by its status.
HEADERS: dict[int, dict[str, Any]] = {
    409: RETRY_AFTER,
    429: RETRY_AFTER | _RATE_LIMIT,
    503: RETRY_AFTER,
}

# A query's parameter has these beside its schema, or not at all.
_BESIDE = {"description", "example", "writeOnly"}


def text(description: str, example: str | None = None, **more: object) -> Property:
    """Return the description of a text; *more* bounds it."""
    shown = {} if example is None else {"example": example}
    return {"type": "string", "description": description, **shown, **more}


def as_query(properties: Properties, needed: Collection[str]) -> list[dict[str, Any]]:
    """Return *properties* as the parameters of a query, *needed* or not."""
    return [
        {
            "name": name,
            "in": "query",
            "required": name in needed,
            "description": described["description"],
            "schema": {k: v for k, v in described.items() if k not in _BESIDE},
            **({"example": described["example"]} if "example" in described else {}),
        }
        for name, described in properties.items()
    ]


def as_form(
    properties: Properties, needed: Collection[str], example: Property
) -> dict[str, Any]:
    """Return *properties* as the body of a form, *needed* or not."""
    schema = {
        "type": "object",
        "required": list(needed),
        "properties": {name: dict(told) for name, told in properties.items()},
    }
    return {
        "required": True,
        "content": {FORM: {"schema": schema, "example": dict(example)}},
    }
