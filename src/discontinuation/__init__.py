"""Re-analyse trials in which people stop a psychiatric drug."""

__version__ = "0.1.0"
