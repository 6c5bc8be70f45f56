"""Describe how fast published arms can have stopped, and what authors would call it."""

from pathlib import Path

from discontinuation.exposure.definitions import read_definitions
from discontinuation.exposure.drugs import read_drugs
from discontinuation.exposure.published_pace import published_tables
from discontinuation.exposure.strategy import read_strategies
from discontinuation.logs import log_to
from discontinuation.report.drawing import save_figure
from discontinuation.report.exposure_figures import draw_published
from discontinuation.tables.files import read_tables, write_table

log_to(snakemake.log[0])

reference = Path(snakemake.input.reference[0]).parent
tables, pace = published_tables(
    read_tables(snakemake.input.tables),
    read_drugs(reference),
    read_strategies(snakemake.params.strategies),
    read_definitions(reference),
)
for name, table in tables.items():
    write_table(table, *snakemake.output[name])
figure = draw_published(pace, "fall_90_10_days", "days from 90 to 10 % of the occupancy")
save_figure(figure, *snakemake.output.figure)
