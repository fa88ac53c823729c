"""Whether the database can be trusted with an opt-out: durable, and migrated."""

from app.store.database import Tx

SETTINGS = """
    SELECT current_setting('fsync') AS fsync,
           current_setting('full_page_writes') AS full_page_writes,
           current_setting('synchronous_commit') AS synchronous_commit,
           current_setting('transaction_read_only') AS read_only,
           (SELECT version_num FROM alembic_version) AS revision
"""

# synchronous_commit "off" acknowledges what a crash then loses; the others differ only
# in what they wait for besides the local disk.
DURABLE = {
    "fsync": {"on"},
    "full_page_writes": {"on"},
    "synchronous_commit": {"local", "remote_write", "on", "remote_apply"},
}


def find_faults(tx: Tx, revision: str) -> list[str]:
    """Return what stands against saying ready, in words; empty if nothing does."""
    row = tx.fetch(SETTINGS, {})[0]
    faults = [
        f"{name} is {row[name]}"
        for name, allowed in DURABLE.items()
        if row[name] not in allowed
    ]
    if row["read_only"] != "off":
        faults.append("the database takes no changes")
    if row["revision"] != revision:
        faults.append(f"migration {row['revision']} where {revision} is needed")
    return faults
