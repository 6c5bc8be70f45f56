"""Draw the forest plot."""

import pandas as pd

from discontinuation.logs import log_to
from discontinuation.report.drawing import save_figure
from discontinuation.report.forest import draw_forest

log_to(snakemake.log[0])

figure = draw_forest(
    pd.read_parquet(snakemake.input.effects),
    pd.read_parquet(snakemake.input.pooled),
    snakemake.params.settings["confidence"],
)
save_figure(figure, *snakemake.output.figure)
