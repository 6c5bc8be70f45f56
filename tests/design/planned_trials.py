"""Small designs for tests."""

from __future__ import annotations

import copy

import yaml

from discontinuation.config import complete_config
from discontinuation.design.design_file import SCHEMA, design_of

ROLES = [
    {"name": "maintain", "strategy": "maintain"},
    {"name": "abrupt", "strategy": "abrupt"},
    {"name": "taper", "strategy": "taper", "taper_weeks": 16},
]
SMALL = {
    "design": "small",
    "title": "A small trial",
    "drug": {"name": "a drug", "dose_mg": 20, "ed50_mg": 2.7, "half_life_days": 1},
    "arms": ROLES,
    "follow_up": {"weeks": 78},
    "truths": {"both": {}},
    "people_per_arm": [150, 300],
    "replicates": 200,
    "assurance": {"draws": 20},
    "reestimation": {"trials": 40},
}


def content(**changes):
    """A completed design file with some keys changed."""
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    return complete_config(copy.deepcopy({**SMALL, **changes}), schema, "small.yaml")


def design(**changes):
    """The design of such a file."""
    return design_of(content(**changes), "small.yaml")
