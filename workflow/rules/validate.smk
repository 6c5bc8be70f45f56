"""Does the classifier find the truth when it is known? Simulated trials in chunks, then the gates.

Not part of the default run: `python3 reproduce.py validate_classifier` tries the classifier,
`python3 reproduce.py validate` sets other methods beside it as well, over crossed assumptions; on
a cluster with `--workflow-profile profiles/slurm`. They say first how long it will take. A chunk
that is finished is not done again.
"""

from discontinuation.classify.gate_scenarios import chosen_scenarios
from discontinuation.design.chunks import chunks_of

VALIDATION = config["validation"]
CHUNKS, CROSSED = (
    chunks_of(names, VALIDATION["replicates"], VALIDATION["chunk"])
    for names in chosen_scenarios(VALIDATION["scenarios"])
)
TRIALS = "results/validation/chunks/{chunk}.trials.parquet"
FAILURES = "results/validation/chunks/{chunk}.failures.csv"
CRITERIA = str(PROJECT / "data" / "reference" / "criteria.yaml")
RUNS = {"validation": CHUNKS, "comparison": CHUNKS | CROSSED}


wildcard_constraints:
    chunk="[a-z0-9_]+_[0-9]+",
    run="validation|comparison",


rule validate_classifier:
    input:
        "results/provenance/validation_time.csv",
        "results/validation/gates.csv",
        "results/validation/validation.html",


rule validate:
    input:
        "results/provenance/comparison_time.csv",
        ["results/validation/validation.html"] if CHUNKS else [],
        "results/validation/methods.html",


rule time_validation:
    input:
        criteria=CRITERIA,
    output:
        update("results/provenance/{run}_time.csv"),
    log:
        "logs/time_validation/{run}.log",
    priority: 1  # the wait is said first, and where the run was started (it is a local rule)
    conda:
        "../../environment.yml"
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
    params:
        chunks=lambda wildcards: RUNS[wildcards.run],
        seed=lookup(dpath="seed", within=config),
        code=code("classify.gate_measures", "design.chunks"),
    script:
        "../scripts/time_validation.py"


rule measure_chunk:
    input:
        criteria=CRITERIA,
    output:
        trials=update(TRIALS),
        events=update("results/validation/chunks/{chunk}.events.parquet"),
        failures=update(FAILURES),
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
        chunk=lambda wildcards: RUNS["comparison"][wildcards.chunk],
        seed=lookup(dpath="seed", within=config),
        code=code("classify.gates", "design.chunks", "tables.files"),
    script:
        "../scripts/measure_chunk.py"


rule judge_gates:
    input:
        trials=collect(TRIALS, chunk=CHUNKS),
        events=collect("results/validation/chunks/{chunk}.events.parquet", chunk=CHUNKS),
        failures=collect(FAILURES, chunk=CHUNKS),
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


rule compare_methods:
    input:
        trials=collect(TRIALS, chunk=RUNS["comparison"]),
        failures=collect(FAILURES, chunk=RUNS["comparison"]),
    output:
        failures=update("results/validation/methods_failures.csv"),
        table=update("results/validation/methods.csv"),
        nested_loop=[
            update(f"results/validation/nested_loop.{end}") for end in ("svg", "png")
        ],
        methods=[update(f"results/validation/methods.{end}") for end in ("svg", "png")],
        page=update("results/validation/methods.html"),
    log:
        "logs/compare_methods.log",
    benchmark:
        "results/provenance/benchmarks/compare_methods.tsv"
    conda:
        "../../environment.yml"
    params:
        project=str(PROJECT),
        seed=lookup(dpath="seed", within=config),
        code=code(
            "classify.performance",
            "report.method_figures",
            "report.method_page",
            "tables.files",
        ),
    script:
        "../scripts/compare_methods.py"
