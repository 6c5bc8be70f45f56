"""The facts about drugs: every cell has its source, and a contradiction is refused."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from conftest import ROOT
from discontinuation.ingest.reference import check_reference_folder, read_reference_folder
from discontinuation.problems import InvalidInput
from discontinuation.tables.reference_rules import UNITS, WORDS
from discontinuation.tables.schema import read_schema

FOLDER = ROOT / "data" / "reference"
SCHEMA = read_schema("reference")
TABLES = read_reference_folder(FOLDER)
# The tables whose rows name their source; the windows are proposals without one.
SOURCED = [name for name in SCHEMA if "source" in SCHEMA[name].column_names and name != "sources"]


@pytest.mark.parametrize("name", list(SCHEMA))
def test_files_are_plain_utf8(name):
    raw = (FOLDER / f"{name}.csv").read_bytes()
    raw.decode("utf-8")
    assert b"\r" not in raw
    assert raw.endswith(b"\n")
    assert not raw.startswith(b"\xef\xbb\xbf")


def test_what_is_remembered_says_so_and_nothing_else_does():
    unread = TABLES["sources"].set_index("source").query("kind == 'none'").index
    assert list(unread) == ["general_knowledge"]
    for name in SOURCED:
        table = TABLES[name]
        assert (table.loc[table["source"].isin(unread), "tag"] == "UM").all(), name
        assert table["source"].notna().all() and table["tag"].notna().all()


def test_every_source_is_used_and_the_dossier_is_none_of_them():
    used = set().union(*(TABLES[name]["source"] for name in SOURCED))
    assert used == set(TABLES["sources"]["source"])
    text = " ".join((FOLDER / f"{name}.csv").read_text(encoding="utf-8") for name in SCHEMA)
    assert "domain.md" not in text and "dossier" not in text.lower()


def test_half_lives_stand_in_one_table_only():
    columns = [c for name in SCHEMA if name != "drugs" for c in SCHEMA[name].column_names]
    assert not [column for column in columns if "half_life" in column]


def test_no_column_is_an_ambiguous_ed50():
    columns = [column for table in SCHEMA.values() for column in table.column_names]
    assert not [column for column in columns if "ed50" in column.lower()]


def test_quantities_of_the_schema_are_those_of_the_rules():
    quantity = next(c for c in SCHEMA["drugs"].columns if c.name == "quantity")
    assert set(quantity.allowed) == set(WORDS) | set(UNITS)
    assert set(TABLES["drugs"]["quantity"]) == set(quantity.allowed)


def test_drugs_are_complete():
    drugs = TABLES["drugs"]
    assert drugs["drug"].nunique() == 87
    for table in ("occupancy_curves", "dose_equivalents"):
        assert set(TABLES[table]["drug"]) <= set(drugs["drug"])
    curves = TABLES["occupancy_curves"]
    fitted = curves[curves["source"] == "sorensen2022_transcribed"]
    assert (len(fitted), fitted["drug"].nunique()) == (15, 9)
    assert (fitted["tag"] == "V2").all()
    assert curves.query("source == 'lako2013'")["k"].isna().all()
    above = curves.query("emax > 100 and emax == emax")
    assert above["note"].str.contains("artefact").all()


def test_hayasaka_and_the_benzodiazepine_sets():
    rows = TABLES["dose_equivalents"].set_index(["equivalence", "drug"])
    assert len(rows.loc["hayasaka2015"]) == 22
    assert rows.loc[("hayasaka2015", "paroxetine"), "dose"] == 34.0
    assert rows.loc[("hayasaka2015", "venlafaxine"), "tag"] == "UM"
    assert len(rows.loc["ashton"]) == 12
    assert (rows.loc["antipsychotic_range", "tag"] == "UM").all()
    # Two sets, two ratios: they are never to be mixed.
    chlordiazepoxide = rows.xs("chlordiazepoxide", level="drug")["dose"]
    assert chlordiazepoxide[["ashton", "other_lists", "clincalc"]].tolist() == [10, 25, 33]


def test_definitions_name_their_limits_or_say_that_words_remain():
    table = TABLES["taper_definitions"]
    limits = [c for c in table if c.endswith(("_min", "_max")) or c in ("shape", "formulation")]
    bare = table[table[limits].isna().all(axis=1)]
    assert (bare["complete"] == "no").all()
    assert table.groupby("author")["label"].count().loc["Zaccoletti"] == 4
    assert not table.duplicated("statement", keep=False)[table["kind"] != "definition"].any()


# --- bad tables ------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(FOLDER, tmp_path / "reference")


def change(folder, table, where, **cells):
    """Change cells of the rows that fit, as text, and return the complaint."""
    path = folder / f"{table}.csv"
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    chosen = rows.query(where).index
    assert len(chosen)
    for column, value in cells.items():
        rows.loc[chosen[0], column] = value
    rows.to_csv(path, index=False, lineterminator="\n")
    return complaint(folder)


def complaint(folder):
    with pytest.raises(InvalidInput) as refusal:
        check_reference_folder(folder)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("table", "where", "cells", "message"),
    [
        ("drugs", "quantity == 'half_life'", {"low": "99"}, "lies above high 35; the range runs"),
        ("drugs", "quantity == 'half_life'", {"unit": "days"}, "allowed: hours"),
        ("drugs", "quantity == 'half_life'", {"moiety": ""}, "is that of a substance"),
        ("drugs", "quantity == 'half_life'", {"low": "", "high": ""}, "are all blank"),
        ("drugs", "quantity == 'half_life'", {"text": "long"}, "is a number; allowed: blank"),
        ("drugs", "quantity == 'drug_class'", {"text": "antidepresant"}, "did you mean"),
        ("drugs", "quantity == 'target'", {"text": "5-HT"}, "allowed: SERT, NET, D2, GABA-A"),
        ("drugs", "quantity == 'target'", {"text": ""}, "a target is a word"),
        ("drugs", "quantity == 'formulation'", {"value": "1"}, "is a word; allowed: blank"),
        ("drugs", "quantity == 'synonym'", {"text": "sertraline"}, "already a name of sertraline"),
        ("drugs", "moiety == 'fluoxetine'", {"use": "default"}, "is already the default for"),
        ("drugs", "tag == 'V'", {"source": "my memory"}, "not in sources.csv"),
        ("drugs", "tag == 'V'", {"tag": "sure"}, "allowed: V, V2, UM, D, P"),
        ("drugs", "quantity == 'drug_class'", {"quantity": "subclass"}, "has 0 rows of drug_class"),
        ("occupancy_curves", "k == '2.33'", {"k": ""}, "a default curve needs both emax and k"),
        ("occupancy_curves", "k == '2.33'", {"k": "0"}, "allowed: a number above 0"),
        ("occupancy_curves", "k == '2.33'", {"unit": ""}, "must not be beside a k"),
        ("occupancy_curves", "k == '2.33'", {"drug": "citalopam"}, "did you mean 'citalopram'"),
        ("occupancy_curves", "emax_low == '86.1'", {"emax_low": "95"}, "lies above emax 91.9"),
        ("dose_equivalents", "low == '15'", {"high": "20"}, "lies below dose 30"),
        ("dose_equivalents", "dose == '34.0'", {"dose": ""}, "one of them is needed"),
        ("taper_definitions", "days_max == '28'", {"days_min": "40"}, "lies below days_min 40"),
        ("taper_definitions", "days_max == '7'", {"open_end": "lower"}, "but days_min is blank"),
    ],
)
def test_contradictions_are_refused(copy, table, where, cells, message):
    text = change(copy, table, where, **cells)
    assert message in text
    assert f"{table}.csv, row" in text


def test_all_problems_of_all_tables_are_told(copy):
    (copy / "sources.csv").unlink()
    change(copy, "drugs", "quantity == 'half_life'", low="99")
    text = change(copy, "occupancy_curves", "k == '2.33'", k="x")
    assert text.startswith("3 problems")
    assert "sources.csv: is missing among the reference tables" in text
