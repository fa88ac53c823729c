"""
A request's parameters, wherever they came: query, form, multipart or JSON.

One name has one text. What a schema documents as a form is read from here, so that
clients may send it in any of these ways.
"""

import json
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import flask
from gunicorn.http.errors import ParseException
from marshmallow import fields, missing
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.formparser import FormDataParser

from app.domain.errors import ParameterInvalid, Refused, RequestMalformed
from app.http import limits

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
JSON = "application/json"

Fields = Mapping[str, str]
Value = TypeVar("Value")

FEW_PAIRS = 20

# So much of what a client calls something is said back to it.
SHOWN_LENGTH = 64


class Parameter(fields.String):
    """
    A text that a client sends; *missed* is what its absence is refused with.

    *in_example* shows it in the example of a request though it may be left out.
    """

    def __init__(
        self,
        description: str,
        *,
        missed: type[Refused] | None = None,
        in_example: bool = False,
        **metadata: Any,
    ) -> None:
        """Describe the parameter; more *metadata* goes into the OpenAPI as it is."""
        self._missed = missed
        self.in_example = in_example
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


class StrictFormParser(FormDataParser):
    """Raises ValueError for a multipart body that it cannot read, and takes no part."""

    def __init__(self, **settings: Any) -> None:
        """Take werkzeug's settings, but never be silent."""
        super().__init__(**{**settings, "silent": False})


class Request(flask.Request):
    """A request whose body is read whole or refused."""

    form_data_parser_class = StrictFormParser


def read_fields(request: flask.Request) -> Fields:
    """
    Return a request's parameters.

    The body wins over the query, and of a repeated parameter the last one. A request
    that cannot be read to its end is refused whole: what is missing of it might have
    been the number. Raises RequestMalformed, UnsupportedMediaType,
    RequestEntityTooLarge.
    """
    return _read_whole_or_refuse(
        request, lambda: read_pairs(request.query_string) | _read_body(request)
    )


def read_page_fields(request: flask.Request) -> Fields:
    """
    Return a request's parameters as a web page's script sees them.

    The query wins over the body; a body that is no form is not looked at, nor is a
    file, and what is not UTF-8 is replaced. What says two things under one name is
    refused, for one of them would be lost. Otherwise as ``read_fields``. Raises
    RequestMalformed, RequestEntityTooLarge.
    """
    return _read_whole_or_refuse(request, lambda: _read_page(request))


def read_large_pairs(request: flask.Request, most_bytes: int) -> list[tuple[str, str]]:
    """
    Return a request's parameters one by one, of a body of up to *most_bytes*.

    The query's come first. In multipart a file is a parameter too: its text; in JSON
    null is an empty one. Raises RequestMalformed, UnsupportedMediaType,
    RequestEntityTooLarge.
    """
    request.max_content_length = request.max_form_memory_size = most_bytes
    try:
        limits.bound_chunked(request.environ, most_bytes)
        pairs = _parse_pairs(request.query_string)
        if request.mimetype == MULTIPART:
            pairs += request.form.items(multi=True)
            for name, part in request.files.items(multi=True):
                pairs.append((name, part.stream.read().decode("utf-8-sig")))
        elif request.mimetype == FORM:
            pairs += _parse_pairs(_get_data(request))
        elif request.mimetype == JSON:
            members = _read_json(_get_data(request))
            pairs += [(name, text or "") for name, text in members]
        else:
            pairs += _read_body(request).items()
    except (OSError, ParseException, ValueError, RecursionError) as error:
        raise RequestMalformed from error
    if len(pairs) > limits.FORM_PARAMETERS:
        raise RequestMalformed
    return pairs


def read_whole(request: flask.Request, most_bytes: int) -> bytes:
    """
    Return a request's body of up to *most_bytes*, told or chunked.

    Raises RequestMalformed if it breaks off, RequestEntityTooLarge.
    """
    try:
        limits.bound_chunked(request.environ, most_bytes)
        return _get_data(request)
    except (OSError, ParseException, ValueError) as error:
        raise RequestMalformed from error


def read_query(request: flask.Request) -> Fields:
    """Return the query's parameters; raises RequestMalformed."""
    try:
        return read_pairs(request.query_string)
    except ValueError as error:
        raise RequestMalformed from error


def require_known(given: Iterable[str], known: Container[object]) -> None:
    """
    Raise ParameterInvalid unless all that is *given* is *known*.

    For what asks about many numbers: of a campaign whose name is misspelt, all of them
    would be answered as of none.
    """
    for name in given:
        if name not in known:
            raise ParameterInvalid(f"there is no {name[:SHOWN_LENGTH]!r}")


def _read_whole_or_refuse(
    request: flask.Request, read: Callable[[], dict[str, str]]
) -> Fields:
    try:
        limits.bound_chunked(request.environ)
        parameters = read()
    except (OSError, ParseException, ValueError, RecursionError) as error:
        raise RequestMalformed from error
    if len(parameters) > limits.FORM_PARAMETERS:
        raise RequestMalformed
    return parameters


def _read_page(request: flask.Request) -> dict[str, str]:
    if request.mimetype == MULTIPART:
        pairs = list(request.form.items(multi=True))
    else:
        body = _get_data(request)
        pairs = _parse_pairs(body, "replace") if request.mimetype == FORM else []
    query = _parse_pairs(request.query_string, "replace")
    return unambiguous(pairs) | unambiguous(query)


def _read_form(request: flask.Request) -> dict[str, str]:
    if request.mimetype == MULTIPART:
        if request.files:
            raise RequestMalformed
        return dict(request.form.items(multi=True))
    body = _get_data(request)
    return read_pairs(body) if request.mimetype == FORM else {}


def _read_body(request: flask.Request) -> dict[str, str]:
    if request.mimetype in {MULTIPART, FORM}:
        return _read_form(request)
    body = _get_data(request)
    if request.mimetype == JSON:
        members = dict(_read_json(body))
        return {name: text for name, text in members.items() if text is not None}
    if body:
        raise UnsupportedMediaType
    return {}


def _get_data(request: flask.Request) -> bytes:
    """Return the body; a server may hand on less of it than was told, silently."""
    body = request.get_data(cache=False)
    if len(body) < (request.content_length or 0):
        raise RequestMalformed
    return body


def read_pairs(text: bytes) -> dict[str, str]:
    """Return the pairs of a query or form; raises ValueError if it is not UTF-8."""
    if b"%" not in text and b"+" not in text and text.count(b"&") < FEW_PAIRS:
        # Nothing is encoded: nearly every check.
        pairs = text.decode().split("&")
        try:
            return dict([pair.split("=", 1) for pair in pairs])
        except ValueError:
            # One has no value.
            parted = [pair.partition("=") for pair in pairs if pair]
            return {name: value for name, _, value in parted}
    return dict(_parse_pairs(text))


def unambiguous(pairs: Sequence[tuple[str, Value]]) -> dict[str, Value]:
    """Return *pairs* by name; raises ValueError where one name has two values."""
    found = dict(pairs)
    if len(found) < len(pairs) and any(found[name] != value for name, value in pairs):
        message = "a parameter is there twice"
        raise ValueError(message)
    return found


def _parse_pairs(text: bytes, errors: str = "strict") -> list[tuple[str, str]]:
    return parse_qsl(
        text.decode(errors=errors),
        keep_blank_values=True,
        errors=errors,
        max_num_fields=limits.FORM_PARAMETERS,
    )


def _read_json(body: bytes) -> list[tuple[str, str | None]]:
    # An object is a tuple, so that no array is taken for one.
    members = json.loads(body.decode(), object_pairs_hook=tuple) if body else ()
    if not isinstance(members, tuple):
        raise RequestMalformed
    return [
        (name, None if value is None else _read_member(value))
        for name, value in members
    ]


def _read_member(value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float() if isfinite(value):
            return str(value)
        case _:
            raise RequestMalformed
