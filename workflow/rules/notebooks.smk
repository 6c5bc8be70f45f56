"""Run the notebooks and keep the pages they make; nothing here feeds the report.

A notebook is one plain Python file in jupytext's percent format: readable in a diff, checked
by ruff, opened as a notebook by Jupyter. Not part of the default run:
`python3 reproduce.py notebooks`.
"""

NOTEBOOKS = sorted(path.stem for path in (PROJECT / "notebooks").glob("*.py"))


wildcard_constraints:
    notebook="|".join(NOTEBOOKS),


rule notebooks:
    input:
        collect("results/notebooks/{notebook}.html", notebook=NOTEBOOKS),


rule render_notebook:
    input:
        notebook=str(PROJECT / "notebooks" / "{notebook}.py"),
        results=[
            f"results/evidence/{name}.csv"
            for name in ("pooled", "early_share", "answerable", "leave_one_out")
        ],
        classified=(
            ["results/datasets/example_trial/classification"]
            if "example_trial" in DATASETS
            else []
        ),
    output:
        html=report(
            update("results/notebooks/{notebook}.html"),
            caption="../report/notebook.rst",
            category="Notebooks",
            labels={"notebook": "{notebook}"},
        ),
    log:
        "logs/render_notebook/{notebook}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("logs"),
    script:
        "../scripts/render_notebook.py"
