"""Figures of the evidence run, each as SVG and as PNG.

Inputs: results/evidence. Outputs: results/figures.
"""


rule draw_forest:
    input:
        effects="results/evidence/trial_effects.parquet",
        pooled="results/evidence/pooled.parquet",
    output:
        figure=report(
            drawn("forest"),
            caption="../report/forest.rst",
            category="Figures",
            labels={"figure": "Forest plot"},
        ),
    log:
        "logs/draw_forest.log",
    benchmark:
        "results/provenance/benchmarks/draw_forest.tsv"
    conda:
        "../../environment.yml"
    params:
        settings=setting("confidence"),
        code=code("report.forest"),
    script:
        "../scripts/draw_forest.py"


rule draw_funnel:
    input:
        effects="results/evidence/trial_effects.parquet",
        pooled="results/evidence/pooled.parquet",
        small_study="results/evidence/small_study_effects.parquet",
    output:
        figure=report(
            drawn("funnel"),
            caption="../report/funnel.rst",
            category="Figures",
            labels={"figure": "Funnel plot"},
        ),
    log:
        "logs/draw_funnel.log",
    benchmark:
        "results/provenance/benchmarks/draw_funnel.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("report.funnel"),
    script:
        "../scripts/draw_funnel.py"


rule draw_early_share:
    input:
        early="results/evidence/early_share.parquet",
    output:
        figure=report(
            drawn("early_share"),
            caption="../report/early_share_figure.rst",
            category="Figures",
            labels={"figure": "Early share"},
        ),
    log:
        "logs/draw_early_share.log",
    benchmark:
        "results/provenance/benchmarks/draw_early_share.tsv"
    conda:
        "../../environment.yml"
    params:
        settings=setting("confidence"),
        code=code("report.early_gap"),
    script:
        "../scripts/draw_early_share.py"


rule draw_event_free:
    input:
        tables=rules.gather_evidence.output.current,
    output:
        figure=report(
            drawn("event_free"),
            caption="../report/event_free.rst",
            category="Figures",
            labels={"figure": "Event-free proportion"},
        ),
    log:
        "logs/draw_event_free.log",
    benchmark:
        "results/provenance/benchmarks/draw_event_free.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("report.event_free"),
    script:
        "../scripts/draw_event_free.py"


rule draw_evidence_map:
    input:
        tables=rules.gather_evidence.output.current,
    output:
        figure=report(
            drawn("evidence_map"),
            caption="../report/evidence_map.rst",
            category="Figures",
            labels={"figure": "Evidence map"},
        ),
    log:
        "logs/draw_evidence_map.log",
    benchmark:
        "results/provenance/benchmarks/draw_evidence_map.tsv"
    conda:
        "../../environment.yml"
    params:
        settings=setting("taper_bands_days"),
        code=code("report.evidence_map"),
    script:
        "../scripts/draw_evidence_map.py"
