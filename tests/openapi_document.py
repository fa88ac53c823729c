"""The committed openapi.yaml, read once a process: it is long."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

PATH = Path(__file__).resolve().parents[1] / "openapi.yaml"


@cache
def read_document() -> dict[str, Any]:
    """Return the document, which nobody may change."""
    found: dict[str, Any] = yaml.load(PATH.read_text(), yaml.CSafeLoader)
    return found
