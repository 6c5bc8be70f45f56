"""Pool the trials' effects and ask how robust the pools are."""

from discontinuation.logs import log_to
from discontinuation.synthesis.groups import PoolingRule, pool_trials
from discontinuation.synthesis.robustness import leave_one_out_table, small_study_table
from discontinuation.tables.files import read_table, write_table

log_to(snakemake.log[0])

settings = snakemake.params.settings
rule = PoolingRule(**settings["pooling"], confidence=settings["confidence"])
effects = read_table(snakemake.input.current)
pooled = pool_trials(effects, read_table(snakemake.input.first), rule)
write_table(pooled, *snakemake.output.pooled, provenance=settings)
write_table(small_study_table(effects, rule), *snakemake.output.small_study)
write_table(leave_one_out_table(effects, rule), *snakemake.output.influence)
