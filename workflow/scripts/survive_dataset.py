"""Estimate every estimand that a dataset declares, and draw what was found."""

from pathlib import Path

from discontinuation.estimands.of_dataset import setting_of, survive_dataset
from discontinuation.ingest.declaration import read_declaration
from discontinuation.logs import log_to
from discontinuation.problems import InvalidInput
from discontinuation.report.drawing import save_figure
from discontinuation.report.survival_parts import draw_survival
from discontinuation.tables.files import new_folder, read_table, read_tables, write_table

log_to(snakemake.log[0])

content = read_declaration(Path(snakemake.input.declaration)).content
tables = read_tables(snakemake.input.tables)
drugs = read_table(Path(snakemake.input.exposure) / "drugs.parquet")
try:
    setting = setting_of(content, tables, drugs, snakemake.params.tau_days)
    survived = survive_dataset(content["estimands"], tables, setting)
except InvalidInput as error:
    raise SystemExit(str(error)) from None
figures = draw_survival(content, tables, survived, setting)
print(survived.estimand_table.to_string(index=False))
with new_folder(snakemake.output.survival) as folder:
    for name, table in survived.tables.items():
        write_table(table, folder / f"{name}.csv", folder / f"{name}.parquet")
    for name, figure in figures.items():
        save_figure(figure, folder / f"{name}.svg", folder / f"{name}.png")
