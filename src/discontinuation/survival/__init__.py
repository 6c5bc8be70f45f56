"""What happened over time in each group?

Plain arrays and frames in, small frozen results out; usable without the rest of the package.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Loaded when first asked for: the compiled kernels take most of a second.
_PUBLIC = {
    "curves": ("kaplan_meier", "nelson_aalen"),
    "rank_tests": ("logrank", "maxcombo", "pairwise"),
    "mean_time": ("rmst",),
    "landmarks": ("landmark",),
    "smoothing": ("smoothed_hazard", "hazard_ratio_over_time"),
    "resampling": ("bootstrap", "permute", "counts_by_day"),
    "combining": ("combine", "combine_probabilities"),
    "cox_model": ("cox",),
    "concordance_index": ("concordance",),
    "episodes": ("split_follow_up",),
    "cumulative_incidence": ("aalen_johansen", "time_lost"),
    "cause_specific": ("cause_specific_hazards", "events_of"),
    "gray": ("gray_test",),
    "subdistribution": ("fine_gray",),
    "state_occupation": ("state_probabilities",),
    "parametric": ("parametric_model",),
    "flexible": ("royston_parmar",),
    "interval_censored": ("turnbull",),
    "recurrent": ("recurrent_model",),
    "weighting": ("treatment_weights", "censoring_weights"),
    "standardised": ("standardised_curves",),
    "baseline_imputation": ("impute_baseline",),
    "e_values": ("e_value",),
    "stored": ("read_result", "write_result"),
}
_MODULE_OF = {name: module for module, names in _PUBLIC.items() for name in names}
__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
