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
# # What do the published figures say, and what can they not say?
#
# Reads what the workflow made in `results/evidence`; nothing computed here goes into the report.

# %%
from pathlib import Path

import pandas as pd

evidence = Path("results/evidence")
pooled = pd.read_csv(evidence / "pooled.csv")
early = pd.read_csv(evidence / "early_share.csv")
answerable = pd.read_csv(evidence / "answerable.csv")

# %% [markdown]
# ## How much worse after stopping than after continuing?
#
# Risk ratios of relapse in randomised trials, by class of drug. One trial is not pooled.

# %%
main = pooled.query(
    "role == 'main' and contrast == 'stop vs continue' and outcome_group == 'relapse' "
    "and measure == 'risk_ratio' and allocation == 'randomised' and subgroup_by == 'none'"
)
main[
    ["drug_class", "trials", "trials_unspecified", "estimate", "lower", "upper",
     "prediction_lower", "prediction_upper", "i2", "note"]
].round(2)  # fmt: skip

# %% [markdown]
# ## Is the corrected table different from the table as first read?
#
# The check pools the antidepressant trials as first read; beside it stands the corrected pool, both
# as the odds ratio of continuing against stopping.

# %%
both = pooled.query(
    "measure == 'odds_ratio' and drug_class == 'antidepressant' and subgroup_by == 'none' "
    "and allocation == 'randomised' and contrast == 'stop vs continue' "
    "and outcome_group == 'relapse' and role != 'sensitivity'"
)
both[
    ["set", "rule", "trials", "reversed_estimate", "reversed_lower", "reversed_upper", "tau2", "i2"]
].round(2)

# %% [markdown]
# ## How much of the difference is early, beside what no withdrawal would give?

# %%
early[
    ["title", "early_week", "end_week", "share", "share_lower", "share_upper",
     "expected_share_proportional_hazards", "excess_share", "excess_lower", "excess_upper",
     "reading"]
].round(2)  # fmt: skip

# %% [markdown]
# ## What cannot be answered?

# %%
answerable.query("drug_class == 'all'")[["question", "window_factor", "answer", "missing"]]

# %% [markdown]
# ## Without any one trial
#
# The pooled risk ratio for antidepressants when each trial is left out in turn.

# %%
influence = pd.read_csv(evidence / "leave_one_out.csv").query(
    "measure == 'risk_ratio' and drug_class == 'antidepressant' and allocation == 'randomised' "
    "and contrast == 'stop vs continue' and outcome_group == 'relapse'"
)
assert len(influence) == int(influence["trials"].iloc[0]) + 1
influence[["left_out", "estimate", "lower", "upper"]].round(2)
