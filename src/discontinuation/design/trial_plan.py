"""How large must the planned trial be, and what would it leave open?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from discontinuation.design.assurance import Assurance, assurance
from discontinuation.design.design_file import TrialDesign
from discontinuation.design.measurement import cost_of_visits
from discontinuation.design.needed_follow_up import needed_follow_up
from discontinuation.design.power import Power, plan_power
from discontinuation.design.reestimation import Reestimation, reestimate
from discontinuation.design.true_answers import powered_tests, true_answers


@dataclass(frozen=True, eq=False)
class TrialPlan:
    """All that is worked out about a planned trial.

    Attributes
    ----------
    power
        From `plan_power`.
    answers
        From `true_answers`.
    follow_up
        From `needed_follow_up`.
    assured
        From `assurance`.
    visits
        From `cost_of_visits`, at `size`.
    chosen_again
        From `reestimate`, with `size` as the planned one.
    size
        People per arm: the recommended number, or the largest that was tried if none is.
    """

    power: Power
    answers: pd.DataFrame
    follow_up: pd.DataFrame
    assured: Assurance
    visits: pd.DataFrame
    chosen_again: Reestimation
    size: int

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table, by the name of its file."""
        return {
            "power": self.power.summary,
            "formula": self.power.curves,
            "truths": self.answers,
            "follow_up": self.follow_up,
            "assurance": self.assured.summary,
            "assurance_draws": self.assured.draws,
            "visits": self.visits,
            "reestimation": self.chosen_again.summary,
        }


def plan_trial(
    design: TrialDesign, cores: int = 1, tell: Callable[[int, int], None] | None = None
) -> TrialPlan:
    """Work out everything about a planned trial.

    Parameters
    ----------
    design
        From `read_design`.
    cores
        Threads for the simulation of power; no number depends on them.
    tell
        Called with the chunks of that simulation done and all.

    Returns
    -------
    TrialPlan

    Raises
    ------
    InvalidInput
        As `plan_power` and `assurance`, before anything is simulated.
    """
    powered_tests(design)
    answers, follow_up, assured = true_answers(design), needed_follow_up(design), assurance(design)
    power = plan_power(design, cores, tell)  # the long wait, after all that could be refused
    size = power.recommended or max(design.content["people_per_arm"])
    return TrialPlan(
        power=power,
        answers=answers,
        follow_up=follow_up,
        assured=assured,
        visits=cost_of_visits(design, size),
        chosen_again=reestimate(design, size),
        size=size,
    )
