"""Set every method beside the truth over all simulated trials, and write the page."""

from pathlib import Path

import pandas as pd

from discontinuation.classify.gate_scenarios import factorial_names, gate_scenarios
from discontinuation.classify.performance import performance
from discontinuation.logs import log_to
from discontinuation.provenance import describe_code
from discontinuation.report.drawing import save_figure
from discontinuation.report.inline import FigureFiles
from discontinuation.report.method_figures import draw_by_scenario, draw_nested_loop
from discontinuation.report.method_page import render_methods
from discontinuation.tables.files import read_table, write_table

log_to(snakemake.log[0])

trials = pd.concat([read_table(path) for path in snakemake.input.trials], ignore_index=True)
failures = pd.concat([pd.read_csv(path) for path in snakemake.input.failures], ignore_index=True)
compared = performance(trials)
write_table(compared, snakemake.output.table)
write_table(failures, snakemake.output.failures)
drawn = {
    "nested_loop": draw_nested_loop(compared, factorial_names()),
    "methods": draw_by_scenario(compared, list(gate_scenarios())),
}
files = {}
for name, figure in drawn.items():
    save_figure(figure, *snakemake.output[name])
    files[name] = FigureFiles.read(*snakemake.output[name])
code = describe_code(Path(snakemake.params.project))
page = render_methods(compared, failures, files, code, snakemake.params.seed)
Path(snakemake.output.page).write_text(page, encoding="utf-8", newline="\n")
