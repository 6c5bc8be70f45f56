"""Measure one trial of each scenario, so that the wait is known before it begins."""

import os
import sys
import time
from pathlib import Path

import pandas as pd

from discontinuation.classify.criteria import read_criteria
from discontinuation.classify.gate_measures import measure_trial
from discontinuation.design.chunks import in_words
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
measure_trial(next(iter(trials)), 0, seed, criteria)  # compiles
rows = []
for scenario, count in trials.items():
    began = time.perf_counter()
    measure_trial(scenario, 0, seed, criteria)
    rows.append((scenario, count, time.perf_counter() - began))
table = pd.DataFrame(rows, columns=["scenario", "trials", "seconds_per_trial"])
write_table(table, snakemake.output[0])

seconds = float((table["trials"] * table["seconds_per_trial"]).sum())
cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
said = (
    f"{table['trials'].sum()} trials in {len(chunks)} chunks: about {in_words(seconds)} of one core, "
    f"{in_words(seconds / cores)} on the {cores} of this machine. Finished chunks are kept."
)
print(said)
print(said, file=terminal)
