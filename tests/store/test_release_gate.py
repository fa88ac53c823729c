"""No way around the gate: what the sources say of whatever ends an entry."""

import ast
import inspect
import re
from pathlib import Path

import app
from app.store import batches, entries

SOURCES = Path(app.__file__).parent


def test_leave_is_given_by_the_gate_alone() -> None:
    made = [
        str(path.relative_to(SOURCES))
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Leave"
    ]

    assert made == ["services/guards.py"]


# What ends or changes an entry, and what keeps it from being a way around the gate.
ENDS = {
    "store/entries.py: RELEASE": "takes a Leave",
    "store/entries.py: RELEASE_BY_ID": "takes a Leave",
    "store/entries.py: REVISE": "services/revisions.py asks the gate",
    "store/batches.py: RELEASE": "takes a Leave",
    "store/organisations.py: SWITCH_CHECKING": "its service asks the gate",
    "store/erasures.py: HIDE": "what it changes goes on blocking, by a stand-in; "
    "what it ends, another entry blocks the same",
}
_ENDING = re.compile(
    r"(DELETE\s+FROM|UPDATE)\s+dnc_entry\b(?!_)|SET\s+checking_enabled", re.IGNORECASE
)


def test_no_other_statement_ends_or_changes_an_entry() -> None:
    """A new one is to be put behind the gate, and named here."""
    found = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.FunctionDef):
                text = "".join(
                    part.value
                    for part in ast.walk(node)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                )
                target = (
                    node.name
                    if isinstance(node, ast.FunctionDef)
                    else ast.unparse(
                        node.targets[0] if isinstance(node, ast.Assign) else node.target
                    )
                )
                if _ENDING.search(text):
                    found.add(f"{path.relative_to(SOURCES)}: {target}")

    assert found == set(ENDS)


def test_what_the_store_releases_takes_a_leave() -> None:
    for function in (entries.release, entries.release_locked, batches.release):
        assert "leave" in inspect.signature(function).parameters
