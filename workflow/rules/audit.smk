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
