"""The parts of a draft: how values, names and dates are understood, and how YAML is written."""

import math

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from discontinuation.ingest.draft.columns import Column
from discontinuation.ingest.draft.dates import count_orders, date_orders, likely_century
from discontinuation.ingest.draft.guess import Guess, Remark
from discontinuation.ingest.draft.meanings import (
    end_reason_guess,
    event_values,
    sex_guess,
    strategy_of,
    taper_days_of,
    unit_guess,
)
from discontinuation.ingest.draft.reading import declared_path
from discontinuation.ingest.draft.scale_names import known_instrument, parse_known_name
from discontinuation.ingest.draft.timing import visit_day
from discontinuation.ingest.draft.vocabulary import fit
from discontinuation.ingest.draft.yaml_lines import yaml_text
from discontinuation.ingest.readers import SourceTable
from discontinuation.ingest.yaml_text import PlainLoader

TEXTS = st.text(st.characters(exclude_categories=[]), max_size=40)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = TEXTS | NUMBERS | st.booleans()


def groups(parts):
    return st.dictionaries(TEXTS, parts, max_size=7)


DOCUMENTS = st.dictionaries(
    TEXTS,
    st.recursive(
        LEAVES, lambda parts: groups(parts) | st.lists(groups(LEAVES), max_size=3), max_leaves=12
    ),
    min_size=1,
    max_size=5,
)


def column(values, name="x", label="", labels=None, missing=()):
    cells = pd.Series(list(values), dtype=object)
    table = SourceTable(
        file="t.csv",
        frame=pd.DataFrame({name: cells}),
        rows=np.arange(len(cells)),
        row_word="row",
        labels={name: label},
        value_labels={name: labels} if labels else {},
        user_missing={name: list(missing)} if missing else {},
    )
    return Column(table, name)


@given(DOCUMENTS)
@settings(deadline=None, max_examples=60)
def test_every_reader_of_yaml_reads_what_was_written(document):
    text = yaml_text(document)
    text.encode("utf-8")
    assert yaml.load(text, Loader=PlainLoader) == document
    assert yaml.safe_load(text) == document


@given(st.lists(TEXTS, min_size=1), TEXTS, TEXTS)
@settings(deadline=None, max_examples=60)
def test_guesses_and_remarks(examples, reason, remark):
    """A remark changes nothing, whatever it holds; a guess says why."""
    guess = Guess({"column": "x", "recode": {"010": "no"}}, reason, examples)
    document = {Remark(remark): None, "a": guess, "b": [{Remark(remark): None, "c": 1}]}
    asked = {"column": "x", "recode": {"010": "no"}, "confirm": True}
    asked |= {"reason": reason, "examples": examples}
    assert yaml.load(yaml_text(document), Loader=PlainLoader) == {"a": asked, "b": [{"c": 1}]}
    assert "    confirm: true\n" not in yaml_text(document).replace("  confirm: true\n", "", 1)


@pytest.mark.parametrize(
    ("values", "orders"),
    [
        (["2021-03-04", "2021-12-31"], ["iso", "ymd"]),
        (["2021-03-04T10:30", "2021-12"], ["iso"]),
        (["03/04/2021", "12/11/2021"], ["dmy", "mdy"]),
        (["03/04/2021", "13/11/2021"], ["dmy"]),
        (["03/04/2021", "11/13/2021"], ["mdy"]),
        (["13/08/12", "31/10/12"], ["ymd", "dmy"]),
        (["04MAR2021"], ["dmy"]),
        (["20210304"], ["ymd"]),
        (["2021", "2020"], []),
        (["12.5", "3.1"], []),
        (["31/02/2021"], []),
        (["today"], []),
        ([], []),
    ],
)
def test_orders_of_dates(values, orders):
    assert date_orders(values) == orders


@pytest.mark.parametrize(
    ("values", "century"),
    [(["13/08/12"], 2000), (["13/08/85"], 1900), (["1/1/85", "1/1/12"], None), (["2021"], None)],
)
def test_the_century_of_short_years(values, century):
    assert likely_century(values) == century


@pytest.mark.parametrize(
    ("numbers", "programs"),
    [
        ([44_000, 44_300], ["excel"]),
        ([22_000, 22_300], ["sas", "unix"]),
        ([27_000], ["sas"]),
        ([13_600_000_000], ["spss"]),
        ([1, 2, 3], []),
    ],
)
def test_day_counts_of_programs(numbers, programs):
    assert count_orders(np.array(numbers, dtype=float)) == programs


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Baseline", 0),
        ("BL", 0),
        ("Week 2", 14),
        ("WEEK12", 84),
        ("w6", 42),
        ("Day 10", 10),
        ("Month 6", 182.6),
        ("6m", 182.6),
        ("2 weeks", 14),
        ("End of Week 26", 182),
        ("V3", None),
        ("Screening", None),
        ("T1", None),
        ("Visit 2", None),
    ],
)
def test_what_the_name_of_a_visit_says(text, day):
    assert visit_day(text) == day


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ([0, 1, 2, 3, 9], [9]),
        ([0, 1, 2, 3, 8, 9], [8, 9]),
        ([0, 1, 2, 3, -9], [-9]),
        ([1, 7, -1], [-1]),
        ([0, 1, 2, -1], []),
        ([-3, -2, -1, 0, 3], []),
        ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], []),
        ([1, 2, 4, 8], []),
        ([18, 40, 99], []),
        ([18, 40, 80, 999], [999]),
        ([20, 40, 60, 99], []),
        ([0, 25, 50, 9999], [9999]),
        (["0", "1", "NA", "-99"], ["NA", -99]),
        (["0", "1", "two", "-99"], []),
        ([9], []),
    ],
)
def test_codes_that_lie_apart(values, missing):
    assert column(values).missing == missing


def test_a_day_may_be_negative_or_99():
    assert column([-7, 0, 7, 99], "study_day").missing == []
    assert column([-7, 0, 7, -999], "study_day").missing == [-999]
    assert column([0, 7, 14, 9], "x", label="Days since randomisation").missing == []


def test_what_the_file_itself_calls_missing():
    found = column([1, 2, 7, 97, 98], labels={97: "Refused", 98: "Not asked"}, missing=[(6, 8)])
    assert found.missing == [7, 97, 98]
    assert found.numbers.tolist() == [1, 2]
    assert [math.isnan(value) for value in found.every_number] == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("name", "instrument", "item", "when"),
    [
        ("HAMD1", "hamd17", "1", ""),
        ("ham_1_w2", "hamd17", "1", "w2"),
        ("HDRS_17_03", "hamd17", "03", ""),
        ("hamd17_total_v3", "hamd17", "total", "v3"),
        ("hamilton", "hamd17", "", ""),
        ("phq9_9", "phq9", "9", ""),
        ("PHQ3T1", "phq9", "3", "T1"),
        ("GAD7.sum", "gad7", "sum", ""),
        ("panss_g16_bl", "panss", "g16", "bl"),
        ("MADRS_Week_8", "madrs", "", "Week8"),
        ("dess_43", "dess43", "", ""),
        ("t0_dess_12", "dess43", "12", "t0"),
    ],
)
def test_names_of_items_of_known_instruments(name, instrument, item, when):
    found = parse_known_name(name)
    assert found is not None
    assert (found[0], found[1].item, found[1].when) == (instrument, item, when)


@pytest.mark.parametrize("name", ["HAMA1", "hama_total", "hammer", "phqx", "madrs_date", "hamd_x"])
def test_names_of_something_else(name):
    assert parse_known_name(name) is None


@pytest.mark.parametrize(
    ("text", "instrument"),
    [
        ("HAMD-17", "hamd17"),
        ("Hamilton Depression Rating Scale", "hamd17"),
        ("Montgomery-Åsberg", "madrs"),
        ("PHQ", "phq9"),
        ("GAD-7 total", "gad7"),
        ("CGI-S", "cgi_s"),
        ("Hamilton Anxiety", None),
        ("QIDS", None),
    ],
)
def test_names_of_instruments(text, instrument):
    assert known_instrument(text) == instrument


@pytest.mark.parametrize(
    ("text", "strategy", "days"),
    [
        ("Placebo", "unspecified", None),
        ("abrupt stop", "abrupt", None),
        ("4-week taper", "taper", 28),
        ("Taper over 14 days", "taper", 14),
        ("Taper to placebo", "taper", None),
        ("Gradual reduction", "taper", None),
        ("Maintenance", "maintain", None),
        ("continued sertraline", "maintain", None),
        ("Discontinuation", "unspecified", None),
        ("Sertraline 50 mg", "unspecified", None),
        ("continue or taper", "unspecified", None),
        ("Xanomeline High Dose", "unspecified", None),
        ("week 4 group", "unspecified", None),
    ],
)
def test_the_strategy_only_clear_words_tell(text, strategy, days):
    assert strategy_of(text) == strategy
    assert taper_days_of(text) == days


def test_sex_by_words_labels_and_flags():
    assert sex_guess(column(["f", "m"])).spec["recode"] == {"f": "female", "m": "male"}
    assert sex_guess(column([1.0, 2.0], labels={1.0: "Men", 2.0: "Women"})).spec["recode"] == {
        1: "male",
        2: "female",
    }
    assert sex_guess(column(["No", "Yes"], "is_male")).spec["recode"] == {
        "No": "female",
        "Yes": "male",
    }
    unclear = sex_guess(column([1, 2]))
    assert unclear.spec["recode"] == {}
    assert "what 1, 2 means is not clear" in unclear.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("COMPLETED", "completed"),
        ("ADVERSE EVENT", "adverse_event"),
        ("DEATH", "died"),
        ("LOST TO FOLLOW-UP", "lost"),
        ("WITHDRAWAL BY SUBJECT", "withdrew"),
        ("STUDY TERMINATED BY SPONSOR", "administrative"),
        ("PROTOCOL VIOLATION", "administrative"),
        ("LACK OF EFFICACY", "event"),
        ("Relapse", "event"),
        ("xyz", None),
    ],
)
def test_why_observation_ended(text, reason):
    guess = end_reason_guess(column([text]), [text])
    assert guess.spec["recode"].get(text) == reason
    assert (reason is None) == ("is not clear" in guess.reason)


def test_what_means_the_event():
    assert event_values(column([0, 1], "relapse"))[0] == [1]
    assert event_values(column([0, 1], "censored"))[0] == [0]
    assert event_values(column(["no", "yes"], "relapse"))[0] == ["yes"]
    assert event_values(column([1, 2], "status"))[0] == [2]
    labelled = column([1, 2], "status", labels={1: "Relapsed", 2: "Censored"})
    assert event_values(labelled)[0] == [1]
    assert event_values(column([1, 2, 3], "status"))[0] == []
    assert event_values(column(["a", "b"], "status"))[0] == []


def test_the_unit_of_a_dose():
    dose = column([1, 2], "dose")
    assert unit_guess(column(["mg", "µg"], "unit"), dose).spec["recode"] == {
        "mg": "mg/day",
        "µg": "ug/day",
    }
    assert "what puffs means is not clear" in unit_guess(column(["puffs"], "unit"), dose).reason
    assert unit_guess(None, column([1], "dose_ml")).spec == {"constant": "ml/day"}
    assert "assumed" in unit_guess(None, dose).reason


@pytest.mark.parametrize(
    ("role", "name", "label"),
    [
        ("person", "USUBJID", ""),
        ("person", "PatientId", ""),
        ("person", "V1", "Patient number"),
        ("person", "record_id", ""),
        ("arm", "randomised_group", ""),
        ("arm", "TRT01P", ""),
        ("age", "Age (years)", ""),
        ("sex", "is_male", ""),
        ("day", "days_since_randomisation", ""),
        ("week", "studyWeek", ""),
        ("dose", "new_dose_mg", ""),
        ("end_reason", "reason_for_dropout", ""),
        ("origin", "date_of_randomisation", ""),
        ("event_time", "time_to_relapse", ""),
    ],
)
def test_names_that_mean_something(role, name, label):
    assert fit(role, name, label) > 0


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("age", "page"),
        ("age", "dosage"),
        ("sex", "sextant"),
        ("person", "identity"),
        ("arm", "army"),
    ],
)
def test_names_that_only_hold_the_word(role, name):
    assert fit(role, name, "") == 0


def test_a_path_below_the_local_copy_is_written_without_it(tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    (mirror / "trial").mkdir(parents=True)
    path = mirror / "trial" / "a.csv"
    path.touch()
    assert declared_path(path) == path.resolve().as_posix()
    monkeypatch.setenv("DISCONTINUATION_DATA", str(mirror))
    assert declared_path(path) == "trial/a.csv"
    monkeypatch.delenv("DISCONTINUATION_DATA")
    monkeypatch.chdir(tmp_path)
    assert declared_path(path) == "mirror/trial/a.csv"
    (tmp_path / "data" / "raw").mkdir(parents=True)
    raw = tmp_path / "data" / "raw" / "b.csv"
    assert declared_path(raw) == "b.csv"
