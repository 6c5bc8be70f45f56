"""Run a percent-format notebook in the run's folder and render it as one offline page."""

from pathlib import Path

import jupytext
from nbconvert import HTMLExporter
from nbconvert.preprocessors import ExecutePreprocessor

from discontinuation.logs import log_to

log_to(snakemake.log[0])

notebook = jupytext.read(snakemake.input.notebook)
ExecutePreprocessor(timeout=600).preprocess(notebook, {"metadata": {"path": "."}})
# Empty addresses keep the page free of scripts from the network.
page, _ = HTMLExporter(mathjax_url="", require_js_url="").from_notebook_node(notebook)
Path(snakemake.output.html).write_text(page, encoding="utf-8")
