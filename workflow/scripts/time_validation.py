"""Measure one trial of each scenario, so that the wait is known before it begins."""

import os
import sys
from pathlib import Path

import pandas as pd

from discontinuation.classify.criteria import read_criteria
from discontinuation.classify.gate_measures import measure_trial
from discontinuation.design.chunks import in_words, time_one
from discontinuation.logs import log_to
from discontinuation.tables.files import write_table

terminal = sys.stderr
log_to(snakemake.log[0])

chunks, seed = snakemake.params.chunks, snakemake.params.seed
criteria = read_criteria(Path(snakemake.input.criteria))
trials: dict[str, int] = {}
for chunk in chunks.values():
    trials.setdefault(chunk["scenario"], 0)
    trials[chunk["scenario"]] += chunk["last"] - chunk["first"]


def seconds_of(scenario: str, count: int) -> float:
    """Time one trial; the first that does not fail."""
    return time_one(lambda number: measure_trial(scenario, number, seed, criteria), count)


seconds_of(*next(iter(trials.items())))  # compiles
rows = [(scenario, count, seconds_of(scenario, count)) for scenario, count in trials.items()]
table = pd.DataFrame(rows, columns=["scenario", "trials", "seconds_per_trial"])
write_table(table, snakemake.output[0])

seconds = float((table["trials"] * table["seconds_per_trial"]).sum())
cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
unknown = list(table.loc[table["seconds_per_trial"].isna(), "scenario"])
said = f"{table['trials'].sum()} trials in {len(chunks)} chunks: "
if len(unknown) < len(table):
    said += f"about {in_words(seconds)} of one core, "
    said += f"{in_words(seconds / cores)} on the {cores} of this machine. "
if unknown:
    said += f"The first trials failed, so no time can be told of: {', '.join(unknown)}. "
said += "Finished chunks are kept."
print(said)
print(said, file=terminal)
