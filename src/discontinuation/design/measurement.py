"""What does it cost to look for deteriorations less often?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from discontinuation.design.design_file import TrialDesign
from discontinuation.design.hypotheses import (
    covariates,
    expected_calls,
    hypothesis_of,
    seen_share,
    z_values,
)
from discontinuation.design.power import called_cells, draw_counts, drift_of_one
from discontinuation.design.trial_tests import Z
from discontinuation.design.true_answers import true_tests
from discontinuation.seeds import random_stream


def cost_of_visits(design: TrialDesign, people_per_arm: int) -> pd.DataFrame:
    """Power and size with other times between visits, under the truth that is planned for.

    A deterioration is dated at the visit at which it is seen, and is not seen at all if the person
    leaves before. The drive and the loss of protection are averaged between visits.

    Parameters
    ----------
    design
        The planned trial.
    people_per_arm
        At which power is told.

    Returns
    -------
    DataFrame
        ``visit_days, visits_per_person`` (expected, until event or leaving), ``test, formula,
        simulated, mcse, failed, replicates, people_needed`` (by formula, for the wanted power;
        infinite if no size has it, blank where the hypothesis is not true), ``expected_share``
        (in the row of H4: the share that an endless trial with these visits and raters would
        estimate; where visits far apart raise it, more power is no gain), ``looks_on`` (day of
        the last visit by the look of the hypothesis; blank, as all of the row, if that comes
        before the first visit).
    """
    rows = []
    wanted = design.content["hypotheses"]["power"]
    replicates = min(design.content["replicates"], 1000)
    true = true_tests(design, design.planned_for)
    for days in sorted({*design.content["visits"]["compare_days"], design.scenario.visit_days}):
        seen = design.seen_every(days)
        truth, known = seen.planned_for, covariates(seen)
        counts, _ = expected_calls(seen, truth)
        tested = design.content["hypotheses"]["tested"]
        share_seen = float(seen_share(seen, counts)[0]) if "H4" in tested else math.nan
        names = (design.content["design"], truth, str(days))
        random = random_stream(design.content["seed"], "visits", *names)
        drawn = draw_counts(seen, called_cells(seen, truth), people_per_arm, replicates, random)
        found = z_values(seen, drawn, known)
        for test, one in drift_of_one(seen, truth, known).items():
            on = seen.looks_on(hypothesis_of(test))
            share = math.nan if math.isnan(on) else float((found[test] > Z).mean())
            counts_as_power = test in true and not math.isnan(on)
            needed = one.people_needed(wanted) if counts_as_power else math.nan
            rows.append(
                {
                    "visit_days": days,
                    "visits_per_person": float(counts.at_risk[0].mean(axis=1).sum()),
                    "test": test,
                    "formula": float(one.power(people_per_arm)),
                    "simulated": share,
                    "mcse": math.sqrt(share * (1 - share) / replicates),
                    "failed": int(np.isnan(found[test]).sum()),
                    "replicates": replicates,
                    "people_needed": needed,
                    "expected_share": share_seen if test == "H4" else math.nan,
                    "looks_on": on,
                }
            )
    return pd.DataFrame(rows)
