"""Draw the contour-enhanced funnel plot."""

import pandas as pd

from discontinuation.logs import log_to
from discontinuation.report.drawing import save_figure
from discontinuation.report.funnel import draw_funnel

log_to(snakemake.log[0])

figure = draw_funnel(
    pd.read_parquet(snakemake.input.effects),
    pd.read_parquet(snakemake.input.pooled),
    pd.read_parquet(snakemake.input.small_study),
)
save_figure(figure, *snakemake.output.figure)
