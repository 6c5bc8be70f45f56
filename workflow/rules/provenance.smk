"""What made these results, and one archive that holds the whole run.

Inputs: the finished report and every table and figure.
Outputs: results/provenance/run.json and run-crate.zip.
"""


rule record_provenance:
    input:
        results=rules.write_report.input,
        report="results/report/report.html",
        readings=collect("results/datasets/{dataset}/reading.json", dataset=DATASETS),
    output:
        run=update("results/provenance/run.json"),
    log:
        "logs/record_provenance.log",
    conda:
        "../../environment.yml"
    params:
        config=config,
        inputs=EVIDENCE_FILES + [WINDOWS],
        benchmarks="results/provenance/benchmarks",
        project=str(PROJECT),
        code=code("provenance"),
    script:
        "../scripts/record_provenance.py"


rule pack_crate:
    input:
        run="results/provenance/run.json",
        results=rules.write_report.input,
        report="results/report/report.html",
    output:
        crate=update("results/provenance/run-crate.zip"),
    log:
        "logs/pack_crate.log",
    conda:
        "../../environment.yml"
    params:
        title=lookup(dpath="title", within=config),
        inputs=EVIDENCE_FILES,
        project=str(PROJECT),
        code=code("crate"),
    script:
        "../scripts/pack_crate.py"
