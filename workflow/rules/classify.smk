"""Withdrawal, relapse or undecidable: every deterioration of a dataset.

Inputs: canonical tables, data/reference. Output: results/datasets/<dataset>/classification.
"""


rule classify_dataset:
    input:
        declaration=lambda wildcards: str(DATASETS[wildcards.dataset].path),
        tables=rules.map_dataset.output.tables,
        exposure=rules.expose_dataset.output.exposure,
        reference=REFERENCE_TABLES,
        criteria=str(PROJECT / "data" / "reference" / "criteria.yaml"),
        priors=str(PROJECT / "data" / "reference" / "case_priors.yaml"),
        instruments=INSTRUMENTS,
    output:
        classification=update(directory(f"{IN_DATASET}/classification")),
    log:
        "logs/classify_dataset/{dataset}.log",
    benchmark:
        "results/provenance/benchmarks/classify_dataset/{dataset}.tsv"
    conda:
        "../../environment.yml"
    params:
        tau_days=lookup(dpath="exposure/tau_days", within=config),
        settings=lookup(dpath="classification", within=config),
        seed=lookup(dpath="seed", within=config),
        code=code(
            "classify.declared",
            "estimands.by_way",
            "report.classification_parts",
            "tables.files",
            "exposure._kernels",
            *SURVIVAL_MODULES,
        ),
    script:
        "../scripts/classify_dataset.py"
