"""The data packages say what the tables and their schema say, and pass Frictionless."""

import pytest
from frictionless import Package

from conftest import ROOT
from discontinuation.tables.datapackage import generate


@pytest.mark.parametrize("name", ["published", "reference"])
def test_generated_files_are_up_to_date(name):
    folder = ROOT / "data" / name
    for file, text in generate(folder).items():
        message = f"run: python -m discontinuation.tables.datapackage data/{name}"
        assert (folder / file).read_text(encoding="utf-8") == text, message


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["published", "reference"])
def test_packages_are_valid(name, monkeypatch):
    monkeypatch.chdir(ROOT / "data" / name)
    report = Package("datapackage.json").validate()
    assert report.valid, report.flatten(["rowNumber", "fieldName", "message"])
