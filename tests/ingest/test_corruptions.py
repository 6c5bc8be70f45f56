"""Every way of breaking a dataset ends in a message that names the place and the rule.

None ends in a traceback, a hang, or a silent change. One line of the table is one corruption.
"""

import json
import zipfile

import pandas as pd
import pytest

from discontinuation.problems import InvalidInput
from ingest.small_dataset import DOSES, EVENTS, PEOPLE, SCORES, load, write_dataset


def replace(file, old, new, count=1):
    """Change the text of a file."""

    def corrupt(folder):
        path = folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text, old
        path.write_text(text.replace(old, new, count), encoding="utf-8", newline="\n")

    return corrupt


def content(file, data):
    """Give a file another content."""
    return lambda folder: (folder / file).write_bytes(
        data if isinstance(data, bytes) else data.encode()
    )


def append(file, line):
    """Add a row."""

    def corrupt(folder):
        path = folder / file
        path.write_bytes(path.read_bytes() + line.encode() + b"\n")

    return corrupt


def declare(old, new):
    """Change the declaration."""
    return replace("small.yaml", old, new)


def both(*changes):
    """Make several changes."""

    def corrupt(folder):
        for change in changes:
            change(folder)

    return corrupt


def people_frame():
    rows = [line.split(",") for line in PEOPLE.splitlines()]
    return pd.DataFrame(rows[1:], columns=rows[0])


def as_excel(change=None):
    """Keep the people in a workbook, after a change of its frame."""

    def corrupt(folder):
        frame = people_frame()
        if change:
            change(frame)
        frame.to_excel(folder / "people.xlsx", index=False)
        declare("people.csv", "people.xlsx")(folder)

    return corrupt


def as_spss(folder):
    """Keep the people in an SPSS file whose age 99 is declared missing by nobody."""
    import pyreadstat

    frame = people_frame().astype({"age": float})
    frame.loc[0, "age"] = 999.0
    pyreadstat.write_sav(frame, folder / "people.sav")
    declare("people.csv", "people.sav")(folder)


def truncated(writer, name):
    """Keep the people in another format and cut the file in half."""

    def corrupt(folder):
        path = folder / name
        writer(people_frame(), path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        declare("people.csv", name)(folder)

    return corrupt


def write_xpt(frame, path):
    import pyreadstat

    names = {"randomised": "rand", "last_contact": "lastcont"}
    pyreadstat.write_xport(frame.rename(columns=names), path, file_format_version=5)


def write_sav(frame, path):
    import pyreadstat

    pyreadstat.write_sav(frame, path)


def excel_dates(frame):
    frame["randomised"] = [43864.0, 43875.0, 43881.0, 43889.0]


def formula(frame):
    frame.loc[0, "age"] = "=40+1"


def not_a_zip(folder):
    (folder / "people.xlsx").write_bytes(b"PK\x03\x04 this is no workbook")
    declare("people.csv", "people.xlsx")(folder)


def other_zip(folder):
    with zipfile.ZipFile(folder / "people.xlsx", "w") as archive:
        archive.writestr("hello.txt", "hello")
    declare("people.csv", "people.xlsx")(folder)


def dataset_json(change):
    """Keep the people as CDISC Dataset-JSON 1.1, after a change of the document."""

    def corrupt(folder):
        frame = people_frame()
        document = {
            "datasetJSONCreationDateTime": "2024-01-01T00:00:00",
            "datasetJSONVersion": "1.1.0",
            "itemGroupOID": "IG.DM",
            "name": "DM",
            "label": "People",
            "records": len(frame),
            "columns": [
                {"itemOID": f"IT.{name}", "name": name, "label": name, "dataType": "string"}
                for name in frame.columns
            ],
            "rows": frame.to_numpy().tolist(),
        }
        change(document)
        (folder / "people.json").write_text(json.dumps(document), encoding="utf-8")
        declare("people.csv", "people.json")(folder)

    return corrupt


MB = "03/02/2020"
CORRUPTIONS = {
    # form of the files
    "file of 0 bytes": (content("people.csv", b""), ["people.csv", "empty"]),
    "missing file": (lambda f: (f / "doses.csv").unlink(), ["doses.path", "missing"]),
    "a folder instead of a file": (
        lambda f: ((f / "doses.csv").unlink(), (f / "doses.csv").mkdir()),
        ["files.doses.path", "missing"],
    ),
    "header only": (content("people.csv", PEOPLE.splitlines()[0]), ["people", "no row"]),
    "wrong delimiter declared": (
        declare("{path: people.csv}", '{path: people.csv, options: {delimiter: ";"}}'),
        ["people.csv"],
    ),
    "ragged row": (replace("people.csv", ",F,41,", ",F,"), ["people.csv", "row 2"]),
    "quotation mark left open": (replace("people.csv", "02,1", '"02,1'), ["people.csv", "quot"]),
    "null byte": (replace("scores.csv", "01,0,1,2", "01,0,1,\0"), ["scores.csv", "null"]),
    "mixed encodings": (
        content("people.csv", PEOPLE.replace("F,41", "é,41").encode() + b"05,1,\xe9,F,1,2,C\n"),
        ["people.csv"],
    ),
    "duplicate column": (replace("people.csv", "sex,age", "sex,sex"), ["people.csv", "sex"]),
    "blank column name": (replace("people.csv", "sex,age", "sex,"), ["people.csv"]),
    "a column renamed": (replace("people.csv", "grp", "group"), ["'grp'", "people.csv"]),
    "a column with another capital": (replace("people.csv", "age", "AGE"), ["'AGE'"]),
    "workbook named csv": (
        both(
            as_excel(),
            lambda f: (f / "people.xlsx").rename(f / "people.csv"),
            replace("small.yaml", "people.xlsx", "people.csv"),
        ),
        ["people.csv"],
    ),
    "text named xpt": (
        both(content("people.xpt", PEOPLE), declare("people.csv", "people.xpt")),
        ["people.xpt"],
    ),
    "a zip that is not one": (not_a_zip, ["people.xlsx"]),
    "a zip that is no workbook": (other_zip, ["people.xlsx"]),
    "html named xls": (
        both(content("people.xls", "<html><table></table>"), declare("people.csv", "people.xls")),
        ["people.xls"],
    ),
    "truncated workbook": (
        truncated(lambda d, p: d.to_excel(p, index=False), "people.xlsx"),
        ["people.xlsx"],
    ),
    "truncated parquet": (truncated(lambda d, p: d.to_parquet(p), "p.parquet"), ["p.parquet"]),
    "truncated stata": (
        truncated(lambda d, p: d.to_stata(p, write_index=False), "people.dta"),
        ["people.dta"],
    ),
    "truncated spss": (truncated(write_sav, "people.sav"), ["people.sav"]),
    "truncated xpt": (truncated(write_xpt, "people.xpt"), ["people.xpt"]),
    "unknown format": (
        both(content("people.xyz", PEOPLE), declare("people.csv", "people.xyz")),
        ["people.xyz"],
    ),
    "unknown option": (
        declare("{path: people.csv}", "{path: people.csv, options: {delimeter: ','}}"),
        ["delimeter", "delimiter"],
    ),
    "no such sheet": (
        both(
            as_excel(), declare("{path: people.xlsx}", "{path: people.xlsx, options: {sheet: X}}")
        ),
        ["people.xlsx", "Sheet1"],
    ),
    "dataset-json with a short row": (
        dataset_json(lambda d: d["rows"][1].pop()),
        ["people.json"],
    ),
    "dataset-json with fewer records than it says": (
        dataset_json(lambda d: d["rows"].pop()),
        ["people.json"],
    ),
    "json that is no dataset": (
        both(content("people.json", '{"a": 1}'), declare("people.csv", "people.json")),
        ["people.json"],
    ),
    "another hash": (
        declare("{path: people.csv}", "{path: people.csv, sha256: '" + "0" * 64 + "'}"),
        ["files.people.sha256"],
    ),
    # values
    "decimal commas beside decimal points": (
        both(
            replace("doses.csv", "90,20,mg", '90,"20,5",mg'),
            replace("doses.csv", "28,10,mg", "28,10.5,mg"),
        ),
        ["doses.csv", "row 2", "20,5"],
    ),
    "number with a unit": (replace("doses.csv", "90,20,mg", "90,20 mg,mg"), ["doses.csv", "mg"]),
    "number that is infinite": (replace("doses.csv", "0,90,20", "0,inf,20"), ["doses.csv", "inf"]),
    "unknown unit": (replace("doses.csv", "20,mg", "20,mcg"), ["doses.csv", "unit", "mg"]),
    "milligrams and micrograms mixed up": (
        replace("doses.csv", "14,20,mg", "14,20000,mg"),
        ["doses.csv", "row 4", "mixed up"],
    ),
    "dose above the largest": (replace("doses.csv", "90,20", "90,250"), ["200 or less"]),
    "dose below the smallest": (replace("doses.csv", "28,10", "28,0.5"), ["5 or more"]),
    "negative dose": (replace("doses.csv", "28,10", "28,-10"), ["doses.csv", "row 5", "0 or more"]),
    "dose left blank": (
        replace("doses.csv", "28,10,mg", "28,,mg"),
        ["doses.csv", "row 5", "blank"],
    ),
    "unknown drug": (
        declare("drug: {constant: sertraline}", "drug: {constant: sertralin}"),
        ["sertralin", "did you mean 'sertraline'"],
    ),
    "dates that parse two ways, declared wrongly": (
        declare("randomised, order: dmy", "randomised, order: mdy"),
        ["people.csv", "row 3", "14/02/2020"],
    ),
    "date without an order": (
        declare("date: randomised, order: dmy", "date: randomised"),
        ["order"],
    ),
    "impossible date": (replace("people.csv", MB, "31/02/2020"), ["people.csv", "calendar"]),
    "year of two digits": (replace("people.csv", MB, "03/02/20"), ["people.csv", "century"]),
    "date without a day": (replace("people.csv", MB, "02/2020"), ["people.csv", "row 2"]),
    "excel serial dates": (as_excel(excel_dates), ["people.xlsx", "randomised", "excel"]),
    "formula without a value": (as_excel(formula), ["people.xlsx", "formula"]),
    "formula-leading cell": (
        replace("people.csv", "02,1", "=1+1,1"),
        ["people.csv", "row 3", "formula"],
    ),
    "user-missing code read as a value": (as_spss, ["people.sav", "999", "120 or less"]),
    "missing code in a text file": (replace("people.csv", "F,41", "F,-9"), ["row 2", "-9"]),
    "unknown arm": (replace("people.csv", "02,1", "02,3"), ["people.csv", "row 3", "recoded"]),
    "unknown sex": (replace("people.csv", ",M,", ",male,"), ["people.csv", "row 3"]),
    "age of 410": (replace("people.csv", "F,41", "F,410"), ["people.csv", "row 2", "120"]),
    "item out of range": (
        replace("scores.csv", "01,0,1,2", "01,0,1,7"),
        ["scores.csv", "row 2", "0 to 4"],
    ),
    "unknown item": (replace("scores.csv", "04,14,2", "04,14,9"), ["scores.csv", "row 7", "item"]),
    "unknown instrument": (
        declare("instrument: {constant: scale}", "instrument: {constant: scales}"),
        ["scales", "did you mean 'scale'"],
    ),
    "score that is text": (replace("scores.csv", "02,7,1,0", "02,7,1,low"), ["row 4", "low"]),
    # rows
    "duplicate person": (append("people.csv", "02,1,14/02/2020,M,52,14/05/2020,C"), ["more than"]),
    "a person in two arms": (append("people.csv", "02,2,14/02/2020,M,52,14/05/2020,C"), ["02"]),
    "person id left blank": (replace("people.csv", "04,2", ",2"), ["people.csv", "row 5", "blank"]),
    "person id with a space": (replace("doses.csv", "01,0", " 01,0"), ["doses.csv"]),
    "duplicate answer": (append("scores.csv", "01,0,1,3"), ["scores.csv", "more than once"]),
    "answer of a stranger": (append("scores.csv", "09,0,1,3"), ["scores.csv", "row 8", "people"]),
    "dose of a stranger": (append("doses.csv", "09,0,1,20,mg"), ["doses.csv", "row 8"]),
    "overlapping doses": (replace("doses.csv", "03,14,28", "03,10,28"), ["row 5", "overlaps"]),
    "a dose interval that runs backwards": (
        replace("doses.csv", "03,14,28", "03,28,14"),
        ["doses.csv", "row 5", "not after the start"],
    ),
    "a dose interval without an end": (
        replace("doses.csv", "04,0,90", "04,0,"),
        ["row 7", "blank"],
    ),
    "two doses on one day": (
        both(
            declare(
                "unit: {column: unit, recode: {mg: mg/day}}",
                "unit: {column: unit, recode: {mg: mg/day}}\n      intervals: {from: changes}",
            ),
            append("doses.csv", "04,0,90,10,mg"),
        ),
        ["doses.csv", "two doses"],
    ),
    "follow-up that ends before it starts": (
        replace("people.csv", "14/05/2020", "14/01/2020"),
        ["people.csv", "row 3", "before the start"],
    ),
    "unknown reason for the end": (replace("people.csv", "2020,L", "2020,X"), ["row 4", "recoded"]),
    "two terminal reasons": (
        declare(
            "end_reason: {column: why, recode: {C: completed, L: lost}}\n",
            "end_reason: {column: why, recode: {C: completed, L: lost}}\n"
            "    - from: people\n      columns: {person: id, start: {constant: 0}, "
            "end: {constant: 9}, end_reason: {constant: lost}}\n",
        ),
        ["more than once"],
    ),
    "event after the follow-up": (replace("events.csv", "26,28", "26,80"), ["after the follow-up"]),
    "event before the follow-up": (replace("events.csv", "26,28", ",-3"), ["before the follow-up"]),
    "onset after detection": (replace("events.csv", "26,28", "29,28"), ["events.csv", "onset"]),
    "event of a stranger": (replace("events.csv", "03,1", "7,1"), ["events.csv", "row 2"]),
    "events all under one number": (append("events.csv", "03,1,30,31"), ["more than once"]),
    "rating after death": (
        both(declare("L: lost", "L: died"), append("scores.csv", "03,60,1,1")),
        ["scores.csv", "death"],
    ),
    "an empty table of arms": (
        declare("        - {study: s, arm: B, strategy: abrupt}\n", ""),
        ["people.csv", "arm"],
    ),
    "unknown strategy": (declare("strategy: abrupt", "strategy: abrubt"), ["abrubt", "abrupt"]),
    "an arm of an unknown study": (declare("study: s, arm: B", "study: t, arm: B"), ["studies"]),
    # declaration
    "unknown key": (declare("smallest_cell", "smalest_cell"), ["smalest_cell", "smallest_cell"]),
    "unknown canonical column": (declare("age: age", "agge: age"), ["agge", "age"]),
    "unknown file": (
        declare("- from: scores", "- from: score"),
        ["score", "did you mean 'scores'"],
    ),
    "a value that says two things": (
        declare("study: {constant: s}", "study: {constant: s, column: id}"),
        ["constant", "exactly one"],
    ),
    "a point in time without its way of counting": (
        declare("day: {day: day}", "day: day"),
        ["point in time"],
    ),
    "an unconfirmed guess": (
        declare("age: age", "age: {column: age, confirm: true}"),
        ["not confirmed"],
    ),
    "an item whose range runs backwards": (declare('"1": [0, 4]', '"1": [4, 0]'), ["backwards"]),
    "unknown definition": (
        declare("tables:\n", "events: {main: recordet}\n\ntables:\n"),
        ["recordet", "recorded"],
    ),
    "two origins of one person": (
        both(append("people.csv", "02,1,15/02/2020,M,52,14/05/2020,C")),
        ["more than one origin"],
    ),
    "no origin of a person": (replace("people.csv", MB, ""), ["no origin"]),
    "a day 0 among study days": (
        declare("day: {day: day}", "day: {study_day: day}"),
        ["study day 0"],
    ),
    "code in a value": (
        declare("study: {constant: s}", "study: {constant: s, eval: print(1)}"),
        ["eval", "unknown key"],
    ),
}


def test_there_are_at_least_sixty_distinct_corruptions():
    assert len(CORRUPTIONS) >= 60


def test_the_dataset_is_valid_before_it_is_broken(tmp_path):
    dataset = load(write_dataset(tmp_path))
    assert [len(dataset.tables[name]) for name in ("people", "doses", "assessments")] == [
        len(PEOPLE.splitlines()) - 1,
        len(DOSES.splitlines()) - 1,
        len(SCORES.splitlines()) - 1,
    ]
    assert len(dataset.tables["deteriorations"]) == len(EVENTS.splitlines()) - 1


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_is_named(name, tmp_path):
    corrupt, words = CORRUPTIONS[name]
    path = write_dataset(tmp_path)
    corrupt(tmp_path)
    with pytest.raises(InvalidInput) as error:
        load(path)
    message = str(error.value)
    for word in words:
        assert word in message, message
    assert "Traceback" not in message


def test_a_trial_in_which_nobody_got_worse_may_name_its_main_definition(tmp_path):
    path = write_dataset(tmp_path)
    declare("tables:\n", "events: {main: recorded}\n\ntables:\n")(tmp_path)
    (tmp_path / "events.csv").write_text("id,nr,onset,found\n", encoding="utf-8")
    assert len(load(path).tables["deteriorations"]) == 0
