"""Draw early shares against their benchmarks."""

import pandas as pd

from discontinuation.logs import log_to
from discontinuation.report.drawing import save_figure
from discontinuation.report.early_gap import draw_early_share

log_to(snakemake.log[0])

save_figure(draw_early_share(pd.read_parquet(snakemake.input.early)), *snakemake.output.figure)
