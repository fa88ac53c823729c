"""
What a dialect must bring, and the one exit for everything that goes wrong in it.

The blueprint's error handlers are registered when it is made, so that an application
can be built twice; what no route answers is worded by the dialect whose prefix it has.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ClassVar

import flask
import structlog
from flask import Response, g, request
from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import Schema
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from app.domain.access import Grant
from app.domain.errors import (
    DncError,
    Overloaded,
    ReleasesCapped,
    StoreUnavailable,
)
from app.http import current, fast_lane, idempotency, metrics
from app.http.fast_lane import Lane
from app.http.forms import FORM, Fields, read_fields

_log = structlog.get_logger()

Failure = DncError | HTTPException
WriteError = Callable[[Failure, str], Response]
View = Callable[..., Response]


class FieldParser(FlaskParser):
    """Hands a schema the fields that the dialect has read from wherever they came."""

    def load_fields(self, _request: flask.Request, _schema: Schema) -> Fields:
        """Return what ``needs`` left for the schema."""
        fields: Fields = g.fields
        return fields

    __location_map__ = {  # noqa: RUF012  as webargs declares it
        **FlaskParser.__location_map__,
        "fields": "load_fields",
        "query": "load_fields",
    }


class FormBlueprint(Blueprint):
    """Routes whose parameters may come as a form, in the query, and in other ways."""

    ARGUMENTS_PARSER = FieldParser()
    DEFAULT_LOCATION_CONTENT_TYPE_MAPPING: ClassVar[dict[str, str]] = {"fields": FORM}

    def form_route(self, rule: str, name: str, *, form: View, query: View) -> None:
        """
        Register *form* for POST and *query* for GET: one operation, described twice.

        HEAD is refused: it must not change anything, and a GET here may.
        """

        @wraps(query)
        def refuse_head(**arguments: Any) -> Response:
            if request.method == "HEAD":
                raise MethodNotAllowed(["GET", "POST"])
            return query(**arguments)

        views = {"get": staticmethod(refuse_head), "post": staticmethod(form)}
        self.route(rule, endpoint=name)(type(name, (MethodView,), views))


def needs(grant: Grant, secret_field: str) -> Callable[[View], View]:
    """
    Let only a caller with *grant* pass, by the secret in *secret_field* or as bearer.

    Who asks is settled before anything else of the request is looked at.
    """

    def decorate(view: View) -> View:
        if idempotency.changes(grant):
            view = idempotency.once_by_fields(view, secret_field)

        @wraps(view)
        def authenticated(**arguments: Any) -> Response:
            if met := fast_lane.find_met(request.environ):
                g.caller = met.caller
                raise met.failure
            g.fields = read_fields(request)
            secret = g.fields.get(secret_field)
            if not secret and request.authorization:
                secret = request.authorization.token
            current.authenticate(secret or "", grant)
            return view(**arguments)

        return authenticated

    return decorate


def needs_token(grant: Grant, secret_field: str | None) -> Callable[[View], View]:
    """
    Let only a caller with *grant* pass whose body is no form: by bearer token.

    Who cannot send one may put it into the query, as *secret_field*, if there is one.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def authenticated(**arguments: Any) -> Response:
            offered = request.authorization
            secret = offered and offered.token
            if not secret and secret_field:
                secret = request.args.get(secret_field)
            current.authenticate(secret or "", grant)
            return view(**arguments)

        return authenticated

    return decorate


@dataclass(frozen=True, slots=True)
class Dialect:
    """A vendor's protocol: its routes, the paths that are its own, its errors."""

    name: str
    blueprint: Blueprint
    prefixes: tuple[str, ...]
    write_error: WriteError
    description: str
    errors: Mapping[str, Mapping[str, Mapping[type[DncError], Any]]] = field(
        default_factory=dict
    )

    lanes: Mapping[str, Lane] = field(default_factory=dict)
    # What may be bulk work: how large the body of a short question is, by operation.
    bulk: Mapping[str, int] = field(default_factory=dict)
    # How its callers show their secret, where that is not as everybody else's do.
    security_schemes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def owns(self, path: str) -> bool:
        """Whether an unrouted *path* is this dialect's to refuse."""
        return path.startswith(self.prefixes)


def dialect_blueprint(name: str, prefix: str, write_error: WriteError) -> FormBlueprint:
    """Return a blueprint that answers every failure in the dialect's own words."""

    def answer(failure: Failure) -> Response:
        operation = (request.endpoint or "").rpartition(".")[2]
        if isinstance(failure, Overloaded):
            _log.warning("overloaded", operation=operation)
        elif isinstance(failure, StoreUnavailable):
            _log.error("store_unavailable", operation=operation, cause=str(failure))
        if isinstance(failure, ReleasesCapped):
            metrics.RELEASES_CAPPED.labels(name).inc()
        return write_error(failure, operation)

    blueprint = FormBlueprint(name, name, url_prefix=prefix)
    blueprint.register_error_handler(DncError, answer)
    blueprint.register_error_handler(HTTPException, answer)
    return blueprint
