"""Every operation that changes something takes an Idempotency-Key, and says so."""

from typing import Any

import pytest

from tests.openapi_document import read_document
from tests.wire.keyed import CHANGING, KEY, LOOKING

DOCUMENT = read_document()


def operations() -> dict[str, dict[str, Any]]:
    """Return every operation of the document by its name."""
    return {
        operation["operationId"]: operation
        for item in DOCUMENT["paths"].values()
        for operation in item.values()
    }


def test_every_operation_is_known_to_change_something_or_to_look_only() -> None:
    looking = LOOKING | {f"{name}ByQuery" for name in LOOKING}
    changing = {asked.operation for asked in CHANGING}

    assert operations().keys() - looking == changing


@pytest.mark.parametrize("name", sorted({asked.operation for asked in CHANGING}))
def test_every_operation_that_changes_something_documents_the_header(name: str) -> None:
    operation = operations()[name]

    told = {each["name"]: each for each in operation["parameters"]}
    assert told[KEY]["in"] == "header"
    assert not told[KEY].get("required")
    if name.startswith(("nonAgentApi", "rootNonAgentApi")):
        # Whatever the page refuses is HTTP 200 and a line.
        return
    assert {"400", "409", "422"} <= operation["responses"].keys()
    assert "Retry-After" in operation["responses"]["409"]["headers"]


def test_no_operation_that_only_looks_documents_the_header() -> None:
    for name, operation in operations().items():
        if name.removesuffix("ByQuery") in LOOKING:
            told = {each["name"] for each in operation.get("parameters", [])}
            assert KEY not in told, name
            assert not {"409", "422"} & operation["responses"].keys(), name
