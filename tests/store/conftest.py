"""An installation whose first start has made its key."""

from pathlib import Path

import pytest

from app.bootstrap import build_services
from app.services import Services
from app.store.database import Database


@pytest.fixture
def keyed(database: Database, tmp_path: Path) -> Services:
    """The services of an installation that has its key, in ``tmp_path / "key"``."""
    found = build_services(database, tmp_path / "key")
    found.keys.start()
    return found
