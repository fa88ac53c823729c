"""What the OpenAPI document says of an operation, taken from the tables it runs by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any

from flask import Response, request
from marshmallow import Schema
from werkzeug.exceptions import MethodNotAllowed, UnsupportedMediaType

from app.domain.access import Edition, Grant
from app.domain.errors import (
    Forbidden,
    IdempotencyKeyInvalid,
    RequestMalformed,
    StoreUnavailable,
    TokenInvalid,
)
from app.http import idempotency, limits
from app.http.dialect import FormBlueprint, View, needs, needs_token
from app.http.envelope import (
    OF_KEYS,
    WireError,
    Words,
    find_error,
    write_body,
)
from app.http.forms import FORM, require_known
from app.http.properties import HEADERS
from app.http.schemas import Answer

REFUSED = 200
UNREADABLE = 400
UNAVAILABLE = 503

BEARER = "bearer"
AUTH_TOKEN = "auth_token"  # noqa: S105  the name of a parameter

BY_TOKEN: list[dict[str, list[str]]] = [{BEARER: []}, {AUTH_TOKEN: []}]

_TOO_LARGE = WireError(413, "Request Entity Too Large", 413)
_UNSUPPORTED = WireError(415, "Unsupported Media Type", 415)


@dataclass(frozen=True, slots=True)
class Body:
    """What a request's body may be: its kind, its size, what it looks like."""

    media_types: tuple[str, ...]
    too_large: str
    unsupported: str
    most_bytes: int | None = limits.FORM_BYTES
    schema: Mapping[str, object] = field(default_factory=dict)
    example: object = None
    # How it is refused, where that tells more than other refusals.
    refused: type[Schema] | None = None

    def as_openapi(self) -> dict[str, Any]:
        """Return the OpenAPI description of the first kind."""
        content = {"schema": dict(self.schema), "example": self.example}
        return {"required": True, "content": {self.media_types[0]: content}}


def query(name: str, description: str, **schema: object) -> dict[str, object]:
    """Return the OpenAPI description of a parameter in the query."""
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": {"type": "string", **schema},
    }


FORM_BODY = Body(
    media_types=(FORM,),
    too_large="The body is larger than 64 KiB.",
    unsupported="The body is neither a form nor JSON.",
)


@dataclass(frozen=True, slots=True)
class Answers:
    """What is answered when it is done."""

    media_type: str
    description: str
    schema: Mapping[str, object]
    example: object

    def as_openapi(self) -> dict[str, Any]:
        """Return the OpenAPI description."""
        content = {"schema": dict(self.schema), "example": self.example}
        return {"description": self.description, "content": {self.media_type: content}}


@dataclass(frozen=True, slots=True)
class Described:
    """
    Registers views of *blueprint*, described by the *errors* that they can say.

    A refusal looks like *failure*, as *write_body* writes it. Where *secret_field* is
    None, a token is taken as bearer alone. Where *knows_every_parameter* is set, one in
    the query that is not described is refused, as ParameterInvalid, by what reads no
    form.
    """

    blueprint: FormBlueprint
    errors: Mapping[str, Mapping[str, Words]]
    failure: type[Schema] = Answer
    write_body: Callable[[WireError], dict[str, object]] = write_body
    secret_field: str | None = AUTH_TOKEN
    knows_every_parameter: bool = False

    def form_operation(
        self, rule: str, grant: Grant, asked: Schema, answer: type[Schema]
    ) -> Callable[[View], View]:
        """Register a view of forms under *rule* for callers with *grant*."""

        def register(view: View) -> View:
            describe = partial(self.describe, view, grant, answer)
            authenticate = needs(grant, AUTH_TOKEN)
            form = self.blueprint.arguments(
                asked, location="fields", example=_example_of(asked)
            )(describe(suffix=""))
            query = self.blueprint.arguments(asked, location="query")(
                describe(suffix="ByQuery")
            )
            self.blueprint.form_route(
                rule, view.__name__, form=authenticate(form), query=authenticate(query)
            )
            return view

        return register

    def body_operation(
        self,
        rule: str,
        grant: Grant,
        body: Body,
        answer: Answers,
        parameters: Sequence[Mapping[str, object]] = (),
    ) -> Callable[[View], View]:
        """
        Register a view that reads the body itself, for callers with *grant*.

        The token is looked at first, then the body's media type.
        """

        def register(view: View) -> View:
            @wraps(view)
            def checked(**arguments: Any) -> Response:
                if request.mimetype not in body.media_types:
                    raise UnsupportedMediaType
                self._require_known(parameters)
                request.max_content_length = body.most_bytes
                return doing(**arguments)

            doing = view
            if takes_key := idempotency.changes(grant):
                most = body.most_bytes or limits.IMPORT_BYTES
                doing = idempotency.once_by_body(view, self.secret_field, most)
            described = self.blueprint.doc(
                operationId=_camel_case(view.__name__),
                security=self._security(),
                parameters=list(parameters),
                requestBody=body.as_openapi(),
                responses={REFUSED: answer.as_openapi()},
            )(needs_token(grant, self.secret_field)(checked))
            described = self.describe_failures(
                described, view.__name__, body, takes_key=takes_key
            )
            self.blueprint.route(rule, methods=["POST"])(described)
            return view

        return register

    def download_operation(
        self,
        rule: str,
        grant: Grant,
        answer: Answers,
        parameters: Sequence[Mapping[str, object]] = (),
        *,
        method: str = "GET",
    ) -> Callable[[View], View]:
        """Register a view that reads no body, for callers with *grant*."""

        def register(view: View) -> View:
            @wraps(view)
            def checked(**arguments: Any) -> Response:
                if request.method == "HEAD":
                    raise MethodNotAllowed([method])
                self._require_known(parameters)
                return doing(**arguments)

            doing = view
            # Without a body and by GET: it cannot but look.
            takes_key = idempotency.changes(grant) and method != "GET"
            if takes_key:
                doing = idempotency.once_by_path(view, self.secret_field)
            described = self.blueprint.doc(
                operationId=_camel_case(view.__name__),
                security=self._security(),
                parameters=list(parameters),
                responses={REFUSED: answer.as_openapi()},
            )(needs_token(grant, self.secret_field)(checked))
            described = self.describe_failures(
                described, view.__name__, None, takes_key=takes_key
            )
            self.blueprint.route(rule, methods=[method])(described)
            return view

        return register

    def _require_known(self, parameters: Sequence[Mapping[str, object]]) -> None:
        if self.knows_every_parameter:
            known = [parameter["name"] for parameter in parameters]
            require_known(request.args, [*known, self.secret_field])

    def _security(self) -> list[dict[str, list[str]]]:
        return BY_TOKEN if self.secret_field else BY_TOKEN[:1]

    def describe(
        self, view: View, grant: Grant, answer: type[Schema], *, suffix: str = ""
    ) -> View:
        """Return *view* described, answers good and bad; *suffix* ends its name."""
        operation = view.__name__
        described = self.blueprint.doc(
            operationId=_camel_case(operation) + suffix, security=[]
        )(view)
        described = self.blueprint.response(
            REFUSED, answer, description=self.describe_refusals(operation)
        )(described)
        return self.describe_failures(
            described, operation, FORM_BODY, takes_key=idempotency.changes(grant)
        )

    def describe_failures(
        self, view: View, operation: str, body: Body | None, *, takes_key: bool
    ) -> View:
        """Return *view* described with its answers to what it cannot carry out."""
        table = self.errors[Edition.DOCUMENTED][operation]
        words = partial(find_error, table)
        of_body: tuple[tuple[WireError, str], ...] = ()
        if body is not None:
            of_body = ((_UNSUPPORTED, body.unsupported),)
            if body.most_bytes is not None:
                of_body = ((_TOO_LARGE, body.too_large), *of_body)
        causes = self._describe_unreadable(operation)
        if takes_key:
            causes += f" {OF_KEYS[IdempotencyKeyInvalid].text}: it is no key."
        usual = (
            (words(RequestMalformed), causes),
            (words(TokenInvalid), "The token is unknown, expired or revoked."),
            (words(Forbidden), "The token lacks the grant that this needs."),
            *of_body,
            (
                words(StoreUnavailable),
                "The database did not answer in time; ask again.",
            ),
        )
        told = {REFUSED, *(error.status for error, _ in usual)}
        others = [(error, error.text) for error in table.values()]
        of_its_own = [other for other in others if other[0].status not in told]
        if takes_key:
            view = self.blueprint.doc(**idempotency.TAKES_KEY)(view)
            of_keys = [(error, error.text) for error in OF_KEYS.values()]
            of_its_own += [each for each in of_keys if each[0].status not in told]
        for error, description in (*usual, *of_its_own):
            tells_more = body and error.status == UNREADABLE and body.refused
            view = self.blueprint.alt_response(
                error.status,
                schema=tells_more or self.failure,
                description=description,
                example=self.write_body(error),
                headers=_headers(error) or None,
            )(view)
        return view

    def describe_refusals(self, operation: str) -> str:
        """Name every refusal of the content, in both editions."""
        listed = {
            edition: self._list(edition, operation, REFUSED) for edition in self.errors
        }
        if len(set(listed.values())) == 1:
            said = f"{listed.popitem()[1]}."
        else:
            said = " ".join(f"Edition {name}: {them}." for name, them in listed.items())
        return f"Done, or `success` false with one of these codes. {said}"

    def _describe_unreadable(self, operation: str) -> str:
        refusals = self._list(Edition.DOCUMENTED, operation, UNREADABLE)
        return f"The request cannot be read: {refusals}."

    def _list(self, edition: str, operation: str, status: int) -> str:
        words = self.errors[edition][operation].values()
        refusals = sorted({error for error in words if error.status == status})
        return ", ".join(f"{error.code} {error.text}" for error in refusals) or "none"


def _camel_case(operation: str) -> str:
    first, *rest = operation.split("_")
    return first + "".join(map(str.title, rest))


def _example_of(request: Schema) -> dict[str, Any]:
    """Return a request that has what the operation cannot do without."""
    return {
        name: field.metadata["example"]
        for name, field in request.fields.items()
        if field.required or getattr(field, "in_example", False)
    }


def _headers(error: WireError) -> dict[str, Any]:
    return HEADERS.get(error.status, {})
