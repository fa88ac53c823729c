"""The statements of the store, how they name an organisation, and which need none."""

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping

import app.store
from app.store.lookups import Lookup

# How a statement says whose rows it means. Each is replaced by what is true.
CONDITION = re.compile(
    r"""
    (?: \b\w+\. )? \borganisation_id \s* = \s*
    (?: %\(organisation_id\)s (?: ::bigint )? | \$1::bigint | \w+\.organisation_id )
    | (?: \b\w+\. )? \bid \s* = \s*
    (?: %\(organisation_id\)s | \$1::bigint | \w+\.organisation_id )
    """,
    re.VERBOSE,
)

# A lock or a setting shows nothing.
NAMES_IT = re.compile(
    r"^(?!.*(?:set_config|pg_advisory)).*(?:%\(organisation_id\)s|\$1::bigint)",
    re.DOTALL,
)

_STATEMENT = re.compile(r"^\s*(WITH|SELECT|INSERT|UPDATE|DELETE|COPY)\b")

# Modules that have statements of no organisation, and what these are about. One that
# names an organisation is to be proven all the same.
OF_NOBODY: Mapping[str, str] = {
    "backups": "what the owner alone backs up: every row, whosesoever",
    "conditions": "the schema's revision, and whether seals and anchors agree",
    "embedded": "who else is connected to an embedded server",
    "installation": "the key's fingerprint",
    "joining": "settings of the transaction",
    "login_failures": "by possession of a key; only what has expired is purged",
    "migrations": "the schema's revision",
    "readiness": "settings of the server",
    "recoveries": "anchors, seals and what was confirmed of them: no personal data",
    "restores": "what the owner alone restores, with everybody connected",
    "server_log": "settings of the server",
}

# Other statements that have no organisation to take out, and why none is needed.
EXEMPT: Mapping[str, tuple[str, ...]] = {
    "puts the organisation on": (
        "roles.ENTER",
        "roles.ENTER_TELLING",
        "transactions.TURN",
    ),
    "a setting of the transaction": (
        "transactions.ACT",
        "transactions.LIMIT",
        "idempotent_requests.SWEEPING",
        "seals.SEE",
        "unsealed.PLAN_FREELY",
    ),
    "a lock": (
        "idempotent_requests.CLAIM",
        "organisations.LOCK_FIRST_START",
        "releases.QUEUE",
        "seals.TAKE_TURN",
    ),
    "the clock": ("bulk.NOW", "instants.SETTLE"),
    "a temporary table": ("bulk.COPY_NUMBERS", "bulk.COPY_ROWS", "bulk.PAGES"),
    "a sequence; an operator's command": (
        "organisations.NEWEST_ID",
        "organisations.NEXT_ID",
        "organisations.NONE_YET",
    ),
    "an operator's command, by possession of the name": ("organisations.FIND",),
    "asks of all organisations, and is answered yes or no": ("entries.IS_FOREIGN",),
    "only what has expired, which another policy shows to whoever sweeps": (
        "idempotent_requests.SWEEP",
    ),
    "a function that takes the session's organisation: the step forget_theirs": (
        "erasures.FORGET_LEADS",
        "erasures.FORGET_REASONS",
        "erasures.FORGET_VERSIONS",
        "erasures.FORGET_WHY",
    ),
    "the chain of seals is of all organisations, and holds numbers and hashes alone": (
        "seal_proofs.FIND_HASHES",
        "seal_proofs.FIND_SEALS",
        "seals.ADD",
        "seals.ADD_LEAVES",
        "seals.EVERY_LEAF",
        "seals.EVERY_SEAL",
        "seals.FIND",
        "seals.HEAD",
        "seals.NEWEST",
        "seals.STATE",
    ),
}


def statements() -> dict[str, str]:
    """Return every statement of the store by its name."""
    found = {}
    for module in pkgutil.iter_modules(app.store.__path__, "app.store."):
        for name, value in vars(importlib.import_module(module.name)).items():
            text = value.statement if isinstance(value, Lookup) else value
            if isinstance(text, str) and _STATEMENT.search(text) and name.isupper():
                found[f"{module.name.rpartition('.')[2]}.{name}"] = text
    return found


def exempt() -> set[str]:
    """Return the names of the statements that need no proof."""
    named = {name for names in EXEMPT.values() for name in names}
    return named | {
        name
        for name, text in statements().items()
        if name.partition(".")[0] in OF_NOBODY and "organisation_id" not in text
    }


def forget_each(statement: str) -> Iterator[str]:
    """Yield *statement* without one of its conditions, for each of them."""
    for match in CONDITION.finditer(statement):
        before, after = statement[: match.start()], statement[match.end() :]
        yield f"{before}{_true(match)}{after}"


def forget_all(statement: str) -> str:
    """Return *statement* without any of its conditions."""
    return CONDITION.sub(_true, statement)


def _true(match: re.Match[str]) -> str:
    # A parameter by its number has to be there.
    return "$1::bigint IS NOT NULL" if "$1" in match[0] else "true"


def is_proven(statement: str) -> bool:
    """Whether its organisation was taken out, or another's put in its place."""
    return bool(CONDITION.search(statement) or NAMES_IT.search(statement))


def pieces(text: str) -> re.Pattern[str]:
    """Return what finds *text* where the names in its braces stand for anything."""
    return re.compile(".*".join(map(re.escape, re.split(r"\{\w+\}", text))), re.DOTALL)
