"""Tables of which make test runs a part, chosen once and for all, and soak the rest."""

from collections.abc import Iterable
from typing import Any

import pytest


def diagonal(*axes: Iterable[Any]) -> list[Any]:
    """
    Return each combination of a value of each of *axes*; most are marked ``soak``.

    make test is left a diagonal, on which each value of each axis is at least once.
    """
    columns = [list(axis) for axis in axes]
    rows: list[tuple[tuple[int, ...], tuple[Any, ...]]] = [((), ())]
    for column in columns:
        rows = [
            ((*places, place), (*values, value))
            for places, values in rows
            for place, value in enumerate(column)
        ]
    longest = max(len(column) for column in columns)
    kept = {tuple(n % len(column) for column in columns) for n in range(longest)}
    return [
        pytest.param(*values, marks=() if places in kept else pytest.mark.soak)
        for places, values in rows
    ]


def thinned(rows: Iterable[Any], kept: Iterable[Any]) -> list[Any]:
    """Return all *rows*, of which those that are not among *kept* are marked soak."""
    chosen = list(kept)
    return [
        row if row in chosen else pytest.param(row, marks=pytest.mark.soak)
        for row in rows
    ]
