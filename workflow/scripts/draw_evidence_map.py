"""Draw the map of the evidence."""

from discontinuation.logs import log_to
from discontinuation.report.drawing import save_figure
from discontinuation.report.evidence_map import draw_evidence_map
from discontinuation.tables.files import read_tables

log_to(snakemake.log[0])

bands = snakemake.params.settings["taper_bands_days"]
figure = draw_evidence_map(read_tables(snakemake.input.tables), bands)
save_figure(figure, *snakemake.output.figure)
