"""The workflow's datasets: what a run makes of them, and what a broken one leaves as it was."""

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

from conftest import ROOT, run_snakemake
from discontinuation.cli import main
from discontinuation.tables.schema import read_schema
from ingest.small_dataset import write_dataset

EXAMPLES = ["example_trial", "example_cases"]


@pytest.mark.long
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_dataset_of_the_default_run_has_its_tables_and_its_page(finished_default, name):
    folder = finished_default / "results" / "datasets" / name
    for table in read_schema("canonical"):
        about = pq.read_metadata(folder / "tables" / f"{table}.parquet").metadata
        assert about[b"schema_version"] == b"1"
        provenance = json.loads(about[b"provenance"])
        assert provenance["dataset"] == name
        assert all(len(digest) == 64 for digest in provenance["inputs"].values())
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "SYNTHETIC DATA" in page
    assert (folder / "figures" / "flow_chart.svg").exists()
    assert any((folder / "symptoms").glob("*.svg"))


@pytest.mark.long
def test_the_report_leads_to_the_pages_of_the_datasets(finished_default):
    report = (finished_default / "results" / "report" / "report.html").read_text(encoding="utf-8")
    for name in EXAMPLES:
        link = f"../datasets/{name}/report.html"
        assert f'href="{link}"' in report
        assert (finished_default / "results" / "report" / link).resolve().exists()


@pytest.mark.long
def test_provenance_names_the_files_of_the_datasets(finished_default):
    run = json.loads((finished_default / "results" / "provenance" / "run.json").read_text("utf-8"))
    assert "data/example/trial/events.csv" in run["inputs"]
    assert run["seconds_per_rule"]["map_dataset/example_trial"] > 0


@pytest.mark.long
def test_rows_before_and_after_every_step_stand_in_the_results(finished_default):
    steps = pd.read_csv(finished_default / "results" / "datasets" / "example_trial" / "steps.csv")
    read = steps.loc[steps["step"].str.startswith("read "), "rows_before"]
    rows = len((ROOT / "data/example/trial/people.csv").read_text("utf-8").splitlines()) - 1
    assert rows in read.tolist()
    assert (steps["rows_after"] > 0).all()


@pytest.mark.long
def test_one_dataset_alone_from_a_file_of_its_own(tmp_path, monkeypatch, capfd):
    declaration = write_dataset(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISCONTINUATION_DATA", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    assert main(["run", str(declaration), "--quiet", "--cores", "1"]) == 0
    page = tmp_path / "results" / "datasets" / "small" / "report.html"
    assert "The page of this dataset is" in capfd.readouterr().out
    assert "A small dataset" in page.read_text(encoding="utf-8")
    assert not (tmp_path / "results" / "evidence").exists()
    before = {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()}

    scores = tmp_path / "scores.csv"
    scores.write_text("id,day,item,value\n01,0,1,9\n", encoding="utf-8")
    assert main(["run", str(declaration), "--cores", "1"]) != 0
    said = capfd.readouterr()
    assert "scores.csv, row 2, column value: '9': scale 1: allowed: 0 to 4" in said.out + said.err
    after = {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()}
    assert after == before


def test_a_dataset_without_its_files_says_where_they_are_looked_for(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("datasets: [kossakowski]\ndata_mirror: nowhere\n", encoding="utf-8")
    done = run_snakemake(
        "--configfile", ROOT / "config" / "config.yaml", config, "--dry-run",
        "results/datasets/kossakowski/report.html", directory=tmp_path / "run", check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "python3 reproduce.py fetch_kossakowski" in done.stdout
    assert "nowhere/kossakowski-esm/ESMdata.csv" in done.stdout


@pytest.mark.long
def test_nothing_is_fetched_unless_it_is_asked_for(tmp_path):
    done = run_snakemake("--dry-run", directory=tmp_path)
    assert "fetch_file" not in done.stdout
    asked = run_snakemake("--dry-run", "fetch_kossakowski", directory=tmp_path)
    assert "fetch_file" in asked.stdout
    assert "data/raw/kossakowski-esm/ESMdata.csv" in asked.stdout
