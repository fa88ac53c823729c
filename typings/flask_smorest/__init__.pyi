"""What dncd uses of flask-smorest, which brings no types."""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import flask
from apispec import APISpec
from marshmallow import Schema
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import HTTPException

_View = TypeVar("_View", bound=Callable[..., Any])
_Decorator = Callable[[_View], _View]

class Blueprint(flask.Blueprint):
    ARGUMENTS_PARSER: ClassVar[FlaskParser]
    DEFAULT_LOCATION_CONTENT_TYPE_MAPPING: ClassVar[dict[str, str]]
    description: str
    def arguments(
        self,
        schema: Schema | type[Schema],
        *,
        location: str = ...,
        example: dict[str, Any] | None = ...,
    ) -> Callable[[_View], _View]: ...
    def response(
        self,
        status_code: int,
        schema: Schema | type[Schema] | None = ...,
        *,
        description: str | None = ...,
    ) -> Callable[[_View], _View]: ...
    def alt_response(
        self,
        status_code: int,
        *,
        schema: Schema | type[Schema] | None = ...,
        description: str | None = ...,
        example: dict[str, Any] | None = ...,
        headers: dict[str, Any] | None = ...,
    ) -> Callable[[_View], _View]: ...
    def doc(self, **kwargs: Any) -> Callable[[_View], _View]: ...

class Api:
    spec: APISpec
    def __init__(self, app: flask.Flask | None = None) -> None: ...
    def handle_http_exception(self, error: HTTPException) -> Any: ...
    def register_blueprint(self, blp: Blueprint) -> None: ...
