"""Compute how much of each trial's endpoint difference is already there early."""

from pathlib import Path

from discontinuation.bias.published import early_shares
from discontinuation.ingest.reference import read_reference
from discontinuation.logs import log_to
from discontinuation.tables.files import read_tables, write_table

log_to(snakemake.log[0])

settings = snakemake.params.settings
table = early_shares(
    read_tables(snakemake.input.tables),
    read_reference(Path(snakemake.input.windows)),
    factors=settings["window_factors"],
    seed=snakemake.params.seed,
    replicates=settings["bootstrap_replicates"],
    confidence=settings["confidence"],
)
write_table(table, *snakemake.output.table, provenance=settings)
