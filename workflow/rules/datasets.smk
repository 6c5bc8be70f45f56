"""Trial and case data: from their files to canonical tables, what is in them, and one page each.

Inputs: config/datasets, the files it names. Outputs: results/datasets/<dataset>.
"""

CANONICAL = list(read_schema("canonical"))
IN_DATASET = "results/datasets/{dataset}"


wildcard_constraints:
    dataset="[a-z][a-z0-9_]*",


rule map_dataset:
    input:
        declaration=lambda wildcards: str(DATASETS[wildcards.dataset].path),
        files=dataset_files,
        instruments=INSTRUMENTS,
    output:
        tables=[update(f"{IN_DATASET}/tables/{name}.parquet") for name in CANONICAL],
        steps=update(f"{IN_DATASET}/steps.csv"),
        notes=update(f"{IN_DATASET}/event_notes.csv"),
        assessed=update(f"{IN_DATASET}/event_assessed.parquet"),
        reading=update(f"{IN_DATASET}/reading.json"),
    log:
        "logs/map_dataset/{dataset}.log",
    benchmark:
        "results/provenance/benchmarks/map_dataset/{dataset}.tsv"
    conda:
        "../../environment.yml"
    params:
        mirror=lookup(dpath="data_mirror", within=config),
        code=code("ingest.dataset", "tables.files", "tables/canonical.yaml"),
    script:
        "../scripts/map_dataset.py"


rule describe_dataset:
    input:
        declaration=lambda wildcards: str(DATASETS[wildcards.dataset].path),
        tables=rules.map_dataset.output.tables,
        assessed=rules.map_dataset.output.assessed,
    output:
        summaries=update(directory(f"{IN_DATASET}/summaries")),
        figures=update(directory(f"{IN_DATASET}/figures")),
    log:
        "logs/describe_dataset/{dataset}.log",
    benchmark:
        "results/provenance/benchmarks/describe_dataset/{dataset}.tsv"
    conda:
        "../../environment.yml"
    params:
        seed=lookup(dpath="seed", within=config),
        code=code("report.dataset_parts", "describe.definitions", "tables.files"),
    script:
        "../scripts/describe_dataset.py"


rule follow_symptoms:
    input:
        declaration=lambda wildcards: str(DATASETS[wildcards.dataset].path),
        tables=rules.map_dataset.output.tables,
        instruments=INSTRUMENTS,
    output:
        symptoms=update(directory(f"{IN_DATASET}/symptoms")),
    log:
        "logs/follow_symptoms/{dataset}.log",
    benchmark:
        "results/provenance/benchmarks/follow_symptoms/{dataset}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("symptoms.shown", "report.symptom_figures", "tables.files"),
    script:
        "../scripts/follow_symptoms.py"


rule write_dataset_report:
    input:
        declaration=lambda wildcards: str(DATASETS[wildcards.dataset].path),
        tables=rules.map_dataset.output.tables,
        steps=rules.map_dataset.output.steps,
        reading=rules.map_dataset.output.reading,
        summaries=rules.describe_dataset.output.summaries,
        figures=rules.describe_dataset.output.figures,
        symptoms=rules.follow_symptoms.output.symptoms,
        exposure="results/datasets/{dataset}/exposure",
        survival="results/datasets/{dataset}/survival",
        classification="results/datasets/{dataset}/classification",
    output:
        html=report(
            update(f"{IN_DATASET}/report.html"),
            caption="../report/dataset.rst",
            category="Datasets",
            labels={"dataset": "{dataset}"},
        ),
    log:
        "logs/write_dataset_report/{dataset}.log",
    benchmark:
        "results/provenance/benchmarks/write_dataset_report/{dataset}.tsv"
    conda:
        "../../environment.yml"
    params:
        project=str(PROJECT),
        code=code(
            "report.dataset_page",
            "provenance",
            "report/templates/dataset.html",
            "report/templates/head.html",
            "report/templates/parts.html",
            "report/templates/document.css",
            "report/templates/document.js",
        ),
    script:
        "../scripts/write_dataset_report.py"
