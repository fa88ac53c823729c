"""What is on disk is more than what is written."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Return when what was made, renamed or removed in *folder* is on disk; OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
