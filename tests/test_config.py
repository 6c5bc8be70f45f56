"""A configuration is refused with the path of the key and what is allowed."""

import copy
import math

import pytest
import yaml

from conftest import ROOT
from discontinuation.config import complete_config
from discontinuation.problems import InvalidInput

SCHEMA = yaml.safe_load(
    (ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text(encoding="utf-8")
)
DEFAULT = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))


def changed(path, value):
    config = copy.deepcopy(DEFAULT)
    *parents, last = path
    place = config
    for key in parents:
        place = place[key]
    place[last] = value
    return config


def test_default_configuration_spells_out_every_default():
    assert complete_config(DEFAULT, SCHEMA) == DEFAULT


def test_defaults_are_filled_in_at_every_depth():
    short = {"title": "x", "evidence": {"sources": [{"folder": "a"}], "pooling": {"method": "DL"}}}
    completed = complete_config(short, SCHEMA)
    assert completed["evidence"]["sources"] == [{"folder": "a", "use": "include"}]
    assert completed["evidence"]["pooling"]["truncate"] is True
    assert completed["evidence"]["pooling"]["method"] == "DL"
    assert "seed" not in short


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("evidnce",), {}, ["evidnce", "unknown key", "did you mean 'evidence'"]),
        (("evidence", "poolng"), {}, ["evidence.poolng", "unknown key", "pooling"]),
        (("evidence", "confidence"), 95, ["evidence.confidence", "95", "0.999 or less"]),
        (("evidence", "confidence"), "high", ["evidence.confidence", "a number"]),
        (("seed",), 1.5, ["seed", "a whole number"]),
        (("evidence", "pooling", "method"), "reml", ["evidence.pooling.method", "REML, PM, DL"]),
        (("evidence", "sources"), [], ["evidence.sources", "at least 1"]),
        (("evidence", "sources"), [{"folder": "x", "use": "pool"}], ["sources[0].use", "include"]),
        (("evidence", "sources"), [{"use": "include"}], ["sources[0].folder", "missing"]),
        (("evidence", "window_factors"), [1, -2], ["window_factors[1]", "above 0"]),
        (("title",), "", ["title", "at least 1 character"]),
        (("evidence", "taper_bands_days"), [28, 14], ["taper_bands_days", "numbers that rise"]),
        (("evidence", "sources"), "data", ["evidence.sources", "a list"]),
        (("evidence", "pooling"), None, ["evidence.pooling", "a group of keys"]),
    ],
)
def test_refusals_name_the_key_and_what_is_allowed(path, value, said):
    with pytest.raises(InvalidInput) as refusal:
        complete_config(changed(path, value), SCHEMA)
    for words in said:
        assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("evidence", "confidence"), math.nan, "evidence.confidence: 'nan'"),
        (("evidence", "taper_bands_days"), [math.nan], "evidence.taper_bands_days[0]: 'nan'"),
        (("evidence", "taper_bands_days"), [0, 10**400], "evidence.taper_bands_days[1]: '1000"),
        (("evidence", "window_factors"), [1, math.inf], "evidence.window_factors[1]: 'inf'"),
        (("seed",), -math.inf, "seed: '-inf'"),
    ],
)
def test_numbers_are_finite(path, value, where):
    with pytest.raises(InvalidInput) as refusal:
        complete_config(changed(path, value), SCHEMA)
    (problem,) = refusal.value.problems
    assert where in str(problem) and problem.message == "allowed: a finite number"


def test_each_missing_key_is_listed_once():
    with pytest.raises(InvalidInput) as refusal:
        complete_config({}, SCHEMA)
    assert [problem.column for problem in refusal.value.problems] == ["title", "evidence"]


def test_every_problem_is_named_at_once():
    config = changed(("evidence", "confidence"), 2) | {"seed": "x", "tittle": "y"}
    with pytest.raises(InvalidInput) as refusal:
        complete_config(config, SCHEMA)
    assert len(refusal.value.problems) == 3


def test_readme_documents_every_key():
    text = (ROOT / "config" / "README.md").read_text(encoding="utf-8")

    def keys(schema, path=""):
        for name, part in schema.get("properties", {}).items():
            yield path + name
            yield from keys(part, f"{path}{name}.")
            yield from keys(part.get("items", {}), f"{path}{name}[].")

    groups = {"evidence", "evidence.pooling", "exposure", "classification", "validation"}
    documented = {k for k in keys(SCHEMA) if f"`{k}`" in text}
    assert set(keys(SCHEMA)) - groups == documented - groups
