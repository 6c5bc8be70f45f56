"""The trials that are planned, one per file in config/designs: size, power, and what they cannot show.

Not part of the default run, as simulating takes minutes: `python3 reproduce.py plan_trials`.
"""

DESIGNS = {
    path.stem: str(path)
    for path in sorted((PROJECT / "config" / "designs").glob("*.yaml"))
}


wildcard_constraints:
    design="|".join(map(re.escape, DESIGNS)),


rule plan_trials:
    input:
        collect("results/designs/{design}", design=DESIGNS),


rule plan_trial:
    input:
        design=lambda wildcards: DESIGNS[wildcards.design],
    output:
        plan=update(directory("results/designs/{design}")),
    log:
        "logs/plan_trial/{design}.log",
    benchmark:
        "results/provenance/benchmarks/plan_trial/{design}.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        code=code("design.trial_plan", "report.design_page", "report.power_figure"),
    script:
        "../scripts/plan_trial.py"
