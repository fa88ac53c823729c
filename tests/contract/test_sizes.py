"""Whatever the document describes has a size, which docs/limits.md tells."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.domain import patience
from app.domain.rates import read_rate
from app.http import bulk, limits, sizes
from app.settings import Settings
from tests.openapi_document import read_document

ROOT = Path(__file__).resolve().parents[2]

# Files, which may be of any size, or of one that their description tells.
FILES = {
    "POST /v1/dnc/scrub text/csv",
    "POST /v1/dnc/scrub 200 text/csv",
    "POST /v1/dnc/import application/octet-stream",
    "POST /v1/dnc/import text/csv",
    "GET /v1/dnc/export 200 text/csv",
    "GET /app/main/rpc/pdnc 200 text/csv",
    "POST /app/main/rpc/pdnc 200 text/csv",
    "GET /app/main/rpc/scrub 200 text/csv",
    "POST /app/main/rpc/scrub 200 text/csv",
    "GET /app/main/rpc/scrub 200 application/xml",
    "POST /app/main/rpc/scrub 200 application/xml",
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return read_document()


def parts_of(
    schema: dict[str, Any], where: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield *schema* and whatever it holds, and where that is."""
    yield where, schema
    for name, member in schema.get("properties", {}).items():
        yield from parts_of(member, f"{where}.{name}")
    if "items" in schema:
        yield from parts_of(schema["items"], f"{where}[]")
    for choice in ("anyOf", "oneOf", "allOf"):
        for member in schema.get(choice, []):
            yield from parts_of(member, where)


def schemas_of(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            where = f"{method.upper()} {path}"
            for parameter in operation.get("parameters", []):
                name = f"{where} {parameter['name']}"
                yield from parts_of(parameter["schema"], name)
            body = operation.get("requestBody", {}).get("content", {})
            for media_type, content in body.items():
                yield from parts_of(content["schema"], f"{where} {media_type}")
            for status, response in operation["responses"].items():
                for media_type, content in response.get("content", {}).items():
                    name = f"{where} {status} {media_type}"
                    yield from parts_of(content["schema"], name)
                for header, described in response.get("headers", {}).items():
                    name = f"{where} {status} {header}"
                    yield from parts_of(described["schema"], name)
    for name, schema in document["components"]["schemas"].items():
        yield from parts_of(schema, name)


def test_every_text_and_every_list_has_a_size(document: dict[str, Any]):
    without = []

    for where, schema in schemas_of(document):
        kind = schema.get("type")
        if kind == "string" and not schema.keys() & {"maxLength", "enum"}:
            without.append(where)
        if kind == "array" and "maxItems" not in schema:
            without.append(where)

    assert set(without) <= FILES


def test_every_example_has_the_size_that_its_schema_allows(document: dict[str, Any]):
    for where, schema in schemas_of(document):
        example = schema.get("example")
        if isinstance(example, str) and "maxLength" in schema:
            assert len(example) <= schema["maxLength"], where


def test_every_operation_tells_what_is_answered_when_too_much_is_asked(
    document: dict[str, Any],
):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for status in ("429", "503"):
                headers = operation["responses"][status]["headers"]
                assert "Retry-After" in headers, (method, path, status)
            assert "x-ratelimit-reset" in operation["responses"]["429"]["headers"]


def test_the_page_tells_the_sizes_that_hold():
    page = " ".join((ROOT / "docs" / "limits.md").read_text().split())
    shipped = Settings.from_environment({})

    for told in (
        f"{limits.FORM_BYTES // 1024} KiB",
        f"{limits.FORM_PARAMETERS} parameters",
        f"{limits.BATCH_NUMBERS:,} numbers",
        f"{limits.BATCH_BYTES // 1024**2} MiB",
        f"{limits.IMPORT_BYTES // 1024**3} GiB",
        f"{limits.SHORT_BYTES // 1024} KiB",
        f"{limits.REQUEST_LINE_BYTES:,} bytes",
        f"{limits.HEADERS} header fields",
        f"{sizes.SECRET_TEXT} characters",
        f"{patience.TURN_SHARE * shipped.answer_seconds} s",
        "a quarter of the threads",
    ):
        assert told in page, told
    assert bulk.SHARE == 4
    assert shipped.guesses_per_source == read_rate("5:300")
    assert "`5:300`" in page
