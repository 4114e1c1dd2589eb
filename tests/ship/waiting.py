"""Waiting for what another process does, with an end."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

PATIENCE_SECONDS = 60
Found = TypeVar("Found")


def wait_for(what: str, condition: Callable[[], Found], log: Path | None = None) -> Found:
    """What the condition gives once it gives something; in vain, ends the check, with what the process has logged."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    sys.exit(f"waited in vain for {what}" + (f"; the log:\n{log.read_text()}" if log else ""))
