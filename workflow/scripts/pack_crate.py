"""Pack the run as a Workflow Run RO-Crate."""

import json
from pathlib import Path

from discontinuation.crate import pack_crate
from discontinuation.logs import log_to

log_to(snakemake.log[0])

made = [snakemake.input.run, snakemake.input.report, *snakemake.input.results]
pack_crate(
    target=Path(snakemake.output.crate),
    project=Path(snakemake.params.project),
    run_folder=Path(),
    inputs=[Path(path) for path in snakemake.params.inputs],
    results=[Path(path) for path in made if path.startswith("results/")],
    run=json.loads(Path(snakemake.input.run).read_text(encoding="utf-8")),
    title=snakemake.params.title,
)
