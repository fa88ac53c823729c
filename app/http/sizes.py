"""
How large each text and list in the OpenAPI document can be.

What a schema bounds more closely keeps that bound. A text of a request without one is
as long as the body that it comes in, or a good part of the request line.
"""

import re
from collections.abc import Iterator
from typing import Any

from app.http import limits
from app.http.forms import FORM, JSON

# Longer than any text that we answer in a member, and than any secret.
ANSWERED_TEXT = 4096

# Several of which fit into a request line, which refuses what is longer.
QUERY_TEXT = 1024

SECRET_TEXT = 64

# A question without a calling code is asked under each, and each may block it thrice.
MATCHES = 1000

TOO_LONG = f"The request line is longer than {limits.REQUEST_LINE_BYTES} bytes."

_TIMES = re.compile(r"\{(?:[0-9]+,)?([0-9]+)\}\$?$")
_FILES = {"text/csv", "application/octet-stream", "application/xml"}

Schema = dict[str, Any]


def publish(document: Schema) -> None:
    """Give every text and list of *document* that has no bound the one that holds."""
    for operation in _operations(document):
        for parameter in operation.get("parameters", []):
            _bound(parameter["schema"], QUERY_TEXT)
        operation["responses"].setdefault("414", {"description": TOO_LONG})
        for media_type, content in _contents(operation.get("requestBody", {})):
            if media_type in {FORM, JSON}:
                _bound(content["schema"], limits.FORM_BYTES)
        for response in operation["responses"].values():
            for media_type, content in _contents(response):
                if media_type not in _FILES:
                    _bound(content["schema"], ANSWERED_TEXT)
            for header in response.get("headers", {}).values():
                _bound(header["schema"], ANSWERED_TEXT)
    for schema in document["components"]["schemas"].values():
        asked = "auth_token" in schema.get("properties", {})
        _bound(schema, limits.FORM_BYTES if asked else ANSWERED_TEXT)


def _operations(document: Schema) -> Iterator[Schema]:
    for item in document["paths"].values():
        yield from item.values()


def _contents(part: Schema) -> Iterator[tuple[str, Schema]]:
    yield from part.get("content", {}).items()


def _bound(schema: Schema, text: int) -> None:
    """Bound *schema* and what it holds; by *text* each text that has no bound."""
    kind = schema.get("type")
    if kind == "string" and "enum" not in schema:
        schema.setdefault("maxLength", _longest(schema, text))
    if kind == "array":
        schema.setdefault("maxItems", MATCHES)
        _bound(schema["items"], text)
    for member in schema.get("properties", {}).values():
        _bound(member, text)
    for choice in ("anyOf", "oneOf", "allOf"):
        for member in schema.get(choice, []):
            _bound(member, text)


def _longest(schema: Schema, text: int) -> int:
    if schema.get("format") == "password":
        return SECRET_TEXT
    counted = _TIMES.search(schema.get("pattern", ""))
    return int(counted[1]) if counted else text
