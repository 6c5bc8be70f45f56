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
# # Plan the trial
#
# How many people would a trial need that can say "withdrawal", "relapse", "both" or "neither"? The
# bundled design `config/designs/settle.yaml`, made small: three sizes, four truths and 500
# simulated trials of each instead of ten, seven and 2,000. `discontinuation power` does all of it.
#
# Every number rests on assumptions: one drug of short half-life, hazards of relapse and withdrawal
# of a stated form, raters who recognise 90 % of withdrawal and 95 % of relapse. None of them is a
# finding about a drug. Nothing here advises anybody to stop or reduce a drug, or to go on with it.

# %%
from io import StringIO
from pathlib import Path

import pandas as pd
from IPython.display import SVG

import discontinuation
from discontinuation.design.design_file import design_of, read_design
from discontinuation.design.interruption import InterruptionDesign
from discontinuation.design.interruption_course import InterruptionResponse, carry_over
from discontinuation.design.interruption_power import blocks_needed
from discontinuation.design.needed_follow_up import needed_follow_up, withdrawal_over
from discontinuation.design.power import plan_power
from discontinuation.design.registry import (
    DEFINITION,
    RegistryScenario,
    draw_registry,
    true_effects,
)
from discontinuation.design.registry_cohort import RegistryTables
from discontinuation.design.sample_size import people_for, schoenfeld_events
from discontinuation.design.strategies import Strategy, TargetTrial, hyperbolic_floor
from discontinuation.design.target_trial import emulate
from discontinuation.design.true_answers import true_answers
from discontinuation.report.design_words import labels
from discontinuation.report.drawing import new_figure
from discontinuation.report.palette import STRATEGY_COLOURS
from discontinuation.report.power_figure import draw_power


def show(figure):
    """Put a figure on the page."""
    drawn = StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    return SVG(drawn.getvalue())


project = Path(discontinuation.__file__).parents[2]
bundled = read_design(project / "config" / "designs" / "settle.yaml")
chosen = ("little", "withdrawal", "relapse", "surge")
small = {
    "truths": {name: bundled.content["truths"][name] for name in chosen},
    "people_per_arm": [100, 300, 600],
    "replicates": 500,
}
design = design_of({**bundled.content, **small}, bundled.file)
labels(design)

# %% [markdown]
# ## What an endless trial would find
#
# Each truth makes some hypotheses true and others false. H1: withdrawal exists. H2: a taper
# prevents withdrawal. H3: relapse after the taper is not more than 10 points above maintenance, or
# else it is worse than under maintenance. H4: more than a quarter of the excess after an abrupt
# stop is withdrawal.

# %%
answers = true_answers(design)
answers.pivot_table("true", "test", "truth", aggfunc="first")[list(chosen)]

# %% [markdown]
# ## Simulation beside formula
#
# Under the truth that the size is planned for (half as much withdrawal). `mcse` is the Monte-Carlo
# standard error of the simulated share, 0 where all trials agree. The formula scales up the
# expected counts of one person per arm. It is an approximation for small effects in large trials;
# the simulation decides.

# %%
power = plan_power(design)
hypotheses = power.summary.query("kind == 'hypothesis'").merge(answers, on=["truth", "test"])
planned = hypotheses.query("truth == @design.planned_for")
planned[["people_per_arm", "test", "true", "simulated", "mcse", "formula"]].round(3)

# %%
apart = (hypotheses["simulated"] - hypotheses["formula"]).abs()
print(f"Largest distance of simulation and formula: {apart.max():.3f}, mean {apart.mean():.3f}")
enough = power.recommended or "none; perhaps " + ", ".join(map(str, power.undecided))
print(f"Smallest size with a power of 0.9 for H1 to H4 beyond Monte-Carlo error: {enough}")
power.least.round(3)

# %% [markdown]
# ## Power against the number of people
#
# Dots are simulated, with bars of two Monte-Carlo errors; lines are the formula. Dashed lines with
# open dots: the hypothesis is not true there, so that the height is the rate of false answers.

# %%
show(draw_power(power, answers, labels(design)))

# %% [markdown]
# An early surge of true relapse is the trap. Without any withdrawal H1 then says "withdrawal" far
# more often than in 2.5 % of trials, and more often in a larger trial: H1 asks whether events
# follow the drive, and an early surge follows it too. H2 and H4 use what blinded raters say. Their
# rates of false answers hold only as long as the raters are as good as assumed.

# %%
surge = hypotheses.query("truth == 'surge' and test in ['H1', 'H2', 'H4']")
surge[["people_per_arm", "test", "simulated", "mcse", "formula"]].round(3)

# %% [markdown]
# ## Mirrored truths: the trial must be able to answer either
#
# All of the excess is withdrawal, or none of it is. Share of 500 trials of 600 per arm that settle
# each hypothesis, with Monte-Carlo errors; `true` says whether it holds.

# %%
mirrored = hypotheses.query("people_per_arm == 600 and truth in ['withdrawal', 'relapse']")
mirrored.sort_values(["test", "truth"])[["test", "truth", "true", "simulated", "mcse"]].round(3)

# %% [markdown]
# A plain log-rank test of any deterioration cannot do that. It finds the abrupt stop worse under
# both truths, and says nothing about the cause:

# %%
plain = power.summary.query(
    "test == 'log-rank' and contrast == 'abrupt v maintain' and truth in ['withdrawal', 'relapse']"
)
plain[["truth", "people_per_arm", "simulated", "mcse", "formula"]].round(3)

# %% [markdown]
# ## Schoenfeld's number of events, as a check
#
# A hazard ratio of 0.70, power 0.90, two arms alike, 5 % two-sided: 330.378 events. It holds for
# proportional hazards only. Withdrawal passes, so it is no guide to H1, H2 or H4.

# %%
events = schoenfeld_events(0.70, power=0.90)
assert round(events, 3) == 330.378
people = people_for(events, (0.40, 0.52))
print(f"{events:.3f} events; with risks of 0.40 and 0.52 that takes {people:.0f} people in all")

# %% [markdown]
# ## How long after the last dose?
#
# Days until the withdrawal hazard is below 5 % of the hazard of relapse, by the formula and on the
# daily scheme; how long the design follows; and how many people per arm give 80 events after that.
# With no withdrawal there is nothing to wait for.

# %%
follow_up = needed_follow_up(design)
follow_up.round({"days_formula": 1, "late_events": 2})

# %% [markdown]
# It hangs on the adaptation time, whose 14 days are a proposal (P). After an abrupt stop:

# %%
taus = {"tau_days": [7, 14, 30, 90]}
days = [withdrawal_over(1, tau, 2, 0.05, 1, 0.29) for tau in taus["tau_days"]]
pd.DataFrame({**taus, "days_after_the_last_dose": days}).round(0)

# %% [markdown]
# ## Brief interruptions in a few people
#
# Twelve people. Each block has two periods of four weeks in random order: one begins with a week
# without the drug, the other with a sham step. Whoever can tell them apart breaks the blinding. All
# responses are proposals without a source. The trial must be able to say "none" (the difference is
# inside plus and minus 1 point) as well as "higher when interrupted".

# %%
plan = InterruptionDesign(people=12, blocks=3, relevant_points=1.0)
rise = InterruptionResponse(rise_points=3.0)
nothing = InterruptionResponse(rise_points=0.0, rise_sd=0.0)
shown = blocks_needed(plan, rise, "higher when interrupted", replicates=300)
excluded = blocks_needed(plan, nothing, "none", replicates=300)
print(shown.sentence, excluded.sentence, sep="\n")
pd.concat({"a rise": shown.table, "none": excluded.table}).round(3)

# %% [markdown]
# Carry-over, and how far the drive rises. With a long half-life it hardly rises in a week without
# the drug, so that the difference to be found is small.

# %%
carry_over(plan, rise, [0.5, 1, 4, 8]).round(3)

# %% [markdown]
# ## A registry in place of a trial
#
# A made-up registry of 5,000 people, in which traits decide both how people leave the drug and how
# they fare. Clone, censor, weight; the intervals are those of a jackknife that leaves out each of
# 20 random groups of people in turn. What each strategy would do to people like these is known,
# because they are made up.

# %%
scenario = RegistryScenario(people=5000)
lowest = hyperbolic_floor(16, dose_mg=20, ed50_mg=2.7, occupancy_max=0.95)
taper = Strategy("taper", "taper", lowest)
trial = TargetTrial((Strategy("continue", "continue"), Strategy("stop", "stop"), taper))
made = draw_registry(scenario, seed=1)
tables = RegistryTables(
    made.people, made.dispensings, made.follow_up, made.deteriorations, made.measures
)
covariates = ["prior_episodes", "previous_attempts", "age", "sex", "poor_sleep"]
found = emulate(tables, trial, covariates, DEFINITION)
truth = true_effects(scenario, trial, people=5000, seed=2)

# %%
pair = ["strategy", "reference", "measure"]
beside = found.contrasts.merge(truth.contrasts, on=pair)
beside[[*pair, "estimate", "lower", "upper", "conclusion", "unweighted", "truth", "mcse"]].round(3)

# %% [markdown]
# Solid: emulated, with 95 % limits. Dashed: the truth.

# %%
colours = dict(zip(("continue", "stop", "taper"), STRATEGY_COLOURS.values(), strict=False))
figure = new_figure(9.5, 3.2)
panels = figure.subplots(1, 3, sharey=True)
for axes, (name, colour) in zip(panels, colours.items(), strict=True):
    emulated = found.curves.query("strategy == @name")
    known = truth.curves.query("strategy == @name")
    band = emulated["lower"], emulated["upper"]
    axes.fill_between(emulated["day"], *band, color=colour, alpha=0.2, linewidth=0)
    axes.plot(emulated["day"], emulated["event_free"], color=colour)
    axes.plot(known["day"], known["event_free"], color="black", linestyle="--", linewidth=1)
    axes.set(title=name, xlabel="days since time zero", ylim=(0, 1.02), xlim=(0, 364))
    axes.grid(axis="y")
panels[0].set_ylabel("no deterioration so far")
show(figure)

# %% [markdown]
# Whoever is classified by all that they did later had to stay well to do it. That comparison gives
# other risks by the end of the year:

# %%
last = truth.curves.query("day == 364").set_index("strategy")["event_free"]
found.naive.assign(true_risk=1 - found.naive["group"].map(last)).round(3)

# %% [markdown]
# ## What the emulation says of itself

# %%
print(*found.notes, sep="\n")

# %% [markdown]
# It assumes that every reason why people who fare differently leave the drug differently is among
# the covariates, which is so here by construction and cannot be checked in a real registry. It
# compares strategies by all deteriorations, and does not tell withdrawal from relapse.
