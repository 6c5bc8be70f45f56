"""Published evidence is refused with every problem at once, and read without loss otherwise."""

from pathlib import Path

import pytest

import made_up
from conftest import ROOT
from discontinuation.ingest.evidence import find_collections, read_collection
from discontinuation.ingest.gather import gather
from discontinuation.problems import InvalidInput
from discontinuation.tables.check import number


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


@pytest.mark.parametrize("text", ["1_0", "１０", "١٠", "infinity", "nan", "0x1", "1e999"])
def test_only_plain_numbers_are_numbers(folder, text):
    rows = made_up.tables()
    rows["results"][0]["week"] = text
    rows["results"][1]["n"] = text
    made_up.write_csv(folder, rows)
    problems = refused(folder)
    assert f"row 2, column week: '{text}': is not a number" in problems[0]
    assert f"row 3, column n: '{text}': is not a whole number" in problems[1]


@pytest.mark.parametrize("text", ["1", "+1", "1.", ".5", "1.5e2", "-2E-3"])
def test_plain_numbers(text):
    assert number(text) == float(text)


def test_counts_of_people_have_a_limit(folder):
    rows = made_up.tables()
    rows["arms"][0]["n_randomised"] = "1" + "0" * 30
    made_up.write_csv(folder, rows)
    assert "allowed: a whole number from 1 to 100000000" in refused(folder)[0]


CURVE = {"estimator": "kaplan_meier", "event_free": 0.5, "events": ""}
SCALE = {"estimator": "mean", "outcome": "score", "mean": 4, "event_free": "", "events": ""}
TIME = {"estimator": "survival_quantile", "outcome": "time", "event_free": 0.5, "events": ""}


@pytest.mark.parametrize(
    ("about", "values", "column", "said"),
    [
        (CURVE, {"event_free_lower": 0.5, "event_free_upper": 0.5},
         "event_free_lower", "without width; allowed: below event_free_upper, or both blank"),
        (CURVE, {"event_free_lower": 0, "event_free_upper": 1}, "event_free_lower", "says nothing"),
        (CURVE, {"event_free_lower": 0, "event_free_upper": 0.5},
         "event_free_upper", "cut at 0; allowed: above it"),
        (CURVE, {"event_free_lower": 0.5, "event_free_upper": 1},
         "event_free_lower", "cut at 1; allowed: below it"),
        (SCALE, {"sd": 0}, "sd", "allowed: above 0, or blank if 0 is what is printed"),
        (SCALE, {"se": "0.0"}, "se", "allowed: above 0"),
        (SCALE, {"estimator": "restricted_mean", "sd": 0}, "sd", "allowed: above 0"),
        (SCALE, {"mean_lower": 4, "mean_upper": 4}, "mean_lower", "without width"),
        (SCALE, {"sd": 2, "n": 1}, "n", "allowed: 2 or more, or blank"),
        (TIME, {"week": 0}, "week", "allowed: above 0"),
        (TIME, {"week_se": 0}, "week_se", "allowed: above 0"),
        (TIME, {"week_lower": 0, "week_upper": 9}, "week_lower", "allowed: above 0"),
        (TIME, {"week_lower": 4, "week_upper": 4}, "week_lower", "without width"),
    ],
)  # fmt: skip
def test_figures_without_precision_are_refused(folder, about, values, column, said):
    rows = made_up.tables()
    rows["results"] = rows["results"][:1]
    rows["results"][0] |= about | values
    made_up.write_csv(folder, rows)
    (problem,) = refused(folder)
    assert f"results.csv, row 2, column {column}: " in problem and said in problem


@pytest.mark.parametrize(
    ("about", "values"),
    [
        (CURVE, {"event_free": 1, "event_free_lower": 0.9, "event_free_upper": 1}),
        (CURVE, {"event_free": 0, "event_free_lower": 0, "event_free_upper": 0.2}),
        (SCALE, {"n": 1}),
        (TIME, {"week_lower": 2}),
    ],
)
def test_figures_that_can_be_used_stay(folder, about, values):
    rows = made_up.tables()
    rows["results"] = rows["results"][:1]
    rows["results"][0] |= about | values
    made_up.write_csv(folder, rows)
    assert len(read_collection(folder).current["results"].records) == 1


@pytest.mark.parametrize(
    ("values", "column", "said"),
    [
        ({"lower": 2, "upper": 2}, "lower", "without width"),
        ({"se": 0}, "se", "allowed: above 0"),
        ({"p_value": 0, "p_relation": "exact"}, "p_value", "above 0 and below 1"),
        ({"p_value": 1, "p_relation": "exact"}, "p_value", "above 0 and below 1"),
    ],
)
def test_effects_without_precision_are_refused(folder, values, column, said):
    rows = made_up.tables()
    effect = {
        "study": "Alpha", "kind": "trial", "comparison": "placebo against drug",
        "contrast": "stop_vs_continue", "outcome_type": "relapse", "measure": "hazard_ratio",
        "estimate": 2,
    }  # fmt: skip
    rows["effects"] = [effect | values]
    made_up.write_csv(folder, rows)
    (problem,) = refused(folder)
    assert f"effects.csv, row 2, column {column}: " in problem and said in problem


def test_effect_of_a_trial_that_is_not_described_is_refused(folder):
    rows = made_up.tables()
    effect = {
        "study": "Alhpa", "comparison": "placebo against drug", "contrast": "stop_vs_continue",
        "outcome_type": "relapse", "measure": "hazard_ratio", "estimate": 2, "se": 0.3,
    }  # fmt: skip
    rows["effects"] = [effect | {"kind": "trial"}, effect | {"kind": "meta", "study": "A review"}]
    made_up.write_csv(folder, rows)
    (problem,) = refused(folder)
    assert "effects.csv, row 2, column study: 'Alhpa'" in problem and "not in studies" in problem


def test_intracluster_correlation_needs_its_cluster_size(folder):
    rows = made_up.tables()
    rows["studies"][0]["icc"] = 0.05
    rows["studies"][1]["cluster_size"] = 7
    made_up.write_csv(folder, rows)
    (problem,) = refused(folder)
    assert "studies.csv, row 2, column icc: '0.05': needs cluster_size" in problem


def test_events_never_fall(folder):
    rows = made_up.tables()
    rows["results"][0]["event_free"] = ""
    rows["results"][1] |= {"events": 2, "event_free": ""}
    made_up.write_csv(folder, rows)
    (problem,) = refused(folder)
    assert "row 3, column events: '2': is fewer than the 5 of an earlier week (row 2)" in problem


def test_folder_in_place_of_a_file_is_named(folder):
    (folder / "results.csv").unlink()
    (folder / "results.csv").mkdir()
    assert refused(folder) == ["results.csv: is not a file"]


def test_file_that_may_not_be_opened_is_named(folder, monkeypatch):
    read = Path.read_bytes

    def forbidden(path):
        if path.name == "arms.csv":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    assert refused(folder) == ["arms.csv: cannot be read (Permission denied)"]


def test_folder_that_may_not_be_searched_is_named(folder, monkeypatch):
    def forbidden(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", forbidden)
    (problem,) = refused(folder)
    assert problem.endswith("cannot be read (Permission denied)")


def test_endless_cell_is_named(folder):
    path = folder / "sources.csv"
    path.write_text(path.read_text() + 'delta,"' + "x" * 200_000 + '",,,,\n')
    (problem,) = refused(folder)
    assert "sources.csv, row 5: has a cell of more than 131072 characters" in problem


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


def test_sources_that_are_all_excluded_are_refused(tmp_path):
    made_up.write_csv(tmp_path / "review", made_up.tables())
    with pytest.raises(InvalidInput, match=r"evidence\.sources: at least one source must be"):
        find_collections([{"folder": "review", "use": "exclude"}], [tmp_path])
    compared = [{"folder": "review", "use": "compare"}]
    assert find_collections(compared, [tmp_path]) == [(tmp_path / "review", "compare")]


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
