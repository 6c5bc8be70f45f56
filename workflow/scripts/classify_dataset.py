"""Classify every deterioration of a dataset, and set the ways of doing so side by side."""

from pathlib import Path

from discontinuation.classify.criteria import read_criteria
from discontinuation.classify.declared import NOTHING, classify_declared, effects_declared
from discontinuation.classify.prior_grid import read_case_priors
from discontinuation.estimands.of_dataset import setting_of
from discontinuation.exposure.drugs import read_drugs
from discontinuation.ingest.declaration import read_declaration
from discontinuation.logs import log_to
from discontinuation.problems import InvalidInput
from discontinuation.report.classification_parts import write_classified, write_unclassified
from discontinuation.tables.files import new_folder, read_table, read_tables
from discontinuation.tables.instruments import instruments_from, read_instruments

log_to(snakemake.log[0])

files, wanted = snakemake.input, snakemake.params
content = read_declaration(Path(files.declaration)).content
tables = read_tables(files.tables)
drug_table = read_table(Path(files.exposure) / "drugs.parquet")
reference = read_instruments(Path(files.instruments))
try:
    survival = setting_of(content, tables, drug_table, wanted.tau_days)
    found = classify_declared(
        content,
        tables,
        survival.definition,
        read_drugs(Path(files.reference[0]).parent),
        read_criteria(Path(files.criteria)),
        instruments_from(content["instruments"], reference),
        read_case_priors(Path(files.priors)),
        wanted.tau_days,
        wanted.settings["null_draws"],
        wanted.seed,
    )
    if found is not None:
        imputations = wanted.settings["imputations"]
        by_way = effects_declared(content, tables, survival, found[0], imputations, wanted.seed)
except InvalidInput as error:
    raise SystemExit(str(error)) from None

with new_folder(snakemake.output.classification) as folder:
    if found is None:
        write_unclassified(folder, NOTHING)
    else:
        write_classified(folder, content, tables, *found, by_way, survival.window_days, wanted.seed)
