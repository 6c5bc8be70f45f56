"""The workflow as a reader runs it."""

import filecmp
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

import made_up
from conftest import EVIDENCE_ONLY, ROOT, run_snakemake, variables

pytestmark = pytest.mark.workflow

TABLES = [
    "trial_effects", "trial_effects_as_first_read", "pooled", "small_study_effects",
    "leave_one_out", "early_share", "answerable", "extraction_agreement",
    "extraction_agreement_statistics", "counts", "same_trial_twice",
]  # fmt: skip
FIGURES = ["forest", "funnel", "early_share", "event_free", "evidence_map"]


def results(directory):
    folder = directory / "results"
    return [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]


def bytes_of(directory):
    return {path: (directory / "results" / path).read_bytes() for path in results(directory)}


def test_everything_promised_is_there(finished):
    made = {str(path) for path in results(finished)}
    for name in TABLES:
        assert {f"evidence/{name}.csv", f"evidence/{name}.parquet"} <= made
    for name in FIGURES:
        assert {f"figures/{name}.svg", f"figures/{name}.png"} <= made
    assert {"report/report.html", "provenance/run.json", "provenance/run-crate.zip"} <= made


@pytest.mark.parametrize("name", TABLES)
def test_csv_and_parquet_hold_the_same(finished, name):
    stem = finished / "results" / "evidence" / name
    parquet = pd.read_parquet(f"{stem}.parquet")
    csv = pd.read_csv(f"{stem}.csv")
    assert list(csv.columns) == list(parquet.columns)
    assert len(csv) == len(parquet)
    for column in csv.select_dtypes("number"):
        pd.testing.assert_series_equal(
            csv[column].astype(float), parquet[column].astype(float), rtol=1e-14
        )


def test_whole_table_check_of_the_figures_as_first_read(finished):
    pooled = pd.read_csv(finished / "results" / "evidence" / "pooled.csv")
    check = pooled.loc[(pooled["role"] == "check") & (pooled["measure"] == "odds_ratio")]
    (row,) = check.to_dict("records")
    assert row["trials"] == 14
    assert (row["events_b"], row["n_b"], row["events_a"], row["n_a"]) == (415, 2129, 721, 1843)
    numbers = ("reversed_estimate", "reversed_lower", "reversed_upper", "tau2")
    assert [round(row[name], 2) for name in numbers] == [0.38, 0.30, 0.49, 0.12]
    assert round(row["i2"]) == 60
    assert row["trials_unspecified"] > 7


def test_antler_has_its_risk_ratio_and_nowhere_a_hazard_ratio_of_that_size(finished):
    effects = pd.read_csv(finished / "results" / "evidence" / "trial_effects.csv")
    antler = effects.loc[effects["study"] == "ANTLER_Lewis2021"].set_index("measure")
    ratio = antler.loc["risk_ratio"]
    assert round(ratio["estimate"], 6) == 1.455163
    assert [round(ratio["lower"], 6), round(ratio["upper"], 6)] == [1.197240, 1.768651]
    assert round(antler.loc["risk_difference", "estimate"], 6) == 0.175945
    published = antler.loc["hazard_ratio", ["estimate", "lower", "upper"]]
    assert published.tolist() == [2.06, 1.56, 2.70]
    hazard = effects.loc[effects["measure"] == "hazard_ratio", "estimate"]
    assert not hazard.between(1.4550, 1.4553).any()
    assert not hazard.between(0.6871, 0.6873).any()


def test_corrected_pool_leaves_out_the_trial_in_which_nothing_was_stopped(finished):
    pooled = pd.read_csv(finished / "results" / "evidence" / "pooled.csv")
    main = pooled.loc[pooled["role"] == "main", "studies"].str.split("; ").explode()
    assert "Lepine2004_SER" not in set(main)
    assert {"Keller1998_SER", "Kane2011_ASEN"} <= set(main)


def test_no_pool_holds_a_cohort_twice(finished):
    folder = finished / "results" / "evidence"
    cohort = pd.read_csv(folder / "trial_effects.csv").set_index("study")["cohort"].to_dict()
    pooled = pd.read_csv(folder / "pooled.csv")
    for studies in pooled.loc[pooled["role"] != "check", "studies"].str.split("; "):
        cohorts = [cohort[study] for study in studies]
        assert len(cohorts) == len(set(cohorts)), studies


def test_figure_of_the_readme_is_from_the_run(finished):
    shown = (ROOT / "docs" / "early_share.svg").read_text(encoding="utf-8")
    assert shown == (finished / "results/figures/early_share.svg").read_text(encoding="utf-8")
    assert "docs/early_share.svg" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_what_cannot_be_answered_follows_from_the_tables(finished):
    """Count again, the slow way, the cohorts with relapse in both arms inside the window."""
    tables = finished / "results" / "evidence" / "tables"
    results, arms, studies = (
        pd.read_parquet(tables / f"{name}.parquet") for name in ("results", "arms", "studies")
    )
    windows = pd.read_csv(ROOT / "data" / "reference" / "withdrawal_windows.csv")
    inside = set()
    for study in studies.itertuples():
        mine = results[(results["study"] == study.study) & (results["outcome_type"] == "relapse")]
        mine = mine[mine["estimator"].isin(["crude", "kaplan_meier"])].merge(
            arms, on=["study", "arm"]
        )
        for stop in mine[mine["strategy"].isin(["abrupt", "taper", "unspecified"])].itertuples():
            days = [
                row.acute_end_days
                for row in windows[windows["drug_class"] == study.drug_class].itertuples()
                if (row.formulation == "depot") == (stop.formulation == "depot")
                and (not isinstance(row.match, str)
                     or any(name in study.drug for name in row.match.split("|")))
            ]  # fmt: skip
            taper = 0 if pd.isna(stop.taper_days) else stop.taper_days
            continued = mine[(mine["strategy"] == "maintain") & (mine["week"] == stop.week)]
            if len(continued) and days and stop.week * 7 <= taper + max(days):
                inside.add((study.drug_class, study.cohort or study.study))
    answers = pd.read_csv(finished / "results" / "evidence" / "answerable.csv")
    early = answers[(answers["question_id"] == "early_point") & (answers["window_factor"] == 1)]
    counted = early.set_index("drug_class")["answering"]
    assert counted["all"] == len(inside)
    for drug_class in set(early["drug_class"]) - {"all"}:
        assert counted[drug_class] == sum(name == drug_class for name, _ in inside)
    assert counted["antidepressant"] == 0
    pace = answers[(answers["question_id"] == "pace") & (answers["drug_class"] == "all")]
    assert pace["answering"].tolist() == [0]


@pytest.mark.long
def test_notebooks_run(finished_default):
    run_snakemake("notebooks", directory=finished_default)
    made = finished_default / "results" / "notebooks"
    page = (made / "published_evidence.html").read_text(encoding="utf-8")
    assert "How much worse after stopping" in page
    assert "Traceback" not in page
    assert '<script src="http' not in page


@pytest.mark.long
def test_snakemakes_own_report_is_made(finished, tmp_path):
    run_snakemake("--report", tmp_path / "report.html", *EVIDENCE_ONLY, directory=finished)
    assert (tmp_path / "report.html").stat().st_size > 100_000


def test_counts_of_rows_are_reported(finished):
    counts = pd.read_csv(finished / "results" / "evidence" / "counts.csv").set_index("table")
    assert counts.loc["results", ["first_read", "added"]].tolist() == [163, 39]
    assert counts.loc["results", "used"] == 163 + 39 + counts.loc["results", "other_reader"]


def test_nothing_to_do_twice(finished):
    done = run_snakemake("--dry-run", *EVIDENCE_ONLY, directory=finished)
    assert "Nothing to be done" in done.stdout


@pytest.mark.long
def test_same_bytes_twice(finished_default, tmp_path):
    made = [path for path in results(finished_default) if path.parts[0] in ("evidence", "figures")]
    cases = Path("datasets") / "example_cases" / "summaries"
    wanted = [f"results/{path.as_posix()}" for path in [*made, cases]]
    run_snakemake(*wanted, directory=tmp_path)
    files = [*made, *(path for path in results(tmp_path) if path.parts[0] == "datasets")]
    assert len(files) > 60
    _, different, missing = filecmp.cmpfiles(
        finished_default / "results", tmp_path / "results", files, shallow=False
    )
    assert not different
    assert not missing


def test_provenance_names_what_made_the_results(finished):
    text = (finished / "results" / "provenance" / "run.json").read_text(encoding="utf-8")
    run = json.loads(text)
    assert run["seed"] == run["config"]["seed"] == 20261122
    assert len(run["code"]["source_sha256"]) == 64
    assert set(run["inputs"]) >= {"data/published/results.csv"}
    assert {"gather_evidence", "pool_trials", "write_report"} <= set(run["seconds_per_rule"])
    assert run["packages"]["pandas"] == pd.__version__
    assert str(ROOT) not in text


def test_crate_holds_every_file_it_names_with_its_digest(finished):
    import hashlib

    with zipfile.ZipFile(finished / "results" / "provenance" / "run-crate.zip") as archive:
        metadata = json.loads(archive.read("ro-crate-metadata.json"))
        entities = {entity["@id"]: entity for entity in metadata["@graph"]}
        files = [e for e in entities.values() if "File" in e["@type"]]
        assert {e["@id"] for e in files} == set(archive.namelist()) - {"ro-crate-metadata.json"}
        for entity in files:
            content = archive.read(entity["@id"])
            assert entity["sha256"] == hashlib.sha256(content).hexdigest()
    run = entities["#run"]
    assert {"@id": "results/report/report.html"} in run["result"]
    assert {"@id": "data/published/arms.csv"} in run["object"]
    assert entities["./"]["mainEntity"] == {"@id": "Snakefile"}
    for name in ("Snakefile", "src/discontinuation/synthesis/pooling.py"):
        assert name in entities


@pytest.fixture
def own_evidence(tmp_path):
    """A run on a copy of the bundled evidence, to be spoilt."""
    shutil.copytree(ROOT / "data" / "published", tmp_path / "data" / "published")
    run_snakemake("results/evidence/pooled.csv", *EVIDENCE_ONLY, directory=tmp_path)
    return tmp_path


def test_bad_evidence_is_refused_whole_and_earlier_results_are_untouched(own_evidence):
    before = bytes_of(own_evidence)
    path = own_evidence / "data" / "published" / "results.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    columns = lines[0].split(",")
    cells = lines[1].split(",")
    cells[columns.index("event_free")] = "1.2"
    lines[1] = ",".join(cells)
    lines.append(lines[5])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    arms = own_evidence / "data" / "published" / "arms.csv"
    arms.write_text(arms.read_text(encoding="utf-8").replace(",taper,", ",tapper,", 1), "utf-8")
    done = run_snakemake(
        "results/evidence/pooled.csv", *EVIDENCE_ONLY, directory=own_evidence, check=False
    )
    assert done.returncode != 0
    for words in (
        "problems in the input. Nothing was computed; earlier results are untouched.",
        "results.csv, row 2, column event_free: '1.2': allowed: a number from 0 to 1",
        f"results.csv, row {len(lines)}: duplicate of row 6",
        "column strategy: 'tapper': allowed: maintain, abrupt, taper",
        "did you mean 'taper'?",
    ):
        assert words in done.stdout
    assert "Traceback" not in done.stdout
    assert bytes_of(own_evidence) == before


def test_a_job_that_fails_leaves_its_earlier_outputs(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run", symlinks=True)
    run = tmp_path / "run"
    before = bytes_of(run)
    effects = run / "results" / "evidence" / "trial_effects.parquet"
    effects.write_bytes(b"no longer a table")
    done = run_snakemake("results/evidence/pooled.csv", "--rerun-triggers", "mtime", "--forcerun",
                         "pool_trials", *EVIDENCE_ONLY, directory=run, check=False)  # fmt: skip
    assert done.returncode != 0
    after = bytes_of(run)
    for name in ("pooled.csv", "pooled.parquet", "leave_one_out.csv"):
        path = Path("evidence") / name
        assert after[path] == before[path]


def test_configuration_is_refused_with_the_path_of_the_key(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("evidence: {pooling: {methd: REML}, confidence: 95}\n", encoding="utf-8")
    done = run_snakemake("--dry-run", "--configfile", ROOT / "config" / "config.yaml", config,
                         directory=tmp_path, check=False)  # fmt: skip
    assert done.returncode != 0
    assert "evidence.pooling.methd: unknown key" in done.stdout
    assert "column evidence.confidence: '95': allowed: a number of 0.999 or less" in done.stdout


def test_lint_is_clean():
    command = [sys.executable, "-m", "snakemake", "--lint"]
    done = subprocess.run(command, cwd=ROOT, env=variables(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_use_no_shell_no_run_block_and_write_a_log():
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "workflow" / "rules").glob("*.smk")
    )
    assert not re.search(r"^\s+(shell|run):", text, re.MULTILINE)
    rules = re.split(r"^rule ", text, flags=re.MULTILINE)[1:]
    for rule in rules:
        name = rule.partition(":")[0]
        if "output:" not in rule:  # a name for a set of files
            continue
        assert f"logs/{name}" in rule, name
        assert f"scripts/{name}" in rule, name
        assert "code=code(" in rule, name
        output = rule[rule.index("output:") : rule.index("log:")]
        assert re.search(r"update\(|both\(|drawn\(", output), name


def test_scripts_hold_no_statistics():
    for path in (ROOT / "workflow" / "scripts").glob("*.py"):
        lines = [line for line in path.read_text().splitlines() if line.strip()]
        assert len(lines) <= 45, path.name
        assert "import numpy" not in path.read_text()


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "discontinuation", *map(str, arguments)],
        env=variables(), capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip


@pytest.mark.long
def test_a_review_goes_from_an_empty_workbook_to_a_pooled_figure(tmp_path):
    folder = tmp_path / "Übersicht 1"
    assert command("review", "new", folder).returncode == 0
    made_up.fill_workbook(folder / "review.xlsx", made_up.tables())
    check = command("review", "check", folder)
    assert check.returncode == 0
    assert "studies: 3 rows" in check.stdout
    done = command("review", "run", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    pooled = pd.read_csv(folder / "results" / "evidence" / "pooled.csv")
    (row,) = pooled.loc[
        (pooled["role"] == "main") & (pooled["measure"] == "risk_ratio")
        & (pooled["drug_class"] == "all") & (pooled["subgroup_by"] == "none")
    ].to_dict("records")  # fmt: skip
    assert row["trials"] == 3
    assert row["studies"] == "Alpha; Beta; Gamma"
    forest = (folder / "results" / "figures" / "forest.svg").read_text(encoding="utf-8")
    for name in ("Alpha 2020", "Beta 2021", "Gamma 2022"):
        assert name in forest
    with zipfile.ZipFile(folder / "results" / "provenance" / "run-crate.zip") as crate:
        assert f"evidence/{folder.name}/review.xlsx" in crate.namelist()
    effects = pd.read_csv(folder / "results" / "evidence" / "trial_effects.csv")
    bundled = effects.loc[effects["collection"] == "published"]
    assert len(bundled)
    assert set(bundled["pooled"]) == {"no"}


def test_a_review_with_a_problem_is_refused_before_anything_runs(tmp_path):
    folder = tmp_path / "review"
    command("review", "new", folder)
    rows = made_up.tables()
    rows["arms"][1]["strategy"] = "sudden"
    made_up.fill_workbook(folder / "review.xlsx", rows)
    for step in ("check", "run"):
        done = command("review", step, folder)
        assert done.returncode == 1
        assert "sheet arms, row 3, column strategy: 'sudden'" in done.stderr
    assert not (folder / "results").exists()
