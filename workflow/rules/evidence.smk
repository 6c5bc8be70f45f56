"""Published evidence: from the tables as read to effects, pools and what they cannot say.

Inputs: the folders of evidence named in the configuration, data/reference.
Outputs: results/evidence/*.csv and *.parquet.
"""


rule gather_evidence:
    input:
        files=EVIDENCE_FILES,
    output:
        current=[
            update(f"results/evidence/tables/{name}.parquet")
            for name in EVIDENCE_TABLES
        ],
        first=[
            update(f"results/evidence/tables_as_first_read/{name}.parquet")
            for name in EVIDENCE_TABLES
        ],
        counts=both("counts"),
        duplicates=both("same_trial_twice"),
    log:
        "logs/gather_evidence.log",
    benchmark:
        "results/provenance/benchmarks/gather_evidence.tsv"
    conda:
        "../../environment.yml"
    params:
        collections=[(str(folder), use) for folder, use in COLLECTIONS],
        code=code(
            "ingest.evidence", "ingest.gather", "tables.files", "tables/evidence.yaml"
        ),
    script:
        "../scripts/gather_evidence.py"


rule estimate_trial_effects:
    input:
        current=rules.gather_evidence.output.current,
        first=rules.gather_evidence.output.first,
    output:
        current=report(
            both("trial_effects"),
            caption="../report/trial_effects.rst",
            category="Published evidence",
            labels={"table": "Effects of each trial"},
        ),
        first=both("trial_effects_as_first_read"),
    log:
        "logs/estimate_trial_effects.log",
    benchmark:
        "results/provenance/benchmarks/estimate_trial_effects.tsv"
    conda:
        "../../environment.yml"
    params:
        settings=setting("zero_cells", "taper_bands_days", "confidence"),
        code=code("synthesis.contrasts", "synthesis.eligibility", "tables.files"),
    script:
        "../scripts/estimate_trial_effects.py"


rule pool_trials:
    input:
        current="results/evidence/trial_effects.parquet",
        first="results/evidence/trial_effects_as_first_read.parquet",
    output:
        pooled=report(
            both("pooled"),
            caption="../report/pooled.rst",
            category="Published evidence",
            labels={"table": "Pooled effects"},
        ),
        small_study=both("small_study_effects"),
        influence=both("leave_one_out"),
    log:
        "logs/pool_trials.log",
    benchmark:
        "results/provenance/benchmarks/pool_trials.tsv"
    conda:
        "../../environment.yml"
    params:
        settings=setting("pooling", "confidence"),
        code=code("synthesis.groups", "synthesis.robustness", "tables.files"),
    script:
        "../scripts/pool_trials.py"


rule compute_early_shares:
    input:
        tables=rules.gather_evidence.output.current,
        windows=WINDOWS,
    output:
        table=report(
            both("early_share"),
            caption="../report/early_share.rst",
            category="Published evidence",
            labels={"table": "Early share of the difference"},
        ),
    log:
        "logs/compute_early_shares.log",
    benchmark:
        "results/provenance/benchmarks/compute_early_shares.tsv"
    conda:
        "../../environment.yml"
    params:
        settings=setting("window_factors", "bootstrap_replicates", "confidence"),
        seed=lookup(dpath="seed", within=config),
        code=code("bias.published", "ingest.reference", "tables.files"),
    script:
        "../scripts/compute_early_shares.py"


rule judge_answerable:
    input:
        tables=rules.gather_evidence.output.current,
        early="results/evidence/early_share.parquet",
        windows=WINDOWS,
    output:
        table=report(
            both("answerable"),
            caption="../report/answerable.rst",
            category="Published evidence",
            labels={"table": "What can be answered"},
        ),
    log:
        "logs/judge_answerable.log",
    benchmark:
        "results/provenance/benchmarks/judge_answerable.tsv"
    conda:
        "../../environment.yml"
    params:
        settings=setting("window_factors"),
        code=code("audit.answerable", "ingest.reference", "tables.files"),
    script:
        "../scripts/judge_answerable.py"


rule compare_readings:
    input:
        readings="results/evidence/tables/readings.parquet",
    output:
        fields=report(
            both("extraction_agreement"),
            caption="../report/extraction_agreement.rst",
            category="Published evidence",
            labels={"table": "Two readings side by side"},
        ),
        statistics=both("extraction_agreement_statistics"),
    log:
        "logs/compare_readings.log",
    benchmark:
        "results/provenance/benchmarks/compare_readings.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("audit.agreement", "tables.files"),
    script:
        "../scripts/compare_readings.py"
