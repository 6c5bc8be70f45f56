"""Estimate the effects that each trial's published figures allow."""

from discontinuation.logs import log_to
from discontinuation.synthesis.contrasts import trial_effects
from discontinuation.synthesis.eligibility import select_effects
from discontinuation.tables.files import read_tables, write_table

log_to(snakemake.log[0])

settings = snakemake.params.settings
for tables, paths in (
    (snakemake.input.current, snakemake.output.current),
    (snakemake.input.first, snakemake.output.first),
):
    effects = trial_effects(
        read_tables(tables),
        zero_cells=settings["zero_cells"],
        taper_bands=settings["taper_bands_days"],
        confidence=settings["confidence"],
    )
    write_table(select_effects(effects), *paths, provenance=settings)
