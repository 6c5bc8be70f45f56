"""Record what made this run's results."""

import json
from pathlib import Path

from discontinuation.logs import log_to
from discontinuation.provenance import describe_run

log_to(snakemake.log[0])

params = snakemake.params
inputs = [Path(path) for path in params.inputs]
run = describe_run(params.config, inputs, Path(params.benchmarks), Path(params.project))
for reading in snakemake.input.readings:
    run["inputs"] |= json.loads(Path(reading).read_text(encoding="utf-8"))["inputs"]
text = json.dumps(run, indent=2, ensure_ascii=False)
Path(snakemake.output.run).write_text(text + "\n", encoding="utf-8")
