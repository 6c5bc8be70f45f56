"""Draw early shares against their benchmarks."""

import pandas as pd

from discontinuation.logs import log_to
from discontinuation.report.drawing import save_figure
from discontinuation.report.early_gap import draw_early_share

log_to(snakemake.log[0])

early = pd.read_parquet(snakemake.input.early)
figure = draw_early_share(early, snakemake.params.settings["confidence"])
save_figure(figure, *snakemake.output.figure)
