"""Hold all simulated trials against the gates."""

import pandas as pd

from discontinuation.classify.gates import invariances, judge
from discontinuation.logs import log_to
from discontinuation.tables.files import read_table, write_table

log_to(snakemake.log[0])

trials = pd.concat([read_table(path) for path in snakemake.input.trials], ignore_index=True)
events = pd.concat([read_table(path) for path in snakemake.input.events], ignore_index=True)
failures = pd.concat([pd.read_csv(path) for path in snakemake.input.failures], ignore_index=True)
seed = snakemake.params.seed
gates = pd.concat([judge(trials, events, seed), invariances(seed)], ignore_index=True)
write_table(gates, snakemake.output.gates)
write_table(failures, snakemake.output.failures)
print(gates.to_string(index=False))
print(f"{len(trials)} trials, {len(failures)} failed")
