# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     name: python3
#     display_name: Python 3
#     language: python
# ---

# %% [markdown]
# # Is it withdrawal? One case, step by step
#
# A deterioration of the bundled made-up trial: what the published rules say, what the model says,
# and why. Reads what the workflow made in `results/datasets/example_trial`.

# %%
import json
from pathlib import Path

import pandas as pd

folder = Path("results/datasets/example_trial/classification")
events = pd.read_parquet(folder / "classification.parquet")
rules = pd.read_csv(folder / "rules.csv")["rule_set"]

# %% [markdown]
# ## One deterioration of a person who stopped at once

# %%
case = events.loc[(events["arm"] == "B") & (events["days_since_reduction"] < 42)].iloc[0]
case[["person", "onset", "days_since_reduction", "half_lives_since_reduction"]]

# %% [markdown]
# ## What each published rule set says of it, and which clause decided

# %%
pd.DataFrame(
    {"label": [case[rule] for rule in rules], "clause": [case[f"{rule}_clause"] for rule in rules]},
    index=rules,
)

# %% [markdown]
# ## What the model says: three parts that add up to the log odds

# %%
print(f"q = {case['q']:.3f} ({case['q_lower']:.3f} to {case['q_upper']:.3f}): {case['decision']}")
print(case["why"])
case[["timing", "symptoms", "reinstatement"]]

# %% [markdown]
# ## Is there any withdrawal in this trial at all?

# %%
model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
model["evidence"]["label"], [warning["message"] for warning in model["warnings"]]

# %% [markdown]
# ## And how much of the excess is it?

# %%
psi = pd.read_csv(folder / "psi.csv")
psi[["arm", "horizon", "measure", "estimate", "lower", "upper"]].round(2)
