"""Rows and cells become canonical ones exactly as declared, and every row left out is counted."""

import numpy as np
import pandas as pd
import pytest

from discontinuation.ingest.moments import Clock
from discontinuation.ingest.readers import SourceTable
from discontinuation.ingest.rows import (
    apply_where,
    combine_rows,
    join_columns,
    row_ranges,
    same_value,
    start_rows,
    take_one_per,
    unmatched,
    widen,
)
from discontinuation.ingest.values import Aim, make_column
from discontinuation.problems import InvalidInput
from discontinuation.tables.schema import Column
from ingest.small_dataset import load, write_dataset

COUNTED = Clock("counted", 0.0)


def rows(frame, **about):
    frame = pd.DataFrame(frame)
    return start_rows(SourceTable("f.csv", frame, np.arange(2, len(frame) + 2), "row", **about))


def made(frame, spec, kind="string", **about):
    column = Column("target", kind, "what it means")
    values, problems = make_column(
        rows(frame, **about), spec, Aim(column, "here", "d.yaml"), COUNTED, None
    )
    return [None if pd.isna(value) else value for value in values], [str(p) for p in problems]


def declared(**spec):
    return {"otherwise": "refuse", "separator": "-", "end_of_day": False, "unit": "days", **spec}


def test_codes_match_as_numbers_but_identifiers_as_text():
    cells = pd.Series(["1", "1.0", "01", " 1", "x", None], dtype=object)
    assert same_value(cells, [1]).tolist() == [True, True, False, True, False, False]
    assert same_value(pd.Series([1.0, 2.0, np.nan]), ["1"]).tolist() == [True, False, False]
    assert same_value(pd.Series([True, False]), [True]).tolist() == [True, False]


def test_recoding_refuses_what_is_not_listed_and_names_the_nearest():
    frame = {"sex": ["F", "M", "female", None]}
    spec = declared(column="sex", recode={"F": "female", "M": "male"})
    values, problems = made(frame, spec)
    assert values == ["female", "male", None, None]
    assert len(problems) == 1
    assert "row 4" in problems[0]
    assert made(frame, {**spec, "otherwise": "keep"})[0] == ["female", "male", "female", None]
    assert made(frame, {**spec, "otherwise": "blank"}) == (["female", "male", None, None], [])


def test_recoding_does_not_chain():
    spec = declared(column="x", recode={"1": "2", "2": "1"})
    assert made({"x": ["1", "2"]}, spec)[0] == ["2", "1"]


def test_missing_codes_of_the_declaration_and_of_the_file():
    frame = {"age": [41.0, -9.0, 97.0, 98.5, 999.0]}
    spec = declared(column="age", missing=[999])
    values, problems = made(frame, spec, "number", user_missing={"age": [-9, (97.0, 98.9)]})
    assert values == [41.0, None, None, None, None]
    assert problems == []


def test_labels_stand_for_codes_only_when_asked():
    labels = {"sex": {1.0: "Female", 2.0: "Male"}}
    frame = {"sex": [1.0, 2.0, 3.0]}
    with_labels, _ = made(frame, declared(column="sex", labels=True), value_labels=labels)
    assert with_labels == ["Female", "Male", "3"]
    assert made(frame, declared(column="sex"), value_labels=labels)[0] == ["1", "2", "3"]


def test_numbers_keep_identifiers_whole():
    assert made({"id": [101.0, 2.5]}, declared(column="id"))[0] == ["101", "2.5"]
    assert made({"id": ["007", "1e3"]}, declared(column="id"))[0] == ["007", "1e3"]


def test_units_are_changed_by_factor_then_addition():
    spec = declared(column="f", multiply=0.5, add=-16)
    assert made({"f": ["50", "68"]}, spec, "number")[0] == [9.0, 18.0]


def test_a_fraction_is_no_whole_number():
    values, problems = made({"n": ["2", "2.5"]}, declared(column="n"), "integer")
    assert values == [2, None]
    assert "whole number" in problems[0]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (declared(first=["a", "b"]), ["x", "q", None]),
        (declared(paste=["a", "b"]), ["x-p", None, None]),
        (declared(constant="k"), ["k", "k", "k"]),
    ],
)
def test_columns_put_together(spec, expected):
    assert made({"a": ["x", None, None], "b": ["p", "q", None]}, spec)[0] == expected


def test_true_and_false_only_as_declared():
    frame = {"flag": ["Y", "N", None, "yes"]}
    assert made(frame, declared(column="flag", equals=["Y"]), "boolean")[0] == [
        True,
        False,
        None,
        False,
    ]
    values, problems = made({"flag": ["maybe"]}, declared(column="flag"), "boolean")
    assert values == [None]
    assert "true or false" in problems[0]


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ({"is": ["2"]}, [2]),
        ({"not": ["2"]}, [1, 3, None]),
        ({"present": True}, [1, 2, 3]),
        ({"present": False}, [None]),
        ({"at_least": 2}, [2, 3]),
        ({"at_most": 2, "not": [1]}, [2]),
    ],
)
def test_conditions(condition, kept):
    chosen, problems = apply_where(rows({"x": [1, 2, 3, None]}), {"x": condition}, "p", "f")
    assert problems == []
    assert [None if pd.isna(value) else value for value in chosen.frame["x"]] == kept
    assert len(chosen.numbers) == len(kept)


def test_one_row_of_each_group_or_a_problem():
    frame = {"id": ["a", "a", "b"], "day": ["10", "9", "1"]}
    rule = {"columns": ["id"], "by": "day", "take": "first"}
    chosen, _ = take_one_per(rows(frame), rule, "p", "f")
    assert chosen.frame["day"].tolist() == ["9", "1"]
    assert chosen.numbers.tolist() == [3, 4]
    last, _ = take_one_per(rows(frame), {**rule, "take": "last"}, "p", "f")
    assert last.frame["day"].tolist() == ["10", "1"]
    tied = {"id": ["a", "a", "a"], "day": ["9", "9", "10"], "score": ["1", "2", "3"]}
    _, problems = take_one_per(rows(tied), rule, "p", "f")
    assert "nobody can tell" in str(problems[0])
    fine, problems = take_one_per(rows(tied), {**rule, "take": "last"}, "p", "f")
    assert fine.frame["day"].tolist() == ["10"]
    assert problems == []
    same = {**tied, "score": ["1", "1", "3"]}
    either, problems = take_one_per(rows(same), rule, "p", "f")
    assert len(either.frame) == 1
    assert problems == []


def test_rows_of_one_group_are_added_up_or_stand_for_one_another():
    frame = {"id": ["a", "b", "a"], "mg": ["4", "8", "6"]}
    summed, _ = combine_rows(rows(frame), {"columns": ["id"], "sum": "mg"}, "p", "f")
    assert summed.frame["mg"].tolist() == [10.0, 8.0]
    first, _ = combine_rows(rows(frame), {"columns": ["id"]}, "p", "f")
    assert first.frame["mg"].tolist() == ["4", "8"]


def test_a_join_neither_multiplies_nor_loses_rows():
    left = rows({"id": ["1", "2", "1"]})
    right = rows({"who": [1.0, 2.0], "arm": ["A", "B"]})
    join = {"file": "other", "on": {"id": "who"}, "unmatched": "refuse"}
    joined, problems = join_columns(left, right, join, "p", "f")
    assert problems == []
    assert joined.frame["other.arm"].tolist() == ["A", "B", "A"]
    _, problems = join_columns(left, rows({"who": ["1", "1"], "arm": "A"}), join, "p", "f")
    assert "more than once" in str(problems[0])
    _, problems = join_columns(left, rows({"who": ["1"], "arm": ["A"]}), join, "p", "f")
    assert "row 3" in str(problems[0])
    blank, problems = join_columns(
        left, rows({"who": ["1"], "arm": ["A"]}), {**join, "unmatched": "blank"}, "p", "f"
    )
    assert problems == []
    assert blank.frame["other.arm"].isna().tolist() == [False, True, False]


def test_columns_become_rows_by_pattern_by_name_and_by_star():
    frame = {
        "id": ["a", "b"],
        "HAMD1_W2": ["0", "1"],
        "HAMD17_W2": ["2", None],
        "HAMDx": ["9", "9"],
    }
    wide, _ = widen(rows(frame), {"pattern": "HAMD{item}_W{week}"}, "p", "f")
    assert wide.frame[["id", "item", "week", "value"]].astype(object).to_numpy().tolist() == [
        ["a", "1", "2", "0"],
        ["a", "17", "2", "2"],
        ["b", "1", "2", "1"],
        ["b", "17", "2", None],
    ]
    assert wide.numbers.tolist() == [2, 2, 3, 3]
    named, _ = widen(rows(frame), {"columns": {"HAMDx": "total"}}, "p", "f")
    assert named.frame["item"].tolist() == ["total", "total"]
    starred, _ = widen(rows(frame), {"columns": ["HAMD*"]}, "p", "f")
    assert sorted(set(starred.frame["item"])) == ["HAMD17_W2", "HAMD1_W2", "HAMDx"]
    _, problems = widen(rows(frame), {"columns": ["MADRS*"]}, "p", "f")
    assert "no column" in str(problems[0])
    _, problems = widen(rows({"value": ["1"], "A1": ["2"]}), {"columns": ["A1"]}, "p", "f")
    assert "would hide" in str(problems[0])


def test_row_ranges():
    assert row_ranges([5, 3, 4, 9]) == "3-5, 9"


def test_problems_beyond_the_first_fifty_are_named_by_their_rows(tmp_path):
    path = write_dataset(tmp_path)
    with (tmp_path / "scores.csv").open("a", encoding="utf-8") as stream:
        stream.writelines(f"01,{day},1,9\n" for day in range(100, 180))
    with pytest.raises(InvalidInput) as error:
        load(path)
    message = str(error.value)
    assert "row 8," in message
    assert "the same in 30 more rows: 58-87" in message


def test_every_problem_of_a_stage_is_in_one_message(tmp_path):
    path = write_dataset(tmp_path)
    text = (tmp_path / "people.csv").read_text(encoding="utf-8")
    text = (
        text.replace("F,41", "F,x").replace("02,1,14/02", "02,7,14/22").replace("2020,L", "2020,Q")
    )
    (tmp_path / "people.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput) as error:
        load(path)
    columns = {problem.column.split(" ")[0] for problem in error.value.problems}
    assert columns >= {"age", "grp", "randomised", "why"}


def test_people_who_are_not_listed_are_left_out_only_when_declared(tmp_path):
    path = write_dataset(tmp_path)
    with (tmp_path / "scores.csv").open("a", encoding="utf-8") as stream:
        stream.write("99,0,1,2\n")
    with pytest.raises(InvalidInput, match="99"):
        load(path)
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("- from: scores\n", "- from: scores\n      only_known_people: true\n"),
        encoding="utf-8",
    )
    dataset = load(path)
    (step,) = [s for s in dataset.steps if s.step == "people who are listed"]
    assert (step.rows_before, step.rows_after) == (7, 6)


def test_a_follow_up_as_long_as_the_records(tmp_path):
    path = write_dataset(tmp_path)
    text = path.read_text(encoding="utf-8")
    start, end = text.index("  follow_up:\n"), text.index("  doses:\n")
    text = (
        text[:start]
        + "  follow_up:\n    - observed: [assessments, doses, deteriorations]\n"
        + "      columns: {end_reason: {constant: unknown}}\n"
        + text[end:]
    )
    path.write_text(text, encoding="utf-8")
    follow_up = load(path).tables["follow_up"].set_index("person")
    assert follow_up["end"].to_dict() == {"01": 90, "02": 90, "03": 41, "04": 90}


def test_one_per_refuses_an_order_of_the_alphabet():
    frame = {"id": ["a", "a"], "visit": ["Week 12", "Week 2"]}
    rule = {"columns": ["id"], "by": "visit", "take": "first"}
    _, problems = take_one_per(rows(frame), rule, "p", "f")
    assert "alphabet" in str(problems[0])
    dates = {"id": ["a", "a"], "visit": ["2020-10-01", "2020-09-30"]}
    chosen, problems = take_one_per(rows(dates), rule, "p", "f")
    assert chosen.frame["visit"].tolist() == ["2020-09-30"]
    assert problems == []


def test_codes_that_the_file_declares_missing_stay_missing_when_columns_become_rows():
    source = rows({"id": ["a"], "A1": [9.0], "A2": [9.0]}, user_missing={"A1": [9.0]})
    wide, _ = widen(source, {"pattern": "A{item}"}, "p", "f")
    assert wide.frame["value"].isna().tolist() == [True, False]


def test_conditions_see_labels_and_declared_missing_codes_and_name_what_matches_nothing():
    labels = {"arm": {1.0: "Stop", 2.0: "Continue"}}
    source = rows({"arm": [1.0, 2.0, 99.0]}, value_labels=labels, user_missing={"arm": [99.0]})
    for wanted in (["Stop"], [1]):
        chosen, _ = apply_where(source, {"arm": {"is": wanted}}, "p", "f")
        assert chosen.frame["arm"].tolist() == [1.0]
    present, _ = apply_where(source, {"arm": {"present": True}}, "p", "f")
    assert present.frame["arm"].tolist() == [1.0, 2.0]
    assert unmatched(source, {"arm": {"is": ["Stopp", 2]}}) == "no row has arm 'Stopp'"


def test_decimal_commas_are_named_and_declared():
    spec = declared(column="mg")
    values, problems = made({"mg": ["50,5", "x"]}, spec, "number")
    assert values == [None, None]
    assert "declare decimal: ','" in problems[0]
    assert "decimal:" not in problems[1]
    assert made({"mg": ["50,5"]}, {**spec, "decimal": ","}, "number") == ([50.5], [])


def test_deteriorations_without_a_number_are_numbered_by_day(tmp_path):
    path = write_dataset(tmp_path)
    (tmp_path / "events.csv").write_text("id,onset,found\n03,26,28\n01,,50\n03,,10\n", "utf-8")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("        episode: nr\n", ""), encoding="utf-8")
    events = load(path).tables["deteriorations"]
    assert events[["person", "episode"]].to_numpy().tolist() == [["03", 2], ["01", 1], ["03", 1]]


def test_empty_text_is_blank():
    assert made({"x": ["", "a"]}, declared(column="x"))[0] == [None, "a"]


def test_strangers_who_are_left_out_cause_no_problem(tmp_path):
    path = write_dataset(tmp_path)
    with (tmp_path / "scores.csv").open("a", encoding="utf-8") as stream:
        stream.write("99,0,1,not a number\n")
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("- from: scores\n", "- from: scores\n      only_known_people: true\n"),
        encoding="utf-8",
    )
    assert len(load(path).tables["assessments"]) == 6


def test_a_constant_origin_needs_its_order(tmp_path):
    path = write_dataset(tmp_path)
    text = path.read_text(encoding="utf-8")
    start, end = text.index("time:"), text.index("instruments:")
    origin = "time:\n  date: {constant: '03/02/2020'}\n\n"
    path.write_text(text[:start] + origin + text[end:], encoding="utf-8")
    with pytest.raises(InvalidInput, match="order"):
        load(path)


def test_blank_cells_mean_what_is_declared():
    spec = declared(column="found", recode={"Opioid": 1}, blank=0)
    assert made({"found": ["Opioid", None]}, spec, "number")[0] == [1.0, 0.0]
