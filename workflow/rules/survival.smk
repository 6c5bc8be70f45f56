"""What happened over time in each arm of a dataset, for every estimand that it declares.

Inputs: canonical tables, the numbers of the drugs. Output: results/datasets/<dataset>/survival.
"""


rule survive_dataset:
    input:
        declaration=lambda wildcards: str(DATASETS[wildcards.dataset].path),
        tables=rules.map_dataset.output.tables,
        exposure=rules.expose_dataset.output.exposure,
    output:
        survival=update(directory(f"{IN_DATASET}/survival")),
    log:
        "logs/survive_dataset/{dataset}.log",
    benchmark:
        "results/provenance/benchmarks/survive_dataset/{dataset}.tsv"
    conda:
        "../../environment.yml"
    params:
        tau_days=lookup(dpath="exposure/tau_days", within=config),
        code=code(
            "estimands.of_dataset",
            "report.survival_parts",
            "tables.files",
            *SURVIVAL_MODULES,
        ),
    script:
        "../scripts/survive_dataset.py"
