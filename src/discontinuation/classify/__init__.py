"""Withdrawal, relapse or undecidable: with what probability, and why?"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Loaded when first asked for: the compiled kernel takes most of a second.
_PUBLIC = {
    "model": ("fit",),
    "scoring": ("score",),
    "settings": ("Settings", "Normal", "ItemPrior"),
    "gates": ("run_gates",),
}
_MODULE_OF = {name: module for module, names in _PUBLIC.items() for name in names}
__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
