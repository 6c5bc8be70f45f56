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
# # Audit a published curve
#
# From the points of a figure, its risk table and a sentence about the taper to what can be said
# about withdrawal and relapse: step by step, what `discontinuation audit` does at once. The trial
# is made up.

# %%
from pathlib import Path

import discontinuation
from discontinuation.audit.card import audit_card
from discontinuation.audit.study import read_study
from discontinuation.bias.early_share_curves import null_table
from discontinuation.exposure.drugs import read_drugs
from discontinuation.synthesis import reconstruct

project = Path(discontinuation.__file__).parents[2]
study = read_study(project / "docs" / "example_study.yaml")
study.tier

# %% [markdown]
# ## The people behind the curve
#
# Guyot's algorithm; what was published is held against what was reconstructed.

# %%
stopped = study.arms["stopped"]
behind = reconstruct(stopped.clicks, stopped.at_risk, stopped.events)
print(behind)

# %% [markdown]
# ## Is half of it early anyway?
#
# The share of the endpoint difference that is present early with no withdrawal at all, only a
# constant hazard ratio:

# %%
null_table().round(2).head(12)

# %% [markdown]
# ## What is early here, beside that benchmark?

# %%
card = audit_card(study, read_drugs(project / "data" / "reference"), seed=1)
card.measures.round(3)

# %% [markdown]
# ## The verdict, and what would overturn it

# %%
print(card.verdict)
print(*card.tipping, sep="\n")

# %% [markdown]
# ## Withdrawal confounding (domain W, experimental)

# %%
print(card.judgement, "| open answers yes:", card.either_way[0], "| no:", card.either_way[1])
card.answers[["question", "answer", "reason"]]

# %%
print(*card.would_change, sep="\n")
