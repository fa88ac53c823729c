"""Whoever waits for the lane is told, whatever fails in it. Its services are fakes."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from app.domain.access import Grant
from app.domain.patience import NotAtOnce
from app.http.fast_lane import Lane
from app.http.loop_lane import Head, LoopLane
from app.http.rates import Rates

PATH = "/lane"
HEAD = Head("GET", PATH, "auth_token=secret", {}, "127.0.0.1", 0.0)


class Access:
    """Remembers somebody once it has been asked about anybody."""

    def __init__(self, *, knows: bool) -> None:
        self._knows = knows
        self.fails = False

    def recall(self, _secret: str, **_: Any) -> Any:
        if self.fails:
            raise LookupError
        return SimpleNamespace(token_id=1) if self._knows else None

    def authenticate(self, _secret: str, **_: Any) -> None:
        self.fails = True

    def require(self, _caller: Any, _grant: Grant) -> None:
        pass


class Checks:
    """Answers each question, by a thread."""

    def begin(self, _asked: Any) -> Any:
        raise NotAtOnce

    def check_all(self, asked: Any) -> list[Any]:
        return ["answer" for _ in asked]


def fail(*_: Any) -> Any:
    raise LookupError


@pytest.mark.parametrize("knows", [True, False], ids=["to write", "to look up"])
def test_what_fails_in_the_lane_is_told(knows):
    lane = Lane("check", Grant.CHECK, lambda _: "question", fail, "unusual")  # type: ignore[arg-type, return-value]
    services: Any = SimpleNamespace(access=Access(knows=knows), checks=Checks())
    lanes = LoopLane(services, {PATH: ("native", lane)}, (), Rates(None, None, None))

    async def ask() -> Any:
        loop = asyncio.get_running_loop()
        lanes.run_on(loop)
        told = loop.create_future()
        lanes.answer(HEAD, b"", told.set_result)
        return await asyncio.wait_for(told, 10)

    assert isinstance(asyncio.run(ask()), LookupError)
