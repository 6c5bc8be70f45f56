"""Download one public file of a dataset and verify it."""

import sys
from pathlib import Path

from discontinuation.ingest.fetch import NotFetched, fetch_file
from discontinuation.logs import log_to

log_to(snakemake.log[0])

try:
    fetch_file(snakemake.params.address, snakemake.params.sha256, Path(snakemake.output.file))
except NotFetched as error:
    sys.exit(str(error))
