"""psql and pgbench, of the same PostgreSQL that the service works on."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from psycopg import conninfo

from app.store import postgres_binaries

# pgbench's clock runs while it connects: many clients may take a second for that.
LEAST_SECONDS = 2

_TIME = re.compile(r"^Time: ([0-9.]+) ms", re.MULTILINE)
_RATE = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
_LATENCY = re.compile(r"^latency average = ([0-9.]+) ms", re.MULTILINE)
_NOTHING = "number of transactions actually processed: 0\n"
_FAILED = re.compile(r"^number of failed transactions: ([0-9]+)", re.MULTILINE)

_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
}


class ProgramFailed(Exception):
    """psql or pgbench ended with an error."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What pgbench measured."""

    per_second: float
    average_ms: float


@dataclass(frozen=True, slots=True)
class Programs:
    """psql and pgbench on one database, as the owner of everything in it."""

    directory: Path
    environment: dict[str, str]

    @classmethod
    def on(cls, url: str) -> "Programs":
        """Find them, for the database at *url*."""
        known = conninfo.conninfo_to_dict(url)
        return cls(
            postgres_binaries.find(postgres_binaries.account()).directory,
            {
                "PATH": os.defpath,
                "LC_ALL": "C.UTF-8",
                **{v: str(known[k]) for k, v in _VARIABLES.items() if k in known},
            },
        )

    def psql(self, script: str) -> list[float]:
        r"""
        Run *script* and return the seconds of each statement after ``\timing on``.

        Raises ProgramFailed at its first error.
        """
        told = self._run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", script=script)
        return [float(each) / 1000 for each in _TIME.findall(told)]

    def pgbench(self, script: Path, clients: int, seconds: float) -> Rate:
        """
        Run the prepared statements of *script* for whole *seconds*, at least two.

        The rate is 0 if none of them ended. Raises ProgramFailed if any failed.
        """
        told = self._run(
            *("pgbench", "-n", "-M", "prepared", "-f", str(script)),
            *("-c", str(clients), "-j", str(min(2, clients))),
            *("-T", str(max(LEAST_SECONDS, round(seconds)))),
        )
        if _NOTHING in told:
            return Rate(0.0, 0.0)
        rate, latency = _RATE.search(told), _LATENCY.search(told)
        failed = _FAILED.search(told)
        if not rate or not latency or (failed and int(failed[1])):
            raise ProgramFailed(told)
        return Rate(float(rate[1]), float(latency[1]))

    def _run(self, program: str, *arguments: str, script: str | None = None) -> str:
        done = subprocess.run(
            [self.directory / program, *arguments],
            env=self.environment,
            input=script,
            stdin=subprocess.DEVNULL if script is None else None,
            text=True,
            capture_output=True,
            check=False,
            preexec_fn=postgres_binaries.dies_with_us(),
        )
        if done.returncode:
            raise ProgramFailed(f"{program}: {done.stderr.strip()}")
        return done.stdout
