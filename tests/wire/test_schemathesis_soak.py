"""The same of many requests more: what is at every bound, and what comes to mind."""

import pytest
import schemathesis
from hypothesis import settings

from tests.wire.conftest import MakeApi
from tests.wire.service import Api
from tests.wire.test_schemathesis import ANY_HEALTH, ask, fuzzed, read_schema
from tests.wire.vicidial import Box

__all__ = ["fuzzed"]

schema = read_schema("examples", "coverage")


@pytest.mark.soak
@schema.parametrize()
@settings(max_examples=100, **ANY_HEALTH)
def test_no_request_of_many_gets_an_answer_that_is_not_declared(
    case: schemathesis.Case,
    make_api: MakeApi,
    fuzzed: list[tuple[Api, Box]],
) -> None:
    ask(case, make_api, fuzzed)
