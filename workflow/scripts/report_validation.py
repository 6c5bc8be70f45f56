"""Set estimates of all simulated trials beside the truth, and write the page of the validation."""

from pathlib import Path

import pandas as pd

from discontinuation.classify.gate_measures import truth_of
from discontinuation.classify.performance import performance
from discontinuation.logs import log_to
from discontinuation.provenance import describe_code
from discontinuation.report.drawing import save_figure
from discontinuation.report.inline import FigureFiles
from discontinuation.report.validation_figures import draw_performance, draw_zip
from discontinuation.report.validation_page import render_validation
from discontinuation.tables.files import read_table, write_table

log_to(snakemake.log[0])

trials = pd.concat([read_table(path) for path in snakemake.input.trials], ignore_index=True)
compared = performance(trials)
tables = {
    "gates": pd.read_csv(snakemake.input.gates),
    "failures": pd.read_csv(snakemake.input.failures),
    "performance": compared,
}
write_table(compared, snakemake.output.performance)
drawn = {
    "zip": (draw_zip(trials, "S0", truth_of("S0")), snakemake.output.zip),
    "performance": (draw_performance(compared), snakemake.output.errors),
}
files = {}
for name, (figure, paths) in drawn.items():
    save_figure(figure, *paths)
    files[name] = FigureFiles.read(*paths)
code = describe_code(Path(snakemake.params.project))
page = render_validation(tables, files, code, snakemake.params.seed)
Path(snakemake.output.page).write_text(page, encoding="utf-8", newline="\n")
