"""Everything a reader needs, in one file that works without a network.

Inputs: results/evidence and results/figures. Output: results/report/report.html.
"""

REPORTED = [
    "trial_effects",
    "pooled",
    "small_study_effects",
    "leave_one_out",
    "early_share",
    "answerable",
    "extraction_agreement",
    "extraction_agreement_statistics",
    "counts",
    "same_trial_twice",
    "published_pace_labels",
    "published_authors",
    "drug_coverage",
]
DRAWN = [
    "forest",
    "early_share",
    "published_pace",
    "evidence_map",
    "event_free",
    "funnel",
    "traffic_lights",
    "judgement_bars",
]


rule write_report:
    input:
        results=collect("results/evidence/{name}.parquet", name=REPORTED),
        audits=[
            "results/audit/judgements.parquet",
            "results/audit/domain_w.parquet",
            "results/validation/early_excess.parquet",
        ],
        tables=rules.gather_evidence.output.current,
        svg=collect("results/figures/{name}.svg", name=DRAWN),
        png=collect("results/figures/{name}.png", name=DRAWN),
        # The report leads to their pages.
        pages=collect("results/datasets/{dataset}/report.html", dataset=DATASETS),
    output:
        html=report(
            update("results/report/report.html"),
            caption="../report/report.rst",
            category="Report",
            labels={"page": "The report"},
        ),
    log:
        "logs/write_report.log",
    benchmark:
        "results/provenance/benchmarks/write_report.tsv"
    conda:
        "../../environment.yml"
    params:
        config=config,
        datasets=[
            {"name": name, **declaration.content}
            for name, declaration in DATASETS.items()
        ],
        inputs=EVIDENCE_FILES + [WINDOWS],
        project=str(PROJECT),
        code=code(
            "report.document",
            "provenance",
            "report/templates/document.html",
            "report/templates/head.html",
            "report/templates/parts.html",
            "report/templates/document.css",
            "report/templates/document.js",
        ),
    script:
        "../scripts/write_report.py"
