"""What a step is, and those that are registered: ``reading`` and ``changing``."""

from collections.abc import Callable

from tests.store.forgotten.world import World

Step = Callable[[World], object]
STEPS: dict[str, Step] = {}
CHANGING: set[str] = set()


def step(function: Step) -> Step:
    """Register what reads."""
    STEPS[function.__name__] = function
    return function


def change(function: Step) -> Step:
    """Register what changes something of ours."""
    CHANGING.add(function.__name__)
    return step(function)
