"""
The OpenAPI document: made from the code, published at /openapi.yaml, browsed at /docs.

OpenAPI 3.0.3, because every SDK generator reads it.
"""

from threading import Lock
from typing import Any

import yaml
from flask import Blueprint, Flask, Response, current_app, render_template
from flask_smorest import Api

from app import __version__
from app.http import idempotency, sizes
from app.http.dialect import Dialect
from app.http.documentation import AUTH_TOKEN, BEARER

EXTENSION = "dncd_openapi"

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'none'"
)

DESCRIPTION = """\
One do-not-call list for every dialer, kept in PostgreSQL.

A number that was added is blocked from the instant of the success answer. What cannot
be answered from a fresh read of the database is answered 503 and never "not listed".
"""

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/openapi.yaml")
def document() -> Response:
    """Answer the OpenAPI document."""
    return Response(read(current_app), content_type="application/yaml")


@blueprint.get("/docs")
def browser() -> Response:
    """Answer a page that shows the document and tries its operations."""
    response = Response(render_template("docs.html"))
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


class _Plain(yaml.SafeDumper):
    """Writes what occurs twice twice: SDK generators do not all know aliases."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def configure(app: Flask) -> None:
    """Give flask-smorest what it writes the document with."""
    app.config |= {
        "API_TITLE": "dncd",
        "API_VERSION": __version__,
        "OPENAPI_VERSION": "3.0.3",
        "API_SPEC_OPTIONS": {
            "info": {
                "description": DESCRIPTION,
                "contact": {"name": "The dncd maintainers"},
                "license": {"name": "MIT"},
            },
            "servers": [{"url": "/"}],
        },
    }


class Document:
    """The document as YAML, written when it is first read: that takes a while."""

    def __init__(self, api: Api, dialects: tuple[Dialect, ...]) -> None:
        self._api = api
        self._dialects = dialects
        self._writing = Lock()
        self._text = ""

    def read(self) -> str:
        """Return the document, its keys in the order of the code."""
        with self._writing:
            self._text = self._text or _write(self._api, self._dialects)
            return self._text


def install(app: Flask, api: Api, dialects: tuple[Dialect, ...]) -> None:
    """Let *app* tell what *api* and *dialects* promise."""
    app.extensions[EXTENSION] = Document(api, dialects)


def read(app: Flask) -> str:
    """Return the document of *app*, as openapi.yaml holds it."""
    document: Document = app.extensions[EXTENSION]
    return document.read()


def _write(api: Api, dialects: tuple[Dialect, ...]) -> str:
    document: dict[str, Any] = api.spec.to_dict()
    # flask-smorest publishes this whether or not anything uses it.
    schemas = document["components"]["schemas"]
    for unused in ("PaginationMetadata", "Error"):
        schemas.pop(unused, None)
    document["components"].pop("responses", None)
    document["components"]["securitySchemes"] = {
        BEARER: {"type": "http", "scheme": "bearer"},
        AUTH_TOKEN: {"type": "apiKey", "in": "query", "name": AUTH_TOKEN},
    }
    for dialect in dialects:
        document["components"]["securitySchemes"] |= dialect.security_schemes
    for item in document["paths"].values():
        # What the path has in it belongs to each operation, as its other parameters do.
        in_path = item.pop("parameters", [])
        for operation in item.values():
            told = operation.get("parameters", [])
            names = {parameter["name"] for parameter in told}
            if missing := [each for each in in_path if each["name"] not in names]:
                operation["parameters"] = [*missing, *told]
            operation["responses"].pop("default", None)
            # The framework's own, which no operation answers.
            if "$ref" in operation["responses"].get("422", {}):
                del operation["responses"]["422"]
            idempotency.describe(operation)
    sizes.publish(document)
    document["tags"] = [
        {"name": dialect.name, "description": dialect.description}
        for dialect in dialects
    ]
    return yaml.dump(
        document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=88
    )
