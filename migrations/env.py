"""
Run the migrations, one process at a time.

Fifty services may start at once: whoever comes first migrates, the others wait on the
advisory lock and then find nothing to do. Only the waiting inside a migration has a
time limit, so that a migration never queues behind a long reader while it blocks
everybody else.
"""

from alembic import context

ADVISORY_LOCK = 725101

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=None)
with context.begin_transaction():
    connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
    connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
    context.run_migrations()
