"""Draw the contour-enhanced funnel plot."""

from discontinuation.logs import log_to
from discontinuation.report.drawing import save_figure
from discontinuation.report.funnel import draw_funnel
from discontinuation.tables.files import read_table

log_to(snakemake.log[0])

figure = draw_funnel(
    read_table(snakemake.input.effects),
    read_table(snakemake.input.pooled),
    read_table(snakemake.input.small_study),
)
save_figure(figure, *snakemake.output.figure)
