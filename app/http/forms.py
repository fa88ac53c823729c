"""
A request's parameters, wherever they came: query, form, multipart or JSON.

One name has one text. What a schema documents as a form is read from here, so that
clients may send it in any of these ways.
"""

import json
from collections.abc import Mapping
from typing import Any

from flask import Request
from gunicorn.http.errors import ParseException
from marshmallow import fields, missing
from werkzeug.exceptions import UnsupportedMediaType

from app.domain.errors import Refused, RequestMalformed
from app.http import limits

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
JSON = "application/json"

Fields = Mapping[str, str]


class Parameter(fields.String):
    """A text that a client sends; *missed* is what its absence is refused with."""

    def __init__(
        self, description: str, *, missed: type[Refused] | None = None, **metadata: Any
    ) -> None:
        """Describe the parameter; more *metadata* goes into the OpenAPI as it is."""
        self._missed = missed
        super().__init__(
            required=missed is not None or metadata.pop("needed", False),
            metadata={"description": description, **metadata},
        )

    def deserialize(
        self, value: Any, attr: str | None = None, data: Any = None, **_: Any
    ) -> Any:
        """Return the text as it came; raises what the absence of it is refused with."""
        del attr, data
        if self._missed is not None and value in {missing, ""}:
            raise self._missed
        return value


def read_fields(request: Request) -> Fields:
    """
    Return a request's parameters.

    The body wins over the query, and of a repeated parameter the last one. Raises
    RequestMalformed, UnsupportedMediaType, RequestEntityTooLarge.
    """
    try:
        parameters = dict(request.args.items(multi=True)) | _read_body(request)
    except (OSError, ParseException) as error:
        # A body that breaks off or whose chunks are malformed shows itself only when
        # it is read.
        raise RequestMalformed from error
    if len(parameters) > limits.FORM_PARAMETERS:
        raise RequestMalformed
    return parameters


def _read_body(request: Request) -> dict[str, str]:
    if request.mimetype in {FORM, MULTIPART}:
        return dict(request.form.items(multi=True))
    body = request.get_data()
    if request.mimetype == JSON:
        return _read_json(body)
    if body:
        raise UnsupportedMediaType
    return {}


def _read_json(body: bytes) -> dict[str, str]:
    try:
        members = json.loads(body.decode()) if body else {}
    except (ValueError, RecursionError) as error:
        raise RequestMalformed from error
    if not isinstance(members, dict):
        raise RequestMalformed
    return {name: _read_member(value) for name, value in members.items()}


def _read_member(value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case None:
            return ""
        case _:
            raise RequestMalformed
