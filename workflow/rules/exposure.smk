"""How fast the drug really left: of the people of each dataset, and of published arms.

Inputs: canonical tables, data/published, data/reference. Outputs: results/datasets/<dataset>/exposure,
results/evidence.
"""


rule expose_dataset:
    input:
        declaration=lambda wildcards: str(DATASETS[wildcards.dataset].path),
        tables=rules.map_dataset.output.tables,
        reference=REFERENCE_TABLES,
    output:
        exposure=update(directory(f"{IN_DATASET}/exposure")),
    log:
        "logs/expose_dataset/{dataset}.log",
    benchmark:
        "results/provenance/benchmarks/expose_dataset/{dataset}.tsv"
    conda:
        "../../environment.yml"
    params:
        strategies=lookup(dpath="strategies", within=config),
        exposure=lookup(dpath="exposure", within=config),
        seed=lookup(dpath="seed", within=config),
        code=code(
            "exposure.of_dataset",
            "report.exposure_parts",
            "tables.files",
            "exposure._kernels",
            "exposure._fall_kernels",
        ),
    script:
        "../scripts/expose_dataset.py"


rule describe_published_pace:
    input:
        tables=rules.gather_evidence.output.current,
        reference=REFERENCE_TABLES,
    output:
        published_pace=both("published_pace"),
        published_pace_ranges=both("published_pace_ranges"),
        published_pace_labels=both("published_pace_labels"),
        published_authors=both("published_authors"),
        drug_coverage=both("drug_coverage"),
        figure=drawn("published_pace"),
    log:
        "logs/describe_published_pace.log",
    benchmark:
        "results/provenance/benchmarks/describe_published_pace.tsv"
    conda:
        "../../environment.yml"
    params:
        strategies=lookup(dpath="strategies", within=config),
        code=code(
            "exposure.published_pace",
            "exposure._fall_kernels",
            "report.exposure_figures",
            "tables.files",
        ),
    script:
        "../scripts/describe_published_pace.py"
