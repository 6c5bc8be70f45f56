"""Compute how fast the drugs of a dataset left, and draw it."""

from pathlib import Path

from discontinuation.describe.summary import individuals_shown
from discontinuation.exposure.definitions import read_definitions
from discontinuation.exposure.drugs import read_drugs
from discontinuation.exposure.of_dataset import Setting, expose_dataset
from discontinuation.exposure.strategy import read_strategies
from discontinuation.exposure.uncertainty import Uncertainty
from discontinuation.ingest.declaration import read_declaration
from discontinuation.logs import log_to
from discontinuation.problems import InvalidInput
from discontinuation.report.drawing import save_figure
from discontinuation.report.exposure_parts import draw_exposure
from discontinuation.tables.files import new_folder, read_tables, write_table

log_to(snakemake.log[0])

reference = Path(snakemake.input.reference[0]).parent
content = read_declaration(Path(snakemake.input.declaration)).content
tables = read_tables(snakemake.input.tables)
settings = dict(snakemake.params.exposure)
tau_days = settings.pop("tau_days")
try:
    exposure = expose_dataset(
        tables,
        Setting(tau_days=tau_days, **content["exposure"]),
        read_drugs(reference),
        read_strategies(snakemake.params.strategies),
        read_definitions(reference),
        Uncertainty(seed=snakemake.params.seed, **settings),
        content["smallest_cell"],
    )
except InvalidInput as error:
    raise SystemExit(str(error)) from None
individuals = individuals_shown(content["smallest_cell"], content["individual_figures"])
figures = draw_exposure(content, tables, exposure, tau_days, individuals)
with new_folder(snakemake.output.exposure) as folder:
    write_table(exposure.trajectories, folder / "trajectories.parquet")
    write_table(exposure.pace, folder / "pace.csv", folder / "pace.parquet")
    for name, table in {**exposure.tables, "notes": exposure.notes}.items():
        write_table(table, folder / f"{name}.csv", folder / f"{name}.parquet")
    for name, figure in figures.items():
        save_figure(figure, folder / f"{name}.svg", folder / f"{name}.png")
