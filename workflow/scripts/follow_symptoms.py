"""Follow the symptoms of a dataset around its dose steps."""

from pathlib import Path

from discontinuation.describe.summary import individuals_shown
from discontinuation.ingest.declaration import read_declaration
from discontinuation.logs import log_to
from discontinuation.report.drawing import save_figure
from discontinuation.report.symptom_figures import draw_symptoms
from discontinuation.symptoms.followed import follow_symptoms
from discontinuation.symptoms.shown import mask_followed
from discontinuation.tables.files import new_folder, read_tables, write_table
from discontinuation.tables.instruments import instruments_from, read_instruments

log_to(snakemake.log[0])

content = read_declaration(Path(snakemake.input.declaration)).content
tables = read_tables(snakemake.input.tables)
reference = read_instruments(Path(snakemake.input.instruments))
instruments = instruments_from(content["instruments"], reference)
followed = mask_followed(
    follow_symptoms(
        content,
        tables,
        instruments,
        individuals_shown(content["smallest_cell"], content["individual_figures"]),
    ),
    content["smallest_cell"],
)
figures = draw_symptoms(content, tables, followed, instruments)
with new_folder(snakemake.output.symptoms) as folder:
    for name, table in {**followed.tables, "refused": followed.refused}.items():
        write_table(table, folder / f"{name}.csv", folder / f"{name}.parquet")
    for name, figure in figures.items():
        save_figure(figure, folder / f"{name}.svg", folder / f"{name}.png")
