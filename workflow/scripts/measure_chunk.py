"""Simulate and fit the trials of one chunk; a trial that fails is kept with its seed."""

from pathlib import Path

import pandas as pd

from discontinuation.classify.criteria import read_criteria
from discontinuation.classify.gate_measures import measure_trial
from discontinuation.design.chunks import with_progress
from discontinuation.logs import log_to
from discontinuation.tables.files import write_table

log_to(snakemake.log[0])

chunk, seed = snakemake.params.chunk, snakemake.params.seed
criteria = read_criteria(Path(snakemake.input.criteria))
numbers = range(chunk["first"], chunk["last"])
rows, events, failures = [], [], []
for number in with_progress(numbers, len(numbers), snakemake.wildcards.chunk):
    try:
        row, found = measure_trial(chunk["scenario"], number, seed, criteria)
    except Exception as error:  # the rest of the chunk is kept
        failures.append((chunk["scenario"], number, seed, type(error).__name__, str(error)))
        continue
    rows.append(row)
    events.append(found)
columns = ["scenario", "number", "seed", "error", "message"]
# How long a trial takes depends on the machine; results must not.
trials = pd.DataFrame(rows).drop(columns="seconds", errors="ignore")
write_table(trials, snakemake.output.trials)
write_table(
    pd.concat(events, ignore_index=True) if events else pd.DataFrame(), snakemake.output.events
)
write_table(pd.DataFrame(failures, columns=columns), snakemake.output.failures)
