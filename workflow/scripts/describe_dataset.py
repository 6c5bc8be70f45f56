"""Summarise what is in a dataset and draw it."""

from pathlib import Path

from discontinuation.describe.definitions import definitions_side_by_side
from discontinuation.ingest.declaration import read_declaration
from discontinuation.logs import log_to
from discontinuation.report.dataset_parts import draw_dataset, summarise_dataset
from discontinuation.report.drawing import save_figure
from discontinuation.tables.files import new_folder, read_table, read_tables, write_table

log_to(snakemake.log[0])

declaration = read_declaration(Path(snakemake.input.declaration))
dataset = {"name": declaration.name, **declaration.content}
tables = read_tables(snakemake.input.tables)
summaries = summarise_dataset(dataset, tables)
figures = draw_dataset(dataset, tables, summaries, snakemake.params.seed)
definitions = definitions_side_by_side(
    tables, read_table(snakemake.input.assessed), declaration.content["smallest_cell"]
)
with new_folder(snakemake.output.summaries) as folder:
    for name, summary in {**summaries, **definitions}.items():
        write_table(summary, folder / f"{name}.csv", folder / f"{name}.parquet")
with new_folder(snakemake.output.figures) as folder:
    for name, figure in figures.items():
        save_figure(figure, folder / f"{name}.svg", folder / f"{name}.png")
