"""
Run the migrations, one process at a time, and each as a transaction of its own.

Fifty services may start at once: whoever comes first migrates, the others wait on the
advisory lock and then find nothing to do. Whoever works on a table meanwhile waits
behind a migration that waits for its lock, so that one gives up soon; the caller tries
again. What a migration declares of itself is written down together with it.
"""

from alembic import context
from sqlalchemy import text

ADVISORY_LOCK = 725101

LOCK_TIMEOUT = "500ms"

DECLARE = text(
    """
    INSERT INTO schema_revision (revision, serves_from) VALUES (:revision, :serves_from)
    ON CONFLICT (revision) DO UPDATE SET serves_from = excluded.serves_from
    """
)


def declare(ctx, step, heads, run_args) -> None:  # noqa: ANN001, ARG001  as Alembic calls it
    """Write down which code serves the schema that this step has made."""
    found = ctx.connection.exec_driver_sql("SELECT to_regclass('schema_revision')")
    if found.scalar() is None:
        return
    for revision in step.up_revision_ids:
        module = context.script.get_revision(revision).module
        serves_from = getattr(module, "serves_from", revision)
        told = {"revision": revision, "serves_from": serves_from}
        ctx.connection.execute(DECLARE, told)


connection = context.config.attributes["connection"]
connection.exec_driver_sql(f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
connection.commit()
context.configure(
    connection=connection,
    target_metadata=None,
    transaction_per_migration=True,
    on_version_apply=declare,
)
with context.begin_transaction():
    context.run_migrations()
