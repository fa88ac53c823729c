"""The published document and the service are the same thing."""

from pathlib import Path

import pytest
import yaml
from openapi_spec_validator import validate

from app.dialects import DIALECTS
from app.domain import errors
from app.http import openapi
from app.http.dialect import Dialect
from app.settings import Settings
from app.web import build_app

ROOT = Path(__file__).resolve().parents[2]

STATUSES = {"200", "400", "401", "403", "413", "415", "503"}
# What an operation has no reason to answer, by its path.
NEVER = {
    "/v1/dnc/scrub": {"413"},
    # A page says in lines what it refuses, and looks at no other body than a form.
    "/vicidial/non_agent_api.php": {"400", "401", "403", "413", "415"},
    "/non_agent_api.php": {"400", "401", "403", "413", "415"},
    "/vicidial/filter": {"415"},
}


@pytest.fixture(scope="module")
def text() -> str:
    app = build_app(Settings.from_environment({}), "")
    return openapi.read(app)


def test_the_committed_document_is_what_the_code_says(text: str) -> None:
    assert (ROOT / "openapi.yaml").read_text() == text


def test_the_document_is_valid(text: str) -> None:
    validate(yaml.safe_load(text))


def test_every_operation_says_what_an_sdk_needs(text: str) -> None:
    document = yaml.safe_load(text)
    identifiers = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            where = f"{method} {path}"
            identifiers.append(operation["operationId"])
            assert operation["summary"], where
            assert operation["tags"], where
            if method == "post":
                assert len(operation["requestBody"]["content"]) == 1, where
                assert all(
                    content["example"]
                    for content in operation["requestBody"]["content"].values()
                ), where
            statuses = STATUSES - NEVER.get(path, set())
            if "requestBody" not in operation:
                statuses -= {"413", "415"}
            assert set(operation["responses"]) >= statuses, where
    assert len(set(identifiers)) == len(identifiers)
    assert len(identifiers) >= 16


def leaves(of: type[errors.DncError]) -> set[type[errors.DncError]]:
    return {of} | {leaf for sub in of.__subclasses__() for leaf in leaves(sub)}


@pytest.mark.parametrize("edition", ["documented", "live"])
def test_every_condition_can_be_said_somewhere_in_every_edition(edition: str) -> None:
    abstract = {errors.DncError, errors.Refused, errors.AccessDenied}
    wanted = leaves(errors.DncError) - abstract - leaves(errors.AdministrationRefused)
    said = {
        condition
        for dialect in DIALECTS
        for words in dialect.errors[edition].values()
        for spoken in words
        for condition in leaves(spoken)
    }

    assert wanted <= said, wanted - said


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_both_editions_say_the_same_things(dialect: Dialect) -> None:
    documented, live = dialect.errors["documented"], dialect.errors["live"]

    assert documented.keys() == live.keys()
    for operation in documented:
        assert set(documented[operation]) == set(live[operation]), operation
