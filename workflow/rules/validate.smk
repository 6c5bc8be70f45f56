"""Does the classifier find the truth when it is known? Simulated trials in chunks, then the gates.

Not part of the default run: `python3 reproduce.py validate_classifier`; on a cluster with
`--workflow-profile profiles/slurm`. It says first how long it will take. A chunk that is finished
is not done again.
"""

from discontinuation.classify.gate_scenarios import gate_scenarios
from discontinuation.design.chunks import chunks_of

VALIDATION = config["validation"]
CHUNKS = chunks_of(
    VALIDATION["scenarios"] or list(gate_scenarios()),
    VALIDATION["replicates"],
    VALIDATION["chunk"],
)


wildcard_constraints:
    chunk="[a-z0-9_]+_[0-9]+",


rule validate_classifier:
    input:
        "results/provenance/validation_time.csv",
        "results/validation/gates.csv",
        "results/validation/validation.html",


rule time_validation:
    output:
        update("results/provenance/validation_time.csv"),
    log:
        "logs/time_validation.log",
    priority: 1  # the wait is said first
    conda:
        "../../environment.yml"
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
    params:
        chunks=CHUNKS,
        seed=lookup(dpath="seed", within=config),
        code=code("classify.gate_measures", "design.chunks"),
    script:
        "../scripts/time_validation.py"


rule measure_chunk:
    output:
        trials=update("results/validation/chunks/{chunk}.trials.parquet"),
        events=update("results/validation/chunks/{chunk}.events.parquet"),
        failures=update("results/validation/chunks/{chunk}.failures.csv"),
    log:
        "logs/measure_chunk/{chunk}.log",
    benchmark:
        "results/provenance/benchmarks/measure_chunk/{chunk}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        chunk=lambda wildcards: CHUNKS[wildcards.chunk],
        seed=lookup(dpath="seed", within=config),
        code=code("classify.gates", "design.chunks", "tables.files"),
    script:
        "../scripts/measure_chunk.py"


rule judge_gates:
    input:
        trials=collect("results/validation/chunks/{chunk}.trials.parquet", chunk=CHUNKS),
        events=collect("results/validation/chunks/{chunk}.events.parquet", chunk=CHUNKS),
        failures=collect("results/validation/chunks/{chunk}.failures.csv", chunk=CHUNKS),
    output:
        gates=update("results/validation/gates.csv"),
        failures=update("results/validation/failures.csv"),
    log:
        "logs/judge_gates.log",
    benchmark:
        "results/provenance/benchmarks/judge_gates.tsv"
    conda:
        "../../environment.yml"
    params:
        seed=lookup(dpath="seed", within=config),
        code=code("classify.gates", "design.chunks", "tables.files"),
    script:
        "../scripts/judge_gates.py"


rule report_validation:
    input:
        trials=rules.judge_gates.input.trials,
        gates="results/validation/gates.csv",
        failures="results/validation/failures.csv",
    output:
        performance=update("results/validation/performance.csv"),
        zip=[update(f"results/validation/zip.{end}") for end in ("svg", "png")],
        errors=[
            update(f"results/validation/performance.{end}") for end in ("svg", "png")
        ],
        page=update("results/validation/validation.html"),
    log:
        "logs/report_validation.log",
    benchmark:
        "results/provenance/benchmarks/report_validation.tsv"
    conda:
        "../../environment.yml"
    params:
        project=str(PROJECT),
        seed=lookup(dpath="seed", within=config),
        code=code(
            "classify.performance",
            "report.validation_figures",
            "report.validation_page",
            "tables.files",
        ),
    script:
        "../scripts/report_validation.py"
