"""Logs of workflow steps."""

from __future__ import annotations

import logging
import sys


def log_to(path: str) -> None:
    """Send the messages, warnings and tracebacks of this process to a log file."""
    log = open(path, "w", encoding="utf-8", buffering=1)  # noqa: SIM115, PTH123 (open until exit)
    sys.stdout = sys.stderr = log
    logging.basicConfig(stream=log, level=logging.INFO, format="%(levelname)s %(message)s")
    logging.captureWarnings(True)
