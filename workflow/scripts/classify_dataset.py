"""Classify every deterioration of a dataset, and set the ways of doing so side by side."""

import json
from dataclasses import replace
from pathlib import Path

from discontinuation.classify.cases import (
    classify_cases,
    exposures_by_drug,
    is_case_series,
    with_cases,
)
from discontinuation.classify.criteria import read_criteria
from discontinuation.classify.of_dataset import Setting, causes_by_way, classify_dataset
from discontinuation.classify.prior_grid import read_case_priors
from discontinuation.classify.symptom_status import match_items
from discontinuation.describe.summary import individuals_shown
from discontinuation.estimands.by_way import estimates_by_way
from discontinuation.estimands.of_dataset import setting_of
from discontinuation.exposure.drugs import read_drugs
from discontinuation.exposure.of_dataset import Setting as Doses
from discontinuation.exposure.of_dataset import exposure_of_main_drug
from discontinuation.ingest.declaration import read_declaration
from discontinuation.logs import log_to
from discontinuation.problems import InvalidInput
from discontinuation.report.classification_parts import draw_classified, mask_classified
from discontinuation.report.drawing import save_figure
from discontinuation.tables.files import new_folder, read_table, read_tables, write_table
from discontinuation.tables.instruments import instruments_from, read_instruments

log_to(snakemake.log[0])

content = read_declaration(Path(snakemake.input.declaration)).content
tables = read_tables(snakemake.input.tables)
drugs = read_drugs(Path(snakemake.input.reference[0]).parent)
asked = content["classification"]
smallest = content["smallest_cell"]
reference = read_instruments(Path(snakemake.input.instruments))
tau_days = snakemake.params.tau_days
try:
    survival = setting_of(
        content,
        tables,
        read_table(Path(snakemake.input.exposure) / "drugs.parquet"),
        tau_days,
    )
    doses = Doses(tau_days=tau_days, **content["exposure"])
    name, exposure, _ = exposure_of_main_drug(tables, doses, drugs)
    series = None
    if len(tables["deteriorations"]) == 0:
        classified = None
    else:
        criteria = read_criteria(Path(snakemake.input.criteria))
        instruments = instruments_from(content["instruments"], reference)
        classified = classify_dataset(
            tables,
            exposure,
            Setting(
                survival.definition,
                asked["symptoms"],
                asked["declared"],
                tuple(asked["maintenance"]),
                is_case_series(tables),
            ),
            criteria,
            drugs,
            instruments,
        )
        if is_case_series(tables):
            exposures, left = exposures_by_drug(tables, drugs, doses)
            series = classify_cases(
                tables,
                exposures,
                classified.evidence,
                read_case_priors(Path(snakemake.input.priors)),
                matched=match_items(instruments, criteria, asked["symptoms"]),
            )
            series = replace(series, notes=(*series.notes, *left))
            classified = with_cases(classified, series)
            print(series)
        ways = causes_by_way(
            classified,
            asked["rule"],
            snakemake.params.settings["imputations"],
            snakemake.params.seed,
        )
        by_way = estimates_by_way(content["estimands"], tables, survival, ways)
except InvalidInput as error:
    raise SystemExit(str(error)) from None

with new_folder(snakemake.output.classification) as folder:
    if classified is not None:
        write_table(classified.events, folder / "classification.parquet")
        if series is not None:
            write_table(series.grid, folder / "case_grid.parquet")
        shown = mask_classified(classified.tables, smallest)
        if smallest == 1:
            shown = {**shown, "by_way": by_way}
        for table_name, table in shown.items():
            write_table(table, folder / f"{table_name}.csv", folder / f"{table_name}.parquet")
        if classified.model is not None:
            text = json.dumps(classified.model.as_dict(), indent=1, default=str)
            (folder / "model.json").write_text(text + "\n", encoding="utf-8", newline="\n")
            print(classified.model)
        individuals = individuals_shown(smallest, content["individual_figures"])
        figures = draw_classified(tables, classified, shown, survival.window_days, individuals)
        for figure_name, figure in figures.items():
            save_figure(figure, folder / f"{figure_name}.svg", folder / f"{figure_name}.png")
