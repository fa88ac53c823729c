"""
What is answered when more is asked than can be answered in time.

Whatever waited too long to be begun is refused, in the words of the dialect whose path
it is, before its client gives up. The refusals are written before they are needed.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from flask import Flask

from app.domain.errors import Overloaded
from app.http.dialect import Dialect

EXTENSION = "dncd_overload"


class Refusal(NamedTuple):
    """An answer that is written before it is needed."""

    dialect: str
    operation: str
    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def install(app: Flask, dialects: Iterable[Dialect]) -> None:
    """Write down what each path of *app* answers when there is too much to do."""
    app.extensions[EXTENSION] = _write_refusals(
        app, {each.name: each for each in dialects}
    )


def find_refusals(app: object) -> Mapping[str, Refusal]:
    """Return what *app* answers by path; of another application nothing."""
    found: Mapping[str, Refusal] = getattr(app, "extensions", {}).get(EXTENSION, {})
    return found


def _write_refusals(
    app: Flask, dialects: Mapping[str, Dialect]
) -> Mapping[str, Refusal]:
    refusals = {}
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            name, _, operation = rule.endpoint.rpartition(".")
            if name in dialects and not rule.arguments:
                answer = dialects[name].write_error(Overloaded(), operation)
                refusals[rule.rule] = Refusal(
                    name,
                    operation,
                    answer.status,
                    tuple(answer.headers.items()),
                    answer.get_data(),
                )
    return refusals
