"""Write the report."""

from pathlib import Path

from discontinuation.logs import log_to
from discontinuation.provenance import describe_code, hash_inputs
from discontinuation.report.document import render_report
from discontinuation.report.inline import FigureFiles
from discontinuation.tables.files import read_tables

log_to(snakemake.log[0])

project = Path(snakemake.params.project)
html = render_report(
    tables=read_tables(
        [*snakemake.input.results, *snakemake.input.audits, *snakemake.input.tables]
    ),
    figures=[
        FigureFiles.read(svg, png)
        for svg, png in zip(snakemake.input.svg, snakemake.input.png, strict=True)
    ],
    config=snakemake.params.config,
    code=describe_code(project),
    inputs=hash_inputs(map(Path, snakemake.params.inputs), project),
    datasets=snakemake.params.datasets,
)
Path(snakemake.output.html).write_text(html, encoding="utf-8", newline="\n")
