"""Whether the database can be trusted with an opt-out: whether it is durable."""

from app.store import server_log
from app.store.transactions import Tx

SETTINGS = """
    SELECT current_setting('fsync') AS fsync,
           current_setting('full_page_writes') AS full_page_writes,
           current_setting('synchronous_commit') AS synchronous_commit,
           current_setting('transaction_read_only') AS read_only
"""

# synchronous_commit "off" acknowledges what a crash then loses; the others differ only
# in what they wait for besides the local disk.
DURABLE = {
    "fsync": {"on"},
    "full_page_writes": {"on"},
    "synchronous_commit": {"local", "remote_write", "on", "remote_apply"},
}


def find_faults(tx: Tx) -> list[str]:
    """Return what stands against saying ready, in words; empty if nothing does."""
    row = tx.fetch(SETTINGS, {})[0]
    faults = [
        f"{name} is {row[name]}"
        for name, allowed in DURABLE.items()
        if row[name] not in allowed
    ]
    if row["read_only"] != "off":
        faults.append("the database takes no changes")
    return faults


def find_leaks(tx: Tx) -> list[str]:
    """Return which of the server's settings let phone numbers into its log."""
    return server_log.find_leaks(tx.fetch(server_log.SETTINGS, {})[0])
