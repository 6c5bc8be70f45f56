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


def read_figures(folder):
    """Read both files of every figure in a folder."""
    drawn = sorted(Path(folder).glob("*.svg"))
    return [FigureFiles.read(svg, svg.with_suffix(".png")) for svg in drawn]


html = render_dataset_report(
    dataset=dataset,
    tables=tables,
    summaries=read_tables(sorted(Path(snakemake.input.summaries).glob("*.parquet"))),
    checks=pd.read_csv(snakemake.input.steps).fillna({"note": ""}),
    figures=read_figures(snakemake.input.figures),
    methods=methods(dataset, tables),
    code=describe_code(Path(snakemake.params.project)),
    inputs=reading["inputs"],
    symptoms=read_tables(sorted(Path(snakemake.input.symptoms).glob("*.parquet"))),
    symptom_figures=read_figures(snakemake.input.symptoms),
    exposure=read_tables(
        path
        for path in sorted(Path(snakemake.input.exposure).glob("*.parquet"))
        if path.stem not in ("trajectories", "pace")  # of single people
    ),
    exposure_figures=read_figures(snakemake.input.exposure),
    survival=read_tables(sorted(Path(snakemake.input.survival).glob("*.parquet"))),
    survival_figures=read_figures(snakemake.input.survival),
    classification=read_tables(
        path
        for path in sorted(Path(snakemake.input.classification).glob("*.parquet"))
        if path.stem != "classification"  # of single people
    ),
    classification_figures=read_figures(snakemake.input.classification),
)
Path(snakemake.output.html).write_text(html, encoding="utf-8", newline="\n")
