"""Set two readings of the same publications side by side."""

import pandas as pd

from discontinuation.audit.agreement import agreement_statistics, compare_readings
from discontinuation.logs import log_to
from discontinuation.tables.files import write_table

log_to(snakemake.log[0])

compared = compare_readings(pd.read_parquet(snakemake.input.readings))
write_table(compared, *snakemake.output.fields)
write_table(agreement_statistics(compared), *snakemake.output.statistics)
