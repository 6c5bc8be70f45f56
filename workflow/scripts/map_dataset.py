"""Read, map and check a dataset; write its canonical tables."""

import json
from pathlib import Path

import pandas as pd

from discontinuation.ingest.dataset import load_dataset
from discontinuation.ingest.declaration import read_declaration
from discontinuation.ingest.places import mirror_folder
from discontinuation.logs import log_to
from discontinuation.problems import InvalidInput
from discontinuation.tables.files import write_table

log_to(snakemake.log[0])

declaration = read_declaration(Path(snakemake.input.declaration))
try:
    dataset = load_dataset(declaration, mirror_folder(snakemake.params.mirror))
except InvalidInput as error:
    raise SystemExit(str(error)) from None
made_from = {"dataset": declaration.name, "inputs": dataset.inputs}
for path in map(Path, snakemake.output.tables):
    write_table(dataset.tables[path.stem], path, provenance=made_from)
write_table(pd.DataFrame(dataset.steps), snakemake.output.steps, provenance=made_from)
write_table(dataset.notes, snakemake.output.notes, provenance=made_from)
write_table(dataset.assessed, snakemake.output.assessed, provenance=made_from)
reading = {"statements": dataset.statements, "inputs": dataset.inputs}
text = json.dumps(reading, indent=1, ensure_ascii=False, sort_keys=True)
Path(snakemake.output.reading).write_text(text + "\n", encoding="utf-8", newline="\n")
