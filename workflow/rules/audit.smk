"""How far each published trial can be trusted: RoB 2, ROBINS-I and withdrawal confounding.

Inputs: audits beside the evidence. Outputs: results/audit, results/figures.
"""

AUDITS = [
    str(path)
    for folder, use in COLLECTIONS
    if use == "include" and Path(folder).is_dir()
    for path in sorted((Path(folder) / "audits").glob("*.yaml"))
]
AUDIT_TABLES = [
    "judgements",
    "audit_answers",
    "domain_w",
    "robvis_rob2",
    "robvis_generic",
]


rule audit_evidence:
    input:
        audits=AUDITS,
        tables=rules.gather_evidence.output.current,
    output:
        tables=[
            update(f"results/audit/{name}.{ending}")
            for name in AUDIT_TABLES
            for ending in ("csv", "parquet")
        ],
        revman=update(directory("results/audit/revman")),
        lights=drawn("traffic_lights"),
        bars=drawn("judgement_bars"),
    log:
        "logs/audit_evidence.log",
    benchmark:
        "results/provenance/benchmarks/audit_evidence.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code(
            "audit.judgements",
            "audit.exports",
            "report.audit_figures",
            "tables.files",
        ),
    script:
        "../scripts/audit_evidence.py"


rule check_early_excess:
    output:
        summary=[
            update(f"results/validation/early_excess.{ending}")
            for ending in ("csv", "parquet")
        ],
        comparison=[
            update(f"results/validation/early_excess_comparison.{ending}")
            for ending in ("csv", "parquet")
        ],
    log:
        "logs/check_early_excess.log",
    benchmark:
        "results/provenance/benchmarks/check_early_excess.tsv"
    priority: 1  # long and waiting for nothing: last, it would keep one core idle
    conda:
        "../../environment.yml"
    params:
        seed=lookup(dpath="seed", within=config),
        code=code(
            "design.early_excess_performance", "bias._two_arm_kernels", "tables.files"
        ),
    script:
        "../scripts/check_early_excess.py"
