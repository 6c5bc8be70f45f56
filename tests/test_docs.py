"""The examples in the documents work as they stand."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml

from conftest import ROOT
from discontinuation.events.declared import definitions_from
from discontinuation.ingest.declaration import SCHEMA, read_declaration
from discontinuation.ingest.readers import FORMATS
from discontinuation.tables.instruments import instruments_from, read_instruments

GUIDE = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
CLASSIFY = (ROOT / "docs" / "classify.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)


def example(start):
    (found,) = [text for text in EXAMPLES if text.startswith(start)]
    return found


def whole_example():
    return example("title:").partition("\nevents:")[0] + "\n"


def read(tmp_path, text):
    path = tmp_path / "mytrial.yaml"
    path.write_text(text, encoding="utf-8")
    return read_declaration(path).content


def test_the_whole_example_is_a_valid_declaration(tmp_path):
    content = read(tmp_path, whole_example())
    assert set(content["files"]) == {"dm", "doses", "scores"}
    reference = read_instruments(ROOT / "data" / "reference" / "instruments.yaml")
    assert set(instruments_from(content["instruments"], reference)) == {"hamd17", "mydiary"}


@pytest.mark.parametrize("start", ["estimands:", "trajectories:"])
def test_the_smaller_examples_are_valid_parts_of_it(tmp_path, start):
    assert read(tmp_path, whole_example() + example(start))


def test_the_definitions_of_events_are_valid():
    reference = read_instruments(ROOT / "data" / "reference" / "instruments.yaml")
    names = {"hamd17": "hamd17", "panss": "panss", "dess": "dess43"}
    texts = {name: {"reference": known} for name, known in names.items()}
    definitions = yaml.safe_load(example("events:"))["events"]["definitions"]
    found = definitions_from(definitions, instruments_from(texts, reference))
    assert [definition.id for definition in found] == [text["id"] for text in definitions]


def test_the_guide_names_every_key_of_the_schema():
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    keys = set(schema["properties"])
    for part in schema["$defs"].values():
        keys |= set(part.get("properties", {}))
    # Keys that a draft writes and a person deletes, and one that stands in the example only.
    unnamed = {key for key in keys if not re.search(rf"\b{re.escape(key)}\b", GUIDE)}
    assert unnamed == set()


def test_the_guide_names_every_format():
    for name in FORMATS:
        assert f"`{name}`" in GUIDE, name


def test_the_examples_for_raters_run(tmp_path, monkeypatch, capsys):
    """The files they name lie in an empty folder; the declaration is that of the project."""
    write, read_back = re.findall(r"```python\n(.*?)```", CLASSIFY, re.DOTALL)
    monkeypatch.chdir(ROOT)
    for folder in ("for_raters", "kept_apart"):
        write = write.replace(folder, (tmp_path / folder).as_posix())
    exec(compile(write, "docs/classify.md", "exec"), {})
    key = pd.read_csv(tmp_path / "kept_apart" / "key.csv")
    stream = np.random.default_rng(1)
    cause = dict(zip(key["event"], stream.choice(["withdrawal", "relapse"], len(key)), strict=True))
    sheet = pd.read_csv(tmp_path / "for_raters" / "answers.csv")
    for name in ("first", "second", "third"):
        said = key["event"].map(cause).where(stream.random(len(key)) < 0.8, "indeterminate")
        sheet.assign(answer=said).to_csv(tmp_path / f"answers_{name}.csv", index=False)
    known = key["event"].drop_duplicates().str.rsplit("/", n=1, expand=True)
    known = known.set_axis(["person", "episode"], axis=1).astype({"episode": int})
    known["q"] = stream.random(len(known))
    folder = tmp_path / "results/datasets/example_trial/classification"
    folder.mkdir(parents=True)
    known.to_parquet(folder / "classification.parquet")
    monkeypatch.chdir(tmp_path)
    exec(compile(read_back, "docs/classify.md", "exec"), {})
    said = capsys.readouterr().out
    # Nobody is truly "other" here, so that the raters' accuracies cannot be told.
    assert said.startswith("Not estimated: the accuracies") and "calibration slope" in said
