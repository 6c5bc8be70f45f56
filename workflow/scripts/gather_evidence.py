"""Read, check and join the collections of evidence."""

from pathlib import Path

import pandas as pd

from discontinuation.ingest.evidence import count_rows, read_collection
from discontinuation.ingest.gather import gather
from discontinuation.logs import log_to
from discontinuation.tables.files import write_table

log_to(snakemake.log[0])

collections = [read_collection(Path(folder), use) for folder, use in snakemake.params.collections]
gathered = gather(collections)
for state, paths in (
    (gathered.current, snakemake.output.current),
    (gathered.first, snakemake.output.first),
):
    for path in paths:
        write_table(state[Path(path).stem], path)
counts = pd.DataFrame([row for collection in collections for row in count_rows(collection)])
write_table(counts, *snakemake.output.counts)
write_table(gathered.duplicates, *snakemake.output.duplicates)
