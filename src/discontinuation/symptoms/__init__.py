"""What happened to symptoms around each dose step?

`steps` turns intervals of dose into steps, `trajectory` counts days from them to every rating and
describes the days by arm, `mixed_model` fits a mean course for people who differ and days that are
alike, `onset` finds the first rise after each step, and `single_case` does what can be done with
one person. All of it describes what stood beside a step in time.
"""

from discontinuation.symptoms.mixed_model import MixedModel, contrasts, fit_mixed_model
from discontinuation.symptoms.onset import RiseRule, StepOnsets, step_onsets
from discontinuation.symptoms.randomisation import RandomisationTest, randomisation_test
from discontinuation.symptoms.single_case import SingleCase, describe_single_case
from discontinuation.symptoms.smooth import smooth_mean
from discontinuation.symptoms.steps import as_steps, dose_levels, dose_steps, last_doses
from discontinuation.symptoms.trajectory import (
    Trajectories,
    align,
    scheduled_visits,
    trajectories,
)

__all__ = [
    "MixedModel",
    "RandomisationTest",
    "RiseRule",
    "SingleCase",
    "StepOnsets",
    "Trajectories",
    "align",
    "as_steps",
    "contrasts",
    "describe_single_case",
    "dose_levels",
    "dose_steps",
    "fit_mixed_model",
    "last_doses",
    "randomisation_test",
    "scheduled_visits",
    "smooth_mean",
    "step_onsets",
    "trajectories",
]
