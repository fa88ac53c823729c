"""
As whom the database is asked: under the role ``dncd_app``, for one organisation.

So row-level security holds whoever wrote a statement.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import LiteralString, NamedTuple

# For a transaction (*local*), or for the connection until it is told otherwise.
ENTER: LiteralString = """
    SELECT set_config('role', 'dncd_app', %(local)s),
           set_config('dncd.organisation', %(organisation_id)s, %(local)s),
           set_config('dncd.organisation_name', %(organisation_name)s, %(local)s),
           set_config('dncd.secret_hash', %(secret_hash)s, %(local)s),
           set_config('plan_cache_mode', %(plan_cache_mode)s, %(local)s),
           set_config('enable_seqscan', %(scans)s, %(local)s),
           set_config('enable_bitmapscan', %(scans)s, %(local)s),
           set_config('enable_hashjoin', %(joins)s, %(local)s),
           set_config('enable_mergejoin', %(joins)s, %(local)s),
           set_config('enable_sort', %(sorts)s, %(local)s),
           set_config('max_parallel_workers_per_gather', %(workers)s, %(local)s)
"""

# And only where the database is what this process believes it to be: one that was put
# in its place meanwhile, which takes a new connection, is asked before it answers.
ENTER_TELLING: LiteralString = f"""
    {ENTER},
           dncd_require(
               %(code)s, %(chain)s::uuid, %(sequence)s::bigint, decode(%(root)s, 'hex')
           )
"""


class Planning(NamedTuple):
    """PostgreSQL's settings, by the names that ENTER has for them."""

    plan_cache_mode: str
    scans: str
    joins: str
    sorts: str
    workers: str | None


class Plans(Enum):
    """
    How PostgreSQL plans the statements of a transaction.

    AUTO as it does by itself. BY_INDEX once a connection, whatever the parameters, and
    by an index alone: for pages of a long list, of which PostgreSQL knows too little to
    see that it need not read it whole. BY_NUMBER so, and one number after another: its
    plan must still be good when a list that was short has grown by millions, and when
    one organisation's is a thousand times as long as the others'. ALONG_INDEX so, and
    what is wanted in an index's order is read along that one: of an empty list, or one
    number, PostgreSQL takes any index for as good. None but AUTO, for which the
    server's own number holds (None), begins processes that take part: to begin them
    takes longer than any such statement.
    """

    AUTO = Planning("auto", "on", "on", "on", None)
    BY_INDEX = Planning("force_generic_plan", "off", "on", "on", "0")
    BY_NUMBER = Planning("force_generic_plan", "off", "off", "on", "0")
    ALONG_INDEX = Planning("force_generic_plan", "off", "off", "off", "0")


@dataclass(frozen=True, slots=True)
class Scope:
    """
    As whom a transaction sees the database: one organisation, or a proof of one.

    *plans* tells whether its statements are best answered always in the same way, which
    is then planned once a connection. *tells*: what they say of numbers is believed.
    """

    organisation_id: int | None = None
    organisation_name: str = ""
    secret_hash: bytes = b""
    plans: Plans = Plans.AUTO
    tells: bool = False

    def as_parameters(self, *, local: bool) -> Mapping[str, object]:
        """Return what ENTER wants."""
        return {
            "local": local,
            "organisation_id": str(self.organisation_id or ""),
            "organisation_name": self.organisation_name,
            "secret_hash": self.secret_hash.hex(),
            **self.plans.value._asdict(),
        }
