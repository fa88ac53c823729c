"""The folding of totals, which the service leaves to chance, when a test wants it."""

import psycopg


def fold(url: str, organisation_id: int, most: int = 5000) -> None:
    """Fold up to *most* deltas of an organisation into its kept totals."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT set_config('dncd.organisation', %s, true)", [str(organisation_id)]
        )
        connection.execute("SELECT dnc_entry_fold(%s, %s)", [organisation_id, most])
