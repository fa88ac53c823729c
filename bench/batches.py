"""Stub."""
from bench.environment import NotAvailable, Stage
def run(stage: Stage) -> None:
    raise NotAvailable("not written")
