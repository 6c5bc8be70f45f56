"""Draw the forest plot."""

from discontinuation.logs import log_to
from discontinuation.report.drawing import save_figure
from discontinuation.report.forest import draw_forest
from discontinuation.tables.files import read_table

log_to(snakemake.log[0])

figure = draw_forest(
    read_table(snakemake.input.effects),
    read_table(snakemake.input.pooled),
    snakemake.params.settings["confidence"],
)
save_figure(figure, *snakemake.output.figure)
