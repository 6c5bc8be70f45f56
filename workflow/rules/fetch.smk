"""Fetch the public files of a dataset, verified; nothing here runs unless it is asked for.

`python3 reproduce.py fetch_<dataset>` downloads every file of the dataset that has an address
into data/raw/. No other rule asks for these targets, so no other target uses the network.
"""

import re

from discontinuation.ingest.fetch import downloads

try:
    DOWNLOADS = {
        name: downloads(declaration.content["files"], declaration.file)
        for name, declaration in DECLARATIONS.items()
    }
except InvalidInput as error:
    raise WorkflowError(str(error)) from None

# What is fetched, by its path below data/raw, which two datasets may share.
FETCHED = {
    download.target.as_posix().removeprefix("data/raw/"): download
    for found in DOWNLOADS.values()
    for download in found
}


wildcard_constraints:
    raw="|".join(map(re.escape, sorted(FETCHED))) or "(?!)",


rule fetch_file:
    output:
        file=update("data/raw/{raw}"),
    log:
        "logs/fetch_file/{raw}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        address=lambda wildcards: FETCHED[wildcards.raw].address,
        sha256=lambda wildcards: FETCHED[wildcards.raw].sha256,
        code=code("ingest.fetch"),
    message:
        "Fetching {wildcards.raw}"
    script:
        "../scripts/fetch_file.py"


for name, found in DOWNLOADS.items():
    if found:

        rule:
            name:
                f"fetch_{name}"
            input:
                [download.target.as_posix() for download in found],
            localrule: True
