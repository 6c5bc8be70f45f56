"""Plan a trial: the same as `discontinuation power`."""

from argparse import Namespace
from pathlib import Path

from discontinuation.logs import log_to
from discontinuation.power_command import run_power
from discontinuation.problems import InvalidInput
from discontinuation.tables.files import new_folder

log_to(snakemake.log[0])

with new_folder(snakemake.output.plan) as folder:
    design = Path(snakemake.input.design)
    try:
        run_power(Namespace(design=design, into=folder, cores=snakemake.threads))
    except InvalidInput as error:
        raise SystemExit(str(error)) from None
