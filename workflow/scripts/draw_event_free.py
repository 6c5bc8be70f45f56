"""Draw event-free proportions over time."""

from discontinuation.logs import log_to
from discontinuation.report.drawing import save_figure
from discontinuation.report.event_free import draw_event_free
from discontinuation.tables.files import read_tables

log_to(snakemake.log[0])

save_figure(draw_event_free(read_tables(snakemake.input.tables)), *snakemake.output.figure)
