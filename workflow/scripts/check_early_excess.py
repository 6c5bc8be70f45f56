"""Simulate trials whose truth is known, and see how the early excess performs in them."""

from discontinuation.design.early_excess_performance import operating_characteristics
from discontinuation.logs import log_to
from discontinuation.tables.files import write_table

log_to(snakemake.log[0])

found = operating_characteristics(seed=snakemake.params.seed)
write_table(found.summary, *snakemake.output.summary)
write_table(found.comparison, *snakemake.output.comparison)
print(f"agrees with what was simulated before: {found.agrees}")
