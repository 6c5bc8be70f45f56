"""Write the page of one dataset."""

import json
from pathlib import Path

import pandas as pd

from discontinuation.ingest.declaration import read_declaration
from discontinuation.logs import log_to
from discontinuation.provenance import describe_code
from discontinuation.report.dataset_page import render_dataset_report
from discontinuation.report.dataset_words import methods
from discontinuation.report.inline import FigureFiles
from discontinuation.tables.files import read_tables

log_to(snakemake.log[0])

declaration = read_declaration(Path(snakemake.input.declaration))
reading = json.loads(Path(snakemake.input.reading).read_text(encoding="utf-8"))
dataset = {
    "name": declaration.name,
    "readings": [
        f"{file}: {'; '.join(said) or 'as it is'}" for file, said in reading["statements"].items()
    ],
    **declaration.content,
}
tables = read_tables(snakemake.input.tables)


def shown(folder, *of_people):
    """Read the tables of a folder, without those of single people."""
    found = sorted(Path(folder).glob("*.parquet"))
    return read_tables(path for path in found if path.stem not in of_people)


html = render_dataset_report(
    dataset=dataset,
    tables=tables,
    summaries=shown(snakemake.input.summaries),
    checks=pd.read_csv(snakemake.input.steps).fillna({"note": ""}),
    figures=FigureFiles.read_all(snakemake.input.figures),
    methods=methods(dataset, tables),
    code=describe_code(Path(snakemake.params.project)),
    inputs=reading["inputs"],
    symptoms=shown(snakemake.input.symptoms),
    symptom_figures=FigureFiles.read_all(snakemake.input.symptoms),
    exposure=shown(snakemake.input.exposure, "trajectories", "pace"),
    exposure_figures=FigureFiles.read_all(snakemake.input.exposure),
    survival=shown(snakemake.input.survival),
    survival_figures=FigureFiles.read_all(snakemake.input.survival),
    classification=shown(snakemake.input.classification, "classification", "case_grid"),
    classification_figures=FigureFiles.read_all(snakemake.input.classification),
)
Path(snakemake.output.html).write_text(html, encoding="utf-8", newline="\n")
