"""A draft that is confirmed and filled in maps made-up and real trials to what they are."""

import datetime
import functools
import re

import numpy as np
import openpyxl
import pandas as pd
import pytest
import yaml

from discontinuation.ingest import dataset
from discontinuation.ingest.dataset import load_dataset
from discontinuation.ingest.declaration import read_declaration, unconfirmed
from discontinuation.ingest.draft import draft_declaration, new_command, write_draft
from discontinuation.ingest.yaml_text import PlainLoader
from discontinuation.problems import InvalidInput
from ingest.readers import writers

PEOPLE = [f"P{number:02d}" for number in range(1, 13)]
ARMS = ["Continue", "Taper over 4 weeks", "Placebo"] * 4
STRATEGIES = {"Continue": "maintain", "Taper over 4 weeks": "taper", "Placebo": "unspecified"}
AGES = [30 + 3 * i for i in range(12)]
SEXES = ["F", "M", "F"] * 4
ENDS = [40 if i % 5 == 0 else 56 for i in range(12)]
REASONS = ["Lost to follow-up" if end == 40 else "Completed" for end in ENDS]
RELAPSES = [30 if i % 4 == 0 else None for i in range(12)]
STEPS = {
    "Continue": [(0, 20)],
    "Taper over 4 weeks": [(0, 20), (14, 10), (28, 0)],
    "Placebo": [(0, 0)],
}
WEEKS = [0, 2, 5]
MOST = [4, 4, 4, 2, 2, 2, 4, 4, 4, 4, 4, 2, 2, 2, 4, 2, 2]
ORIGINS = [datetime.date(2021, 1, 20) + datetime.timedelta(days=11 * i) for i in range(12)]

FILLED = {
    "title": "A trial",
    "licence": "none",
    "citation": "none",
    "origin": "randomisation",
    "drug_class": "antidepressant",
    "design": "parallel_trial",
    "allocation_randomised": "true",
    "pace_randomised": "false",
    "source": "made up",
}


once = functools.cache(dataset.read_instruments)


@pytest.fixture(autouse=True)
def instruments_are_read_once(monkeypatch):
    monkeypatch.setattr(dataset, "read_instruments", once)


def answer(person, item, week):
    return (7 * person + 3 * item + week) % (MOST[item - 1] + 1)


def confirmed(text, **further):
    """Delete every `confirm`, fill what is blank, and write what some reasons ask for."""
    lines = []
    for line in text.splitlines():
        blank = re.fullmatch(r'(\s*(?:- )?(\w+):)(?: "")?', line)
        if line.strip() == "confirm: true":
            continue
        if blank and blank[2] in FILLED:
            line = f"{blank[1]} {FILLED[blank[2]]}"
        for said, written in further.items():
            if "reason:" in line and said in line:
                lines.append(re.sub(r"reason:.*", written, line))
        lines.append(line)
    return "\n".join(lines)


def load(name, paths, folder, edit=lambda text: text, **further):
    """Draft, confirm and load; the draft as it stands is refused for what is blank only."""
    text = draft_declaration(name, paths)
    drafted = folder / f"{name}.yaml"
    drafted.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        read_declaration(drafted)
    assert {problem.column for problem in caught.value.problems} >= {"title", "licence", "citation"}
    filled = [line for line in confirmed(text, **further).splitlines()]
    drafted.write_text(edit("\n".join(filled)), encoding="utf-8")
    return load_dataset(read_declaration(drafted)).tables


def rows(frame, *columns):
    """Give some columns as sorted rows."""
    return sorted(frame[list(columns)].itertuples(index=False, name=None))


def doses():
    """The doses as they are, in intervals."""
    return sorted(
        (person, float(start), float(stop), float(dose))
        for person, arm, end in zip(PEOPLE, ARMS, ENDS, strict=True)
        for (start, dose), stop in zip(
            STEPS[arm], [*(day for day, _ in STEPS[arm][1:]), end], strict=True
        )
    )


def answers():
    return sorted(
        (person, float(7 * week), "hamd17", str(item), float(answer(i, item, week)))
        for i, person in enumerate(PEOPLE)
        for week in WEEKS
        for item in range(1, 18)
    )


def assert_the_trial(tables, names=PEOPLE):
    renamed = dict(zip(PEOPLE, names, strict=True))
    people = tables["people"]
    assert rows(people, "person", "arm", "age", "sex") == sorted(
        (renamed[person], arm, float(age), {"F": "female", "M": "male"}[sex])
        for person, arm, age, sex in zip(PEOPLE, ARMS, AGES, SEXES, strict=True)
    )
    assert dict(rows(tables["arms"], "arm", "strategy")) == STRATEGIES
    taper = tables["arms"].set_index("arm")["taper_days"]
    assert taper["Taper over 4 weeks"] == 28
    assert taper.drop("Taper over 4 weeks").isna().all()
    assert rows(tables["assessments"], "person", "day", "instrument", "item", "value") == [
        (renamed[person], *rest) for person, *rest in answers()
    ]
    assert rows(tables["follow_up"], "person", "start", "end", "end_reason") == sorted(
        (renamed[person], 0.0, float(end), {"L": "lost", "C": "completed"}[reason[0]])
        for person, end, reason in zip(PEOPLE, ENDS, REASONS, strict=True)
    )


def assert_relapses(tables, definition="relapse"):
    assert rows(tables["deteriorations"], "person", "detected", "definition", "source") == [
        (person, float(day), definition, "reported")
        for person, day in zip(PEOPLE, RELAPSES, strict=True)
        if day is not None
    ]


def dated(origin, day):
    return None if day is None else origin + datetime.timedelta(days=day)


def four_files():
    """The trial as four tables with calendar dates."""
    visits = [(i, week) for i in range(12) for week in WEEKS]
    changes = [(i, *step) for i, arm in enumerate(ARMS) for step in STEPS[arm]]
    return {
        "people": {
            "patient_id": PEOPLE,
            "group": ARMS,
            "age": AGES,
            "sex": SEXES,
            "randomisation_date": ORIGINS,
        },
        "ratings": {
            "patient_id": [PEOPLE[i] for i, _ in visits],
            "visit_date": [dated(ORIGINS[i], 7 * week) for i, week in visits],
            **{
                f"HAMD{item}": [answer(i, item, week) for i, week in visits]
                for item in range(1, 18)
            },
        },
        "medication": {
            "patient_id": [PEOPLE[i] for i, _, _ in changes],
            "date_of_change": [dated(ORIGINS[i], day) for i, day, _ in changes],
            "drug": ["sertraline"] * len(changes),
            "new_dose": [float(dose) for _, _, dose in changes],
            "unit": ["mg"] * len(changes),
        },
        "outcome": {
            "patient_id": PEOPLE,
            "end_of_study_date": [dated(o, end) for o, end in zip(ORIGINS, ENDS, strict=True)],
            "end_reason": REASONS,
            "relapse_date": [dated(o, day) for o, day in zip(ORIGINS, RELAPSES, strict=True)],
        },
    }


def german(path, table):
    made = {
        name: [
            cell.strftime("%d.%m.%Y") if isinstance(cell, datetime.date) else cell for cell in cells
        ]
        for name, cells in table.items()
    }
    writers.write_text(path, made, delimiter=";", decimal=",", encoding="cp1252")


def tabs(path, table):
    writers.write_text(path, table, delimiter="\t")


def long_names_xpt(path, table):
    writers.write_xpt(path, table, version=8)


FORMATS = {
    "comma": [("csv", writers.write_text)] * 4,
    "german": [("csv", german)] * 4,
    "parquet": [("parquet", writers.write_parquet)] * 4,
    "json": [("json", writers.write_json)] * 2 + [("ndjson", writers.write_ndjson)] * 2,
    "statistical": [
        ("sav", writers.write_sav),
        ("xpt", long_names_xpt),
        ("dta", writers.write_dta),
        ("xlsx", writers.write_excel),
    ],
    "mixed": [
        ("xlsx", writers.write_excel),
        ("dta", writers.write_dta),
        ("tsv", tabs),
        ("sav", writers.write_sav),
    ],
    "r": [("rds", writers.write_rds)] * 4,
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=writers.needs_r if name == "r" else ()) for name in FORMATS]
)
def test_a_trial_in_four_files_of_any_format(name, tmp_path):
    paths = []
    for (file, table), (ending, write) in zip(four_files().items(), FORMATS[name], strict=True):
        paths.append(tmp_path / f"{file}.{ending}")
        write(paths[-1], table)
    tables = load("trial", paths, tmp_path)
    assert_the_trial(tables)
    assert_relapses(tables)
    assert rows(tables["doses"], "person", "start", "stop", "dose") == doses()
    assert set(tables["doses"]["unit"]) == {"mg/day"}
    assert set(tables["doses"]["drug"]) == {"sertraline"}


def wide_table(name="hamd_{item}_w{week}"):
    columns = {
        name.format(item=item, week=week): [float(answer(i, item, week)) for i in range(12)]
        for week in WEEKS
        for item in range(1, 18)
    }
    return {
        "id": [float(101 + i) for i in range(12)],
        "treatment": [float(1 + i % 3) for i in range(12)],
        "age": [float(age) for age in AGES],
        "gender": [1.0 if sex == "M" else 2.0 for sex in SEXES],
        **columns,
        "followup_days": [float(end) for end in ENDS],
        "dropout_reason": [1.0 if end == 40 else 2.0 for end in ENDS],
    }


NAMES = [
    "HAMD{item}W{week}",
    "w{week}_HDRS17_{item:02d}",
    "ham_d.{item}.wk{week}",
    "Ham{item}_Week_{week}",
    "Week_{week}_hrsd{item}",
]


@pytest.mark.parametrize("name", NAMES)
def test_items_and_weeks_in_the_names(name, tmp_path):
    table = wide_table(name)
    table["treatment"], table["gender"] = ARMS, SEXES
    table["dropout_reason"] = REASONS
    path = tmp_path / "export.parquet"
    writers.write_parquet(path, table)
    text = draft_declaration("export", [path])
    assert text.count("pattern:") == 1
    assert_the_trial(load("export", [path], tmp_path), list(map(str, range(101, 113))))


def test_a_wide_export_with_labels_and_codes(tmp_path):
    name = "hamd_{item}_w{week}"
    table = wide_table(name)
    places = {(3, 4, 2): -99.0, (5, 1, 0): -99.0}
    for (i, item, week), code in places.items():
        table[name.format(item=item, week=week)][i] = code
    labels = {
        "treatment": {float(code): arm for code, arm in enumerate(STRATEGIES, 1)},
        "gender": {1.0: "Male", 2.0: "Female"},
        "dropout_reason": {1.0: "Lost to follow-up", 2.0: "Completed the trial"},
    }
    scores = [column for column in table if column.startswith("hamd")]
    path = tmp_path / "export.sav"
    writers.write_sav(
        path, table, variable_value_labels=labels, missing_ranges={s: [-99] for s in scores}
    )
    tables = load("export", [path], tmp_path)
    blank = {(PEOPLE[i], 7.0 * week, str(item)) for i, item, week in places}
    names = dict(zip(PEOPLE, map(str, range(101, 113)), strict=True))
    assert rows(tables["assessments"], "person", "day", "item", "value") == sorted(
        (names[person], day, item, value)
        for person, day, _, item, value in answers()
        if (person, day, item) not in blank
    )
    assert rows(tables["people"], "person", "arm", "sex") == sorted(
        (names[p], arm, "male" if sex == "M" else "female")
        for p, arm, sex in zip(PEOPLE, ARMS, SEXES, strict=True)
    )
    assert dict(rows(tables["arms"], "arm", "strategy")) == STRATEGIES
    assert sorted(tables["follow_up"]["end_reason"].unique()) == ["completed", "lost"]


def test_columns_that_only_their_labels_explain(tmp_path):
    table = wide_table("hamd_{item}_w{week}")
    labels = {"id": "Patient number", "treatment": "Treatment group", "age": "Age in years"}
    labels |= {"gender": "Sex", "followup_days": "Duration of follow-up (days)"}
    labels |= {"dropout_reason": "Reason for discontinuation"}
    for week in WEEKS:
        for item in range(1, 18):
            when = f"week {week}" if week else "baseline"
            labels[f"hamd_{item}_w{week}"] = f"HAM-D item {item}, {when}"
    numbered = {f"V{i}": cells for i, cells in enumerate(table.values(), 1)}
    named = {f"V{i}": labels[name] for i, name in enumerate(table, 1)}
    values = {
        "V2": {float(code): arm for code, arm in enumerate(STRATEGIES, 1)},
        "V4": {1.0: "Male", 2.0: "Female"},
        f"V{len(table)}": {1.0: "Lost to follow-up", 2.0: "Completed"},
    }
    path = tmp_path / "survey.sav"
    writers.write_sav(path, numbered, column_labels=named, variable_value_labels=values)
    assert_the_trial(load("survey", [path], tmp_path), list(map(str, range(101, 113))))


def sdtm():
    """The trial in SDTM, with one person who failed the screening."""
    ids = [f"X-{person}" for person in PEOPLE]
    visits = [(i, week) for i in range(12) for week in WEEKS]
    changes = [
        (i, start, stop - 1, dose)
        for i, (arm, end) in enumerate(zip(ARMS, ENDS, strict=True))
        for (start, dose), stop in zip(
            STEPS[arm], [*(day for day, _ in STEPS[arm][1:]), end], strict=True
        )
    ]
    qs = [(i, week, item) for i, week in visits for item in range(1, 19)]
    total = {(i, week): sum(answer(i, item, week) for item in range(1, 18)) for i, week in visits}

    def study_day(day):
        return day + 1 if day >= 0 else day

    return {
        "dm": {
            "STUDYID": ["X"] * 13,
            "DOMAIN": ["DM"] * 13,
            "USUBJID": [*ids, "X-P99"],
            "RFSTDTC": [*(o.isoformat() for o in ORIGINS), None],
            "AGE": [*AGES, 50],
            "SEX": [*SEXES, "M"],
            "ARMCD": [*(arm[:3].upper() for arm in ARMS), "SCRNFAIL"],
            "ARM": [*ARMS, "Screen Failure"],
        },
        "ex": {
            "STUDYID": ["X"] * len(changes),
            "DOMAIN": ["EX"] * len(changes),
            "USUBJID": [ids[i] for i, *_ in changes],
            "EXTRT": ["SERTRALINE"] * len(changes),
            "EXDOSE": [dose for *_, dose in changes],
            "EXDOSU": ["mg"] * len(changes),
            "EXDOSFRQ": ["QD"] * len(changes),
            "EXROUTE": ["ORAL"] * len(changes),
            "EXSTDY": [study_day(start) for _, start, _, _ in changes],
            "EXENDY": [study_day(stop) for _, _, stop, _ in changes],
        },
        "ds": {
            "STUDYID": ["X"] * 14,
            "DOMAIN": ["DS"] * 14,
            "USUBJID": [*ids, ids[0], "X-P99"],
            "DSDECOD": [
                *("LOST TO FOLLOW-UP" if end == 40 else "COMPLETED" for end in ENDS),
                "FINAL LAB VISIT",
                "SCREEN FAILURE",
            ],
            "DSCAT": [*["DISPOSITION EVENT"] * 12, "OTHER EVENT", "DISPOSITION EVENT"],
            "DSSTDY": [*(study_day(end) for end in ENDS), 60, None],
        },
        "qs": {
            "STUDYID": ["X"] * len(qs),
            "DOMAIN": ["QS"] * len(qs),
            "USUBJID": [ids[i] for i, _, _ in qs],
            "QSTESTCD": [f"HAMD1{item:02d}" for _, _, item in qs],
            "QSTEST": [
                "HAMD1-Total Score" if item == 18 else f"HAMD1-Item {item}" for _, _, item in qs
            ],
            "QSCAT": ["HAMD 17"] * len(qs),
            "QSSTRESN": [
                total[i, week] if item == 18 else answer(i, item, week) for i, week, item in qs
            ],
            "QSDY": [study_day(7 * week) for _, week, _ in qs],
        },
        "adtte": {
            "STUDYID": ["X"] * 12,
            "USUBJID": ids,
            "PARAMCD": ["TTREL"] * 12,
            "PARAM": ["Time to relapse (days)"] * 12,
            "STARTDT": ORIGINS,
            "ADT": [
                dated(o, end if day is None else day)
                for o, end, day in zip(ORIGINS, ENDS, RELAPSES, strict=True)
            ],
            "AVAL": [
                (end if day is None else day) + 1 for end, day in zip(ENDS, RELAPSES, strict=True)
            ],
            "CNSR": [int(day is None) for day in RELAPSES],
        },
    }


@pytest.mark.parametrize("ending", ["xpt", "ndjson"])
def test_sdtm_and_adam(ending, tmp_path):
    write = {"xpt": writers.write_xpt, "ndjson": writers.write_ndjson}
    paths = []
    for domain, table in sdtm().items():
        paths.append(tmp_path / f"{domain}.{ending}")
        write[ending](paths[-1], table)
    tables = load("sdtm", paths, tmp_path)
    ids = [f"X-{person}" for person in PEOPLE]
    totals = tables["assessments"]["item"] == "total"
    assert totals.sum() == 12 * len(WEEKS)
    sums = tables["assessments"].groupby(["person", "day"])["value"].sum()
    assert (tables["assessments"].loc[totals, "value"].to_numpy() * 2 == sums.to_numpy()).all()
    assert_the_trial({**tables, "assessments": tables["assessments"].loc[~totals]}, ids)
    assert rows(tables["doses"], "person", "start", "stop", "dose") == [
        (f"X-{person}", *rest) for person, *rest in doses()
    ]
    assert set(tables["doses"]["route"]) == {"oral"}
    tables["deteriorations"]["person"] = tables["deteriorations"]["person"].str.removeprefix("X-")
    assert_relapses(tables, "TTREL")


@pytest.mark.parametrize("offset", [0, 1])
def test_the_first_day_of_adtte_is_told_by_its_dates(offset, tmp_path):
    table = sdtm()["adtte"]
    table["AVAL"] = [value - 1 + offset for value in table["AVAL"]]
    path = tmp_path / "adtte.parquet"
    writers.write_parquet(path, table)
    text = draft_declaration("adtte", [path])
    assert ("study_day: AVAL" if offset else "day: AVAL") in text
    assert f"ADT - STARTDT{' + 1' * offset}: the first day is {offset}" in " ".join(text.split())


def test_imputed_values_of_adam_are_left_out(tmp_path):
    table = {
        "USUBJID": ["A", "A", "B", "B"],
        "PARAMCD": ["MADRSTOT"] * 4,
        "PARAM": ["MADRS Total Score"] * 4,
        "AVAL": [30, 30, 25, 12],
        "ADY": [1, 15, 1, 15],
        "DTYPE": [None, "LOCF", None, None],
    }
    path = tmp_path / "adqs.parquet"
    writers.write_parquet(path, table)
    tables = load("adqs", [path], tmp_path)
    assert rows(tables["assessments"], "person", "day", "instrument", "item", "value") == [
        ("A", 0.0, "madrs", "total", 30.0),
        ("B", 0.0, "madrs", "total", 25.0),
        ("B", 14.0, "madrs", "total", 12.0),
    ]


def test_adverse_events_that_name_withdrawal_and_others(tmp_path):
    dm, ae = (
        sdtm()["dm"],
        {
            "USUBJID": ["X-P01", "X-P02"],
            "AESEQ": [1, 1],
            "AETERM": ["brain zaps", "headache"],
            "AEDECOD": ["Drug withdrawal syndrome", "Headache"],
            "AESTDY": [31, 4],
            "AEENDY": [40, 5],
        },
    )
    paths = [tmp_path / "dm.parquet", tmp_path / "ae.parquet"]
    for path, table in zip(paths, (dm, ae), strict=True):
        writers.write_parquet(path, table)
    found = load("ae", paths, tmp_path)["deteriorations"]
    assert rows(found, "person", "detected", "resolved", "adjudicated") == [
        ("X-P01", 30.0, 39.0, "withdrawal")
    ]
    ae["AEDECOD"] = ["Dizziness", "Headache"]
    writers.write_parquet(paths[1], ae)
    text = draft_declaration("ae", paths)
    assert "deteriorations:" not in text.split("# Columns that are not used")[0]
    assert "an adverse event is no deterioration by itself" in " ".join(text.split())


def test_files_about_the_design_are_left_alone(tmp_path):
    """Neither a domain that is unknown here nor a file without people becomes a table."""
    files = {
        "dm": sdtm()["dm"],
        "se": {
            "STUDYID": ["X", "X"],
            "DOMAIN": ["SE", "SE"],
            "USUBJID": ["X-P01", "X-P01"],
            "SESEQ": [1, 2],
            "SESTDTC": ["2021-01-20", "2021-02-20"],
        },
        "stages": {"weeks": [2, 4], "dose": [20, 10], "stage": ["start", "taper"]},
    }
    paths = []
    for name, table in files.items():
        paths.append(tmp_path / f"{name}.parquet")
        writers.write_parquet(paths[-1], table)
    text = draft_declaration("design", paths)
    assert set(yaml.load(text, Loader=PlainLoader)["tables"]) == {"studies", "arms", "people"}
    assert text.count("#   nothing of this file is used") == 2


def test_one_long_file_of_totals(tmp_path):
    """Attributes that repeat in every row make one row for each person."""
    visits = [(i, week) for i in range(12) for week in WEEKS]
    total = [sum(answer(i, item, week) for item in range(1, 18)) for i, week in visits]
    table = {
        "subject": [PEOPLE[i] for i, _ in visits],
        "arm": [ARMS[i] for i, _ in visits],
        "sex": [SEXES[i] for i, _ in visits],
        "visit": ["Baseline" if week == 0 else f"Week {week}" for _, week in visits],
        "hamd_total": total,
    }
    path = tmp_path / "visits.dta"
    writers.write_dta(path, table)
    tables = load("visits", [path], tmp_path)
    assert len(tables["people"]) == 12
    assert rows(tables["assessments"], "person", "day", "item", "value") == sorted(
        (PEOPLE[i], 7.0 * week, "total", float(value))
        for (i, week), value in zip(visits, total, strict=True)
    )
    assert set(tables["follow_up"]["end"]) == {35.0}


def test_attributes_that_stand_in_the_first_rows_only(tmp_path):
    """The arm stands in one row of each person, and not in the first."""
    table = {
        "id": ["a", "a", "a", "b", "b", "b"],
        "day": [0, 7, 14, 0, 7, 14],
        "group": [None, "taper", None, None, "placebo", None],
        "age": [40, None, None, 50, None, None],
        "madrs": [20, 21, 22, 30, 31, 32],
    }
    path = tmp_path / "visits.csv"
    writers.write_text(path, table)
    text = draft_declaration("visits", [path])
    assert "left out: rows without an arm: 4" in text
    people = load("visits", [path], tmp_path)["people"]
    assert rows(people, "person", "arm") == [("a", "taper"), ("b", "placebo")]
    del table["group"]
    table["age"] = [None, 40, None, None, 50, None]
    writers.write_text(path, table)
    people = load("visits", [path], tmp_path)["people"]
    assert rows(people, "person", "age") == [("a", 40.0), ("b", 50.0)]


def test_several_scales_in_one_long_table(tmp_path):
    table = {
        "id": ["a", "a", "a", "b", "b", "b"],
        "day": [0, 0, 7, 0, 7, 7],
        "scale": ["PHQ-9", "GAD-7", "PHQ-9", "PHQ-9", "GAD-7", "worries"],
        "item": ["1", "1", "9", "2", "7", "money"],
        "score": [3, 0, 1, 2, 3, 40],
    }
    path = tmp_path / "scores.csv"
    writers.write_text(path, table)
    tables = load("scales", [path], tmp_path)
    assert rows(tables["assessments"], "person", "day", "instrument", "item", "value") == [
        ("a", 0.0, "gad7", "1", 0.0),
        ("a", 0.0, "phq9", "1", 3.0),
        ("a", 7.0, "phq9", "9", 1.0),
        ("b", 0.0, "phq9", "2", 2.0),
        ("b", 7.0, "gad7", "7", 3.0),
        ("b", 7.0, "worries", "money", 40.0),
    ]


def test_doses_by_day_by_interval_and_by_drug(tmp_path):
    """A diary of days; intervals whose last day counts; a column for each drug."""
    people = {"id": ["a", "b"], "group": ["x", "y"]}
    writers.write_text(tmp_path / "people.csv", people)
    days = {
        "id": ["a"] * 4 + ["b"] * 4,
        "day": [0, 1, 2, 4] * 2,
        "sertraline_mg": [50, 50, 25, 25] * 2,
        "lithium_mg": [300] * 8,
    }
    writers.write_text(tmp_path / "days.csv", days)
    tables = load("days", [tmp_path / "people.csv", tmp_path / "days.csv"], tmp_path)
    one = tables["doses"].query("person == 'a'")
    assert rows(one, "drug", "start", "stop", "dose") == [
        ("lithium", 0.0, 3.0, 300.0),
        ("lithium", 4.0, 5.0, 300.0),
        ("sertraline", 0.0, 2.0, 50.0),
        ("sertraline", 2.0, 3.0, 25.0),
        ("sertraline", 4.0, 5.0, 25.0),
    ]
    spans = {
        "id": ["a", "a", "b"],
        "start_day": [0, 14, 0],
        "end_day": [13, 20, 20],
        "dose_mg": [10, 5, 10],
    }
    writers.write_text(tmp_path / "venlafaxine.csv", spans)
    tables = load("spans", [tmp_path / "people.csv", tmp_path / "venlafaxine.csv"], tmp_path)
    assert rows(tables["doses"], "person", "drug", "start", "stop", "dose") == [
        ("a", "venlafaxine", 0.0, 14.0, 10.0),
        ("a", "venlafaxine", 14.0, 21.0, 5.0),
        ("b", "venlafaxine", 0.0, 21.0, 10.0),
    ]


def test_two_doses_of_a_day_are_added_up_and_repeated_ones_are_not(tmp_path):
    added = {"id": ["a", "a", "a", "b"], "day": [0, 0, 1, 0], "dose": [10, 5, 15, 15]}
    same = {"id": ["a", "a", "a", "b"], "day": [0, 0, 1, 0], "dose": [15, 15, 15, 15]}
    for number, table in enumerate((added, same)):
        path = tmp_path / f"log{number}.csv"
        writers.write_text(path, table)
        tables = load(
            f"log{number}",
            [path],
            tmp_path,
            **{"no column names the drug": "constant: sertraline"},
        )
        assert rows(tables["doses"], "person", "start", "stop", "dose") == [
            ("a", 0.0, 2.0, 15.0),
            ("b", 0.0, 1.0, 15.0),
        ]


def diary():
    """One person's diary: three prompts a day, a dose, items, and one item asked each evening."""
    prompts = [(day, prompt) for day in range(30) for prompt in range(3)]
    start = datetime.date(2021, 3, 25)
    return {
        "date": [(start + datetime.timedelta(days=day)).strftime("%d/%m/%y") for day, _ in prompts],
        "dayno": [(83 + day) % 95 + 1 for day, _ in prompts],
        "time": [f"{9 + 4 * prompt}:00" for _, prompt in prompts],
        "mood_down": [(day + prompt) % 7 - 3 for day, prompt in prompts],
        "mood_calm": [(day * prompt) % 7 + 1 for day, prompt in prompts],
        "mood_well": [(2 * day + prompt) % 7 + 1 for day, prompt in prompts],
        "evn_slept": [day % 5 + 1 if day % 2 else None for day, _ in prompts],
        "evn_pain": [day % 3 + 1 if day % 2 else None for day, _ in prompts],
        "evn_work": [day % 2 if day % 2 else None for day, _ in prompts],
        "dose": [150 if day < 10 else 75 if day < 20 else 0 for day, _ in prompts],
    }


def test_a_diary_of_one_person(tmp_path):
    path = tmp_path / "diary.csv"
    writers.write_text(path, diary())
    text = draft_declaration("diary", [path])
    said = " ".join(text.split())
    assert "'dayno' does not run with it" in said
    assert "only as dmy do the rows follow one another in time" in said
    assert "order:" not in text.split("# Columns that are not used")[0].replace("the order", "")

    def choose(filled):
        return filled.replace("century: 2000", "century: 2000\n          order: dmy").replace(
            "{date: date, century: 2000", "{date: date, order: dmy, century: 2000"
        )

    tables = load(
        "diary",
        [path],
        tmp_path,
        choose,
        **{
            "no column names the drug": "constant: venlafaxine",
            "write constant: and the first date": 'constant: "2021-03-25"\n    order: iso',
        },
    )
    assert rows(tables["doses"], "start", "stop", "dose") == [
        (0.0, 10.0, 150.0),
        (10.0, 20.0, 75.0),
        (20.0, 30.0, 0.0),
    ]
    momentary = tables["assessments"].query("instrument == 'mood'")
    assert len(momentary) == 3 * 90
    assert momentary["day"].min() == pytest.approx(9 / 24)
    assert momentary.query("item == 'down'")["value"].min() == -3
    daily = tables["assessments"].query("instrument == 'evn'")
    assert sorted(daily["day"].unique()) == [float(day) for day in range(1, 30, 2)]


def test_dates_that_parse_in_two_ways_are_left_to_the_reader(tmp_path):
    table = {
        "id": ["a", "a", "b", "b"],
        "group": ["x", "x", "y", "y"],
        "date": ["03/04/2021", "01/05/2021", "02/03/2021", "05/06/2021"],
        "madrs": [30, 20, 25, 28],
    }
    path = tmp_path / "visits.csv"
    writers.write_text(path, table)
    text = draft_declaration("visits", [path])
    assert "every one can be read as dmy and as mdy: write the order" in " ".join(text.split())
    (tmp_path / "visits.yaml").write_text(confirmed(text), encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"columns\.day\.order: a date needs its 'order'"):
        read_declaration(tmp_path / "visits.yaml")


def test_every_guess_is_refused_until_it_is_confirmed(tmp_path):
    paths = []
    for file, table in four_files().items():
        paths.append(tmp_path / f"{file}.csv")
        writers.write_text(paths[-1], table)
    text = draft_declaration("trial", paths)
    guesses = text.count("confirm: true\n")
    kept = confirmed(text.replace("confirm: true", "confirm:  true"))
    (tmp_path / "trial.yaml").write_text(kept, encoding="utf-8")
    declaration = read_declaration(tmp_path / "trial.yaml")
    assert len(unconfirmed(declaration)) == guesses > 10
    with pytest.raises(InvalidInput, match="is a guess that is not confirmed"):
        load_dataset(declaration)
    content = yaml.load(text, Loader=PlainLoader)
    specifications = [
        spec
        for blocks in content["tables"].values()
        for block in blocks
        for spec in block.get("columns", {}).values()
        if isinstance(spec, dict) and spec.get("confirm")
    ]
    for spec in specifications:
        assert spec["reason"]
        assert "constant" in spec or 1 <= len(spec["examples"]) <= 3


def test_columns_that_are_not_used_are_listed_with_three_values(tmp_path):
    table = {
        "id": ["a", "b", "c", "d"],
        "group": ["x", "y", "x", "y"],
        "handed": ["left", "right", "left", "both"],
        "note": ["=1+1", "# no", "x: y", None],
        "empty": [None, None, None, None],
    }
    path = tmp_path / "people.csv"
    writers.write_text(path, table)
    listed = draft_declaration("people", [path]).split("# Columns that are not used")[1]
    assert "#   handed: left, right, both\n" in listed
    assert "#   note: =1+1, # no, x: y\n" in listed
    assert "#   empty: blank throughout\n" in listed
    assert "group" not in listed


def test_attributes_in_other_files_are_joined_and_strangers_left_out(tmp_path):
    files = {
        "randomisation": {
            "who": ["1", "1", "2", "3"],
            "treatment": ["Stop", "Stop", "Continue", "Stop"],
            "which": [1, 2, 1, 1],
        },
        "demographics": {
            "who": ["1", "2", "3", "4"],
            "age": [40, 50, 60, 70],
            "is_male": ["Yes", "No", "No", "Yes"],
        },
        "everybody": {"who": ["1", "2", "3", "4"], "project": ["27", "30", "27", "30"]},
        "withdrawal": {"who": ["1", "2", "4"], "withdrawal": [0, 3, 1], "when": [7, 13, 2]},
        "again": {"who": ["1", "1", "2"], "withdrawal": [2, 1, 0], "when": [14, 20, 2]},
    }
    paths = []
    for name, table in files.items():
        paths.append(tmp_path / f"{name}.csv")
        writers.write_text(paths[-1], table)
    tables = load("joined", paths, tmp_path)
    assert rows(tables["people"], "person", "study", "arm", "age", "sex") == [
        ("1", "27", "Stop", 40.0, "male"),
        ("2", "30", "Continue", 50.0, "female"),
        ("3", "27", "Stop", 60.0, "female"),
    ]
    assert dict(rows(tables["arms"], "arm", "study")) == {"Stop": "27", "Continue": "30"}
    assert set(tables["assessments"]["person"]) == {"1", "2"}


def test_several_sheets_of_a_workbook_are_several_files(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Personen 1"
    for record in (["id", "group"], ["a", "x"], ["b", "y"]):
        book.active.append(record)
    log = book.create_sheet("Dose log")
    for record in (["id", "day", "dose_mg"], ["a", 0, "NA"], ["a", 3, 5], ["b", 0, 10]):
        log.append(record)
    book.create_sheet("notes")
    book.save(tmp_path / "book.xlsx")
    text = draft_declaration("book", [tmp_path / "book.xlsx"])
    files = yaml.load(text, Loader=PlainLoader)["files"]
    assert list(files) == ["personen_1", "dose_log"]
    assert files["personen_1"]["options"] == {"sheet": "Personen 1"}
    assert files["dose_log"]["options"] == {"sheet": "Dose log", "missing": ["NA"]}
    assert "rows without a dose: 1" in text


def test_what_means_missing_is_guessed_where_it_lies_apart(tmp_path):
    table = {
        "id": [f"p{i}" for i in range(8)],
        "group": ["x", "y"] * 4,
        "age": [30, 40, 99, 35, 50, 61, 44, 39],
        **{f"phq{item}": [0, 1, 2, 3, 3, 2, 1, 0] for item in range(1, 10)},
        "madrs": ["12", "30", "NA", "7", "22", "15", "9", "11"],
    }
    table["age"][2] = 999
    table["phq3"][4] = 9
    table["phq5"][1] = -9
    path = tmp_path / "survey.csv"
    writers.write_text(path, table)
    text = draft_declaration("survey", [path])
    assert "options: {missing: [NA]}" in text
    assert "missing: [999]" in text
    assert "missing: [9, -9]" in text
    tables = load("survey", [path], tmp_path)
    assert tables["people"]["age"].isna().sum() == 1
    assert len(tables["assessments"]) == 9 * 8 - 2 + 7


def test_awkward_texts_come_back_word_for_word(tmp_path):
    """Names and values that YAML, spreadsheets or a comment could take for something else."""
    awkward = ["no", "010", "12:30", "a: b", "#5", 'it\'s "x"', "Ünï – ☃", "- x", "null", "{y}"]
    table = {
        "id": [f"p{i}" for i in range(30)],
        "group": awkward * 3,
        "on": ["1", "2"] * 15,
        "a: b #c": [1, 2, 3] * 10,
        "line\u2028break": ["x\ny", "# z", "{w}"] * 10,
    }
    path = tmp_path / "people.parquet"
    writers.write_parquet(path, table)
    tables = load("people", [path], tmp_path)
    assert sorted(tables["arms"]["arm"]) == sorted(awkward)
    assert list(tables["people"]["arm"]) == awkward * 3


def test_nothing_is_overwritten(tmp_path):
    path = tmp_path / "people.csv"
    writers.write_text(path, {"id": ["a", "b"], "group": ["x", "y"]})
    target = write_draft("trial", [path], tmp_path / "new" / "folder")
    assert target == tmp_path / "new" / "folder" / "trial.yaml"
    before = target.read_bytes()
    with pytest.raises(FileExistsError, match="left as it is"):
        write_draft("trial", [path], target.parent)
    assert target.read_bytes() == before


@pytest.mark.parametrize("name", ["My trial", "1trial", "", "../trial", "tri-al"])
def test_a_name_must_be_one(name, tmp_path):
    with pytest.raises(InvalidInput, match="allowed as a name"):
        write_draft(name, [], tmp_path)


def test_files_that_cannot_be_read_are_all_named_and_nothing_is_written(tmp_path):
    (tmp_path / "empty.csv").write_bytes(b"")
    good = tmp_path / "good.csv"
    writers.write_text(good, {"id": ["a", "b"]})
    paths = [tmp_path / "absent.csv", tmp_path / "empty.csv", good, good]
    with pytest.raises(InvalidInput) as caught:
        write_draft("trial", paths, tmp_path)
    said = str(caught.value)
    assert "absent.csv" in said
    assert "0 bytes" in said
    assert "given twice" in said
    assert not (tmp_path / "trial.yaml").exists()


def test_the_command_says_what_is_next(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    writers.write_text(tmp_path / "people.csv", {"id": ["a", "b"], "group": ["x", "y"]})
    said = new_command("trial", [tmp_path / "people.csv"])
    text = (tmp_path / "config" / "datasets" / "trial.yaml").read_text(encoding="utf-8")
    guesses = text.count("confirm: true\n")
    assert f"It holds {guesses} guesses" in said
    assert "discontinuation check trial" in said
    assert 'path: "people.csv"' in text or "path: people.csv" in text


@pytest.mark.parametrize(
    "table",
    [
        {"x": []},
        {"id": [], "group": []},
        {"id": ["a"]},
        {"value": [None, None]},
        {"id": ["a", "a", "a"], "day": [0, 0, 0], "score": [1, 1, 2]},
        {"id": [1, 2, 3], "relapse": [1, 1, 1], "time_to_relapse": [None, 2, 3]},
        {
            "id": ["a", "b"],
            "start_date": ["2021-01-01", None],
            "end_date": [None, None],
            "dose": [1, 2],
        },
        {"id": ["a", "b"], "hamd1": [None, None], "hamd2": [1, 2], "visit": [None, "x"]},
        {"USUBJID": ["a"], "PARAMCD": ["X"], "AVAL": [None], "CNSR": [0]},
        {"USUBJID": ["a"], "EXTRT": ["x"], "EXDOSE": [1]},
        {"USUBJID": ["a"], "QSTESTCD": ["x"]},
    ],
)
def test_scanty_files_are_drafted_all_the_same(table, tmp_path):
    path = tmp_path / "scanty.parquet"
    writers.write_parquet(path, table)
    text = draft_declaration("scanty", [path])
    assert isinstance(yaml.load(text, Loader=PlainLoader), dict)


def test_the_cdisc_pilot(shared_data, tmp_path):
    """ADSL, ADTTE, DS and EX: people, events and dispositions as the files count them."""
    folder = shared_data / "cdisc-pilot01-xpt"
    names = ["adam/adsl", "adam/adtte", "sdtm/ds", "sdtm/ex"]
    paths = [folder / f"{name}.xpt" for name in names]
    # Six people have no end of treatment; one of them left on the first day.
    tables = load(
        "pilot",
        paths,
        tmp_path,
        lambda text: text.replace(
            "    - from: ex\n", "    - from: ex\n      where: {EXENDY: {present: true}}\n"
        ),
    )
    assert len(tables["people"]) == 254
    assert tables["people"]["arm"].value_counts().to_dict() == {
        "Placebo": 86,
        "Xanomeline High Dose": 84,
        "Xanomeline Low Dose": 84,
    }
    events = tables["deteriorations"].merge(tables["people"], on="person")
    assert events["arm"].value_counts().to_dict() == {
        "Placebo": 29,
        "Xanomeline High Dose": 61,
        "Xanomeline Low Dose": 62,
    }
    assert tables["follow_up"]["end_reason"].value_counts()["completed"] == 110
    assert len(tables["doses"]) == 591 - 6


def test_kossakowskis_diary(shared_data):
    path = shared_data / "kossakowski-esm" / "ESMdata.csv"
    text = draft_declaration("kossakowski", [path])
    content = yaml.load(text, Loader=PlainLoader)
    instruments = content["instruments"]
    assert instruments["mood"]["items"]["down"] == [-3, 3]
    assert len(instruments["scl_90_r"]["items"]) == 13
    blocks = {b["columns"]["instrument"]["constant"]: b for b in content["tables"]["assessments"]}
    assert blocks["scl_90_r"]["combine"] == {"columns": ["date"]}
    assert blocks["mood"]["columns"]["day"]["time"] == "beeptime"
    (dose,) = content["tables"]["doses"]
    assert dose["columns"]["dose"]["column"] == "concentrat"
    assert dose["intervals"]["from"] == "days"
    assert "'dayno' does not run with it" in " ".join(text.split())


def test_the_opioid_trials(shared_data, tmp_path):
    folder = shared_data / "ctn0094-moud-trials" / "csv"
    names = ["everybody", "randomization", "treatment", "withdrawal", "demographics"]
    tables = load(
        "opioids",
        [folder / f"{name}.csv" for name in names],
        tmp_path,
        lambda text: re.sub(r"missing: \[NA\]", "missing: [NA]", text),
        **{"no column names the drug": "constant: buprenorphine"},
    )
    assert len(tables["people"]) == 2492
    assert set(tables["people"]["study"]) == {"27", "30", "51"}
    assert dict(rows(tables["arms"], "arm", "study"))["Methadone"] == "27"
    taken = pd.read_csv(folder / "treatment.csv")
    taken = taken.loc[taken["who"].astype(str).isin(tables["people"]["person"])]
    lengths = tables["doses"]["stop"] - tables["doses"]["start"]
    assert lengths.sum() == len(taken.drop_duplicates(["who", "when"]))
    amount = (lengths * tables["doses"]["dose"]).sum()
    assert amount == pytest.approx(taken["amount"].sum(), rel=1e-12)
    assert np.isin(tables["assessments"]["value"], [0, 1, 2, 3]).all()
