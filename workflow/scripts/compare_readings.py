"""Set two readings of the same publications side by side."""

from discontinuation.audit.agreement import agreement_statistics, compare_readings
from discontinuation.logs import log_to
from discontinuation.tables.files import read_table, write_table

log_to(snakemake.log[0])

compared = compare_readings(read_table(snakemake.input.readings))
write_table(compared, *snakemake.output.fields)
write_table(agreement_statistics(compared), *snakemake.output.statistics)
