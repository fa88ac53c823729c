"""Operations that were anchored and are not there any more, and who confirmed it."""

from app.domain.conditions import Anchor
from app.store.database import Tx

NOTICE = """
    SELECT dncd_notice_loss(%(chain)s::uuid, %(sequence)s, %(root)s)
"""


def notice(tx: Tx, anchor: Anchor) -> None:
    """Let no id be given out again that was, up to *anchor*, before it was lost."""
    tx.fetch(
        NOTICE,
        {"chain": anchor.chain, "sequence": anchor.sequence, "root": anchor.root},
    )
