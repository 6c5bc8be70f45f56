"""Count which trials could answer which question."""

from pathlib import Path

from discontinuation.audit.answerable import answerable
from discontinuation.ingest.reference import read_reference
from discontinuation.logs import log_to
from discontinuation.tables.files import read_table, read_tables, write_table

log_to(snakemake.log[0])

table = answerable(
    read_tables(snakemake.input.tables),
    read_table(snakemake.input.early),
    read_reference(Path(snakemake.input.windows)),
    snakemake.params.settings["window_factors"],
)
write_table(table, *snakemake.output.table)
