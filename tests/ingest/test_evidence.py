"""Published evidence is refused with every problem at once, and read without loss otherwise."""

import pytest

import made_up
from conftest import ROOT
from discontinuation.ingest.evidence import find_collections, read_collection
from discontinuation.ingest.gather import gather
from discontinuation.problems import InvalidInput


def refused(folder):
    with pytest.raises(InvalidInput) as refusal:
        read_collection(folder)
    return [str(problem) for problem in refusal.value.problems]


def edit(folder, table, old, new, encoding="utf-8"):
    path = folder / f"{table}.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_bytes(text.replace(old, new).encode(encoding))


@pytest.fixture
def folder(tmp_path):
    return made_up.write_csv(tmp_path / "evidence", made_up.tables())


def test_sound_tables_are_read_whole(folder):
    collection = read_collection(folder)
    assert {name: len(t.records) for name, t in collection.current.items()} == {
        "sources": 3, "studies": 3, "arms": 6, "results": 8, "effects": 0,
    }  # fmt: skip


def test_missing_column_is_named(folder):
    edit(folder, "results", "event_free,", "evnt_free,")
    problems = refused(folder)
    assert any(
        "results.csv, row 1, column event_free: the column is missing" in p for p in problems
    )
    assert any("evnt_free" in p and "did you mean 'event_free'" in p for p in problems)


@pytest.mark.parametrize(
    ("table", "old", "new", "said"),
    [
        ("results", ",0.85,", ",1.2,", ["row 4, column event_free", "'1.2'", "from 0 to 1"]),
        ("results", ",100,,15,", ",100,,150,", ["row 4, column events", "more than n 100"]),
        ("results", ",100,,15,", ",400,,15,", ["row 4, column n", "100 randomised"]),
        ("results", ",0.85,", ",0.58,", ["row 4, column event_free", "about 0.850"]),
        ("results", ",0.85,", ',"0,85",', ["row 4, column event_free", "point, not a comma"]),
        ("results", "crude", "crued", ["column estimator", "did you mean 'crude'"]),
        ("arms", "abrupt", "abrubt", ["row 3, column strategy", "maintain, abrupt, taper"]),
        ("arms", "Alpha,placebo", "Alhpa,placebo", ["row 3, column study", "Alhpa", "Alpha"]),
        ("arms", "maintain,,", "maintain,7,", ["row 2, column taper_days", "has no taper"]),
        ("studies", ",2020,", ",20.5,", ["column year", "a whole number"]),
        ("sources", "primary", "primary ", ["column kind", "space"]),
        ("sources", "Alpha 2020", "=HYPERLINK(1)", ["column citation", "a spreadsheet would run"]),
    ],
)  # fmt: skip
def test_each_problem_names_row_column_value_and_rule(folder, table, old, new, said):
    path = folder / f"{table}.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    text = "\n".join(refused(folder))
    assert f"{table}.csv" in text
    for words in said:
        assert words in text


def test_survival_never_rises(folder):
    rows = made_up.tables()
    rows["results"][1] |= {"events": 2, "event_free": 0.98}
    made_up.write_csv(folder, rows)
    assert "higher than the 0.95 of an earlier week (row 2)" in refused(folder)[0]


def test_duplicate_row_names_the_first(folder):
    rows = made_up.tables()
    rows["results"].append(dict(rows["results"][2], week="4.0"))
    made_up.write_csv(folder, rows)
    (problem,) = refused(folder)
    assert "results.csv, row 10" in problem
    assert "duplicate of row 4" in problem


def test_broken_encoding_is_reported_with_its_row_and_the_rest_is_checked(folder):
    edit(folder, "arms", "placebo", "plac\xe9bo", encoding="cp1252")
    edit(folder, "studies", "antidepressant", "antidepresant")
    text = "\n".join(refused(folder))
    assert "arms.csv, row 3" in text and "not UTF-8" in text
    assert "did you mean 'antidepressant'" in text


def test_semicolons_and_crlf_are_named_and_the_cells_are_checked_all_the_same(folder):
    path = folder / "results.csv"
    text = path.read_text().replace(",", ";").replace("0.85", "0,85").replace("\n", "\r\n")
    path.write_bytes(text.encode())
    problems = refused(folder)
    assert "separated by semicolons" in problems[0] and "CRLF" in problems[0]
    assert any("row 4, column event_free" in p and "point, not a comma" in p for p in problems)


def test_crlf_alone_and_a_byte_order_mark_are_harmless(folder):
    path = folder / "arms.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(read_collection(folder).current["arms"].records) == 6


def test_ragged_row_is_named(folder):
    path = folder / "sources.csv"
    path.write_text(path.read_text() + "short,row\n")
    assert any("row 5: has 2 cells; allowed: 6" in problem for problem in refused(folder))


def test_everything_is_reported_at_once(folder):
    edit(folder, "results", ",0.85,", ",1.2,")
    edit(folder, "arms", "abrupt", "sudden")
    edit(folder, "studies", "randomised,yes", "randomised,maybe")
    (folder / "sources.csv").write_text("source\n")
    places = {problem.split(".csv")[0] + ".csv" for problem in refused(folder)}
    assert places == {"results.csv", "arms.csv", "studies.csv", "sources.csv"}


def test_missing_file_and_missing_folder(folder, tmp_path):
    (folder / "arms.csv").unlink()
    assert refused(folder) == ["evidence/arms.csv: the file is missing"]
    assert "no such folder" in refused(tmp_path / "nowhere")[0]


def test_workbook_beside_tables_is_ambiguous(folder):
    (folder / "review.xlsx").write_bytes(b"")
    assert "allowed: one workbook, or CSV tables" in refused(folder)[0]


def corrected(rows, **correction):
    blank = dict.fromkeys(["arm", "outcome", "week", "estimator", "second_value", "source"], "")
    rows["corrections"] = [{**blank, "decision": "second", "reason": "read again", **correction}]
    return rows


def test_correction_changes_the_cell_and_leaves_the_first_reading(tmp_path):
    rows = corrected(
        made_up.tables(), table="arms", study="Gamma", arm="placebo", column="strategy",
        first_value="unspecified", used_value="abrupt",
    )  # fmt: skip
    collection = read_collection(made_up.write_csv(tmp_path / "c", rows))
    assert collection.first["arms"].records[5]["strategy"] == "unspecified"
    assert collection.current["arms"].records[5]["strategy"] == "abrupt"
    assert collection.corrections_applied == 1


def test_correction_of_a_value_that_is_not_there_is_refused(tmp_path):
    rows = corrected(
        made_up.tables(), table="arms", study="Gamma", arm="placebo", column="strategy",
        first_value="taper", used_value="abrupt",
    )  # fmt: skip
    (problem,) = refused(made_up.write_csv(tmp_path / "c", rows))
    assert "corrections.csv, row 2" in problem and "no cell of arms.csv" in problem


def test_correction_that_makes_the_table_impossible_is_refused(tmp_path):
    rows = corrected(
        made_up.tables(), table="results", study="Gamma", arm="placebo", column="events",
        first_value="24", used_value="240",
    )  # fmt: skip
    assert "more than n 60" in refused(made_up.write_csv(tmp_path / "c", rows))[0]


def test_two_folders_of_one_name_are_refused(tmp_path):
    for parent in ("a", "b"):
        made_up.write_csv(tmp_path / parent / "review", made_up.tables())
    sources = [{"folder": f"{parent}/review", "use": "include"} for parent in ("a", "b")]
    with pytest.raises(InvalidInput, match="two folders of evidence have this name"):
        find_collections(sources, [tmp_path])


def test_same_trial_in_two_collections_is_named_and_shares_a_cohort(tmp_path):
    mine = made_up.tables()
    theirs = made_up.tables()
    theirs["studies"][1] |= {"study": "BetaB", "registration": "NCT1"}
    theirs["studies"] = theirs["studies"][1:2]
    theirs["arms"] = [dict(row, study="BetaB") for row in theirs["arms"][2:4]]
    theirs["results"] = [dict(row, study="BetaB") for row in theirs["results"][4:6]]
    collections = [
        read_collection(made_up.write_csv(tmp_path / name, rows))
        for name, rows in (("mine", mine), ("theirs", theirs))
    ]
    gathered = gather(collections)
    (pair,) = gathered.duplicates.to_dict("records")
    assert (pair["study"], pair["same_as"]) == ("BetaB", "Beta")
    assert "publication" in pair["reason"] and "arm sizes" in pair["reason"]
    cohorts = gathered.current["studies"].set_index("study")["cohort"]
    assert cohorts["BetaB"] == cohorts["Beta"] == "Beta"


def test_same_key_in_two_collections_stays_two_records(tmp_path):
    folders = [made_up.write_csv(tmp_path / name, made_up.tables()) for name in ("one", "two")]
    gathered = gather([read_collection(folder) for folder in folders])
    studies = gathered.current["studies"]
    assert studies["study"].tolist() == [
        "Alpha", "Beta", "Gamma", "Alpha@two", "Beta@two", "Gamma@two",
    ]  # fmt: skip
    assert studies["cohort"].nunique() == 3
    assert gathered.current["results"]["study"].isin(studies["study"]).all()


def test_bundled_evidence_is_sound():
    collection = read_collection(ROOT / "data" / "published")
    assert collection.corrections_applied > 20
