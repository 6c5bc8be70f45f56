"""`discontinuation pace`: a drug and a schedule in, a table and a figure out."""

from __future__ import annotations

import argparse

import pandas as pd
import pytest

from discontinuation.exposure.schedules import STATEMENT
from discontinuation.pace_command import NEEDS, add_arguments, run_pace
from discontinuation.problems import InvalidInput


def ask(*words, into):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run_pace(parser.parse_args([*words, "--into", str(into)]))


def refused(*words, into):
    with pytest.raises(InvalidInput) as invalid:
        ask(*words, into=into)
    assert not into.exists() or not any(into.iterdir())
    return str(invalid.value)


def test_a_schedule_is_printed_and_written(tmp_path):
    text = ask(
        "citalopram", "20", "--kind", "hyperbolic", "--points", "10", "--hold-days", "28",
        "--tablets", "10", "20", "--halved", "--liquid", "2", "--smallest-volume", "0.1",
        into=tmp_path,
    )  # fmt: skip
    assert STATEMENT in text
    assert "citalopram, 20 mg/day: hyperbolic, over 196 days" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["1", "0", "8", "60", "65.04", "10.18", "8.099", "10", "½", "×"] in [
        line[:10] for line in lines
    ]
    assert "Zaccoletti 2025: slow taper" in text
    assert "minimum effective dose: 20 mg/day [UM]" in text
    assert "last day at the therapeutic dose to 0:         196 days [UM]" in text
    stem = tmp_path / "citalopram_hyperbolic"
    steps = pd.read_csv(f"{stem}_steps.csv")
    assert (steps["statement"] == STATEMENT).all()
    assert steps["dose"].tolist() == pytest.approx([8, 4.4, 2.8, 1.6, 1, 0.6, 0.2, 0])
    pace = pd.read_csv(f"{stem}_pace.csv").set_index("quantity")
    assert pace.loc["days_to_zero", "value"] == 196
    assert pace.loc["days_from_therapeutic", "doubtful"] == "UM"
    assert pace.loc["in_milligrams", ["text", "doubtful"]].tolist() == ["gradual hyperbolic", "P"]
    authors = pd.read_csv(f"{stem}_authors.csv").set_index("author")
    assert authors.loc["Horowitz and Taylor 2019", "label"] == "hyperbolic"
    svg = (tmp_path / "citalopram_hyperbolic.svg").read_text(encoding="utf-8")
    assert STATEMENT in svg
    assert (tmp_path / "citalopram_hyperbolic.png").stat().st_size > 10_000
    assert all(f"wrote {path}" in text for path in tmp_path.iterdir())


def test_a_csv_file_is_a_schedule(tmp_path):
    file = tmp_path / "plan.csv"
    file.write_text("day,dose\n0,105\n6,73\n13,51\n20,37\n27,25\n34,18\n41,12\n48,9\n55,0\n")
    text = ask("Venlafaxine XR", "150", "--schedule", str(file), into=tmp_path / "out")
    assert "venlafaxine, 150 mg/day: free form, over 55 days" in text
    assert "steps before the one to 0 (median):            30.07 % of the dose before" in text
    assert "shape:                                         exponential" in text
    assert "at the receptor: abrupt" in text


def test_problems_of_a_csv_file_have_their_rows(tmp_path):
    file = tmp_path / "plan.csv"
    file.write_text("day;dose\n0;ten\n5;-1\n")
    text = refused("sertraline", "50", "--schedule", str(file), into=tmp_path / "out")
    assert "separated by semicolons" in text
    assert "plan.csv, row 2, column dose" in text
    assert "plan.csv, row 3, column dose" in text


def test_every_problem_of_a_request_is_named_at_once(tmp_path):
    text = refused(
        "citalopran", "20", "--unit", "mg", "--kind", "hyperbol", "--liquid", "2",
        "--tau-days", "0", into=tmp_path,
    )  # fmt: skip
    assert "did you mean 'citalopram' or 'escitalopram'?" in text
    assert "'mg': allowed: mg/day, ug/day, mg/week" in text
    assert "did you mean 'hyperbolic'?" in text
    assert "a liquid needs both" in text
    assert "column --tau-days" in text
    assert "cannot be turned into mg" in refused(
        "citalopram", "20", "--unit", "drops/day", "--kind", "micro", "--days", "9", into=tmp_path
    )


@pytest.mark.parametrize("kind", [kind for kind in NEEDS if kind != "free_form"])
def test_what_a_kind_lacks_is_named_and_what_it_has_no_use_for(kind, tmp_path):
    text = refused("citalopram", "20", "--kind", kind, into=tmp_path)
    for name in NEEDS[kind]:
        assert f"column --{name.replace('_', '-')}: is missing" in text
    text = refused("citalopram", "20", "--kind", kind, "--schedule", "x.csv", into=tmp_path)
    assert f"column --schedule: has no use in a schedule of the kind {kind}" in text


def test_numbers_that_make_no_schedule(tmp_path):
    linear = ("citalopram", "20", "--kind", "linear")
    assert "not both" in refused(
        *linear, "--days", "28", "--steps", "5", "--hold-days", "7", into=tmp_path
    )
    assert "divides the 30 days" in refused(
        *linear, "--days", "30", "--hold-days", "7", into=tmp_path
    )
    assert "ten years" in refused(*linear, "--days", "9000", "--steps", "5", into=tmp_path)
    assert "is missing; allowed: linear" in refused("citalopram", "20", into=tmp_path)
    assert "equal falls of occupancy cannot be computed" in refused(
        "lithium", "900", "--kind", "micro", "--days", "90", into=tmp_path
    )
    assert "citalopram_sert_horowitz2019" in refused(
        *linear, "--days", "28", "--steps", "5", "--curve", "horowitz", into=tmp_path
    )


def test_a_drug_without_a_curve_has_its_pace_in_doses(tmp_path):
    text = ask(
        "buprenorphine-naloxone", "16", "--kind", "linear", "--days", "28", "--hold-days", "4",
        into=tmp_path,
    )  # fmt: skip
    assert "Occupancy is not computed: no source for an occupancy curve" in text
    assert "at the receptor: not assessable" in text
    assert "occupancy %" not in text
    steps = pd.read_csv(tmp_path / "buprenorphine_linear_steps.csv")
    assert steps["dose"].tolist() == [14, 12, 10, 8, 6, 4, 2, 0]
    assert steps["occupancy"].isna().all()


def test_doses_outside_the_fitted_range_are_computed_and_marked(tmp_path):
    text = ask(
        "sertraline", "300", "--kind", "linear", "--days", "56", "--steps", "3", into=tmp_path
    )
    assert "! outside the doses the occupancy curve was fitted to, 0 to 200 mg/day" in text
    assert [line for line in text.splitlines() if "300!" in line]
    assert not [line for line in text.splitlines() if "200!" in line]
    steps = pd.read_csv(tmp_path / "sertraline_linear_steps.csv")
    assert not steps["outside_fitted"].any()


def test_units_are_turned_into_milligrams_a_day(tmp_path):
    same = [
        ask("citalopram", dose, "--unit", unit, "--kind", "exponential", "--days", "56",
            "--steps", "9", "--lowest-dose", lowest, into=tmp_path / name)
        for name, dose, unit, lowest in (
            ("a", "20", "mg/day", "0.5"),
            ("b", "20000", "ug/day", "500"),
            ("c", "140", "mg/week", "3.5"),
        )
    ]  # fmt: skip
    assert len({text.split("wrote")[0] for text in same}) == 1


def test_every_line_fits_a_terminal_and_nothing_is_a_missing_number(tmp_path):
    for words in (
        ("PP1M", "3", "--kind", "linear", "--days", "0", "--steps", "1"),
        ("fluoxetine", "20", "--kind", "alternate-day", "--days", "28"),
        ("clozapine", "300", "--kind", "cut-and-hold", "--cut", "25", "--hold-days", "14",
         "--lowest-dose", "6.25"),
    ):  # fmt: skip
        text = ask(*words, into=tmp_path)
        assert max(map(len, text.split("wrote")[0].splitlines())) <= 100
        assert "nan" not in text.replace("nance", "")
        assert "None" not in text
