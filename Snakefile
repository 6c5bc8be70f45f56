"""Withdrawal or relapse: from published figures and trial data to one report.

Read this file first: it is the table of contents of the analysis.
"""

from snakemake.utils import min_version

min_version("9.1")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/evidence.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/exposure.smk"
include: "workflow/rules/survival.smk"
include: "workflow/rules/classify.smk"
include: "workflow/rules/validate.smk"
include: "workflow/rules/plan.smk"
include: "workflow/rules/reporting.smk"
include: "workflow/rules/provenance.smk"
include: "workflow/rules/notebooks.smk"
include: "workflow/rules/fetch.smk"


localrules:
    all,
    notebooks,
    validate_classifier,
    validate,
    time_validation,
    plan_trials,


rule all:
    default_target: True
    input:
        collect("results/datasets/{dataset}/report.html", dataset=DATASETS),
        "results/report/report.html",
        "results/provenance/run.json",
        "results/provenance/run-crate.zip",


onsuccess:
    if Path("results/report/report.html").exists():
        logger.info(
            f"The report is {Path('results/report/report.html').absolute()}"
        )
