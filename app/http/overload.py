"""
What is answered when more is asked than can be answered in time.

Whatever waited too long to be begun is refused, in the words of the dialect whose path
it is, before its client gives up. The refusals are written before they are needed.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from flask import Flask

from app.domain.errors import Overloaded
from app.http.dialect import Dialect

EXTENSION = "dncd_overload"

# How long a request may wait to be begun, where others wait as well.
QUEUE_SECONDS = 0.5


_NAMES_A_NUMBER = re.compile(rb"[?&\n](?:phone_number|search|id)=[^& \r\n]")


class Refusal(NamedTuple):
    """
    An answer that is written before it is needed.

    *bulk_above* is how large the body of a short question is, where there is bulk work;
    what *browses* is patient unless it names a number.
    """

    dialect: str
    operation: str
    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    bulk_above: int | None
    browses: bool

    def may_wait(self, length: int | None, request: bytes) -> bool:
        """
        Whether a request may wait for others: bulk work, or a page of a list.

        *length* is its body's, if that is told, and *request* what is seen of it.
        """
        if self.bulk_above is not None:
            return length is None or length > self.bulk_above
        return self.browses and not _NAMES_A_NUMBER.search(request)


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
                    dialects[name].bulk.get(operation),
                    operation in dialects[name].browsing,
                )
    return refusals
