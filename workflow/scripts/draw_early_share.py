"""Draw early shares against their benchmarks."""

from discontinuation.logs import log_to
from discontinuation.report.drawing import save_figure
from discontinuation.report.early_gap import draw_early_share
from discontinuation.tables.files import read_table

log_to(snakemake.log[0])

early = read_table(snakemake.input.early)
figure = draw_early_share(early, snakemake.params.settings["confidence"])
save_figure(figure, *snakemake.output.figure)
