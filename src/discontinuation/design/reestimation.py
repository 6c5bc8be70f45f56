"""Would choosing the size again half-way, from counts that tell no arm, rescue the trial?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from discontinuation.design._daily import FloatArray
from discontinuation.design.day_tables import Cells
from discontinuation.design.design_file import TrialDesign
from discontinuation.design.hypotheses import (
    Counts,
    Covariates,
    covariates,
    expected_calls,
    hypothesis_of,
    z_values,
)
from discontinuation.design.power import called_cells, draw_counts, drift_of_one
from discontinuation.design.trial_tests import Z
from discontinuation.design.true_answers import powered_tests, true_tests
from discontinuation.seeds import random_stream

RELAPSE_SCALES = np.geomspace(1 / 3, 3, 9)
WITHDRAWAL_SCALES = np.geomspace(1 / 10, 3, 9)
MULTIPLE = 25  # sizes are rounded up to it

SizeFor = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Reestimation:
    """What blinded re-estimation does.

    Attributes
    ----------
    summary
        One row per truth and test of a hypothesis: ``truth, test, planned, size_median, size_low,
        size_high`` (10th and 90th percentile), ``fixed, fixed_mcse, reestimated,
        reestimated_mcse, failed, trials``; `fixed` and `reestimated` are the shares of
        trials that reject with the planned and with the chosen size.
    planned, interim, largest
        Sizes per arm.
    """

    summary: pd.DataFrame
    planned: int
    interim: int
    largest: int


def reestimate(design: TrialDesign, planned: int) -> Reestimation:
    """Simulate a trial that chooses its size again, blinded, under each truth (methods G4).

    When a share of the planned people have finished, the events of all arms together, and how many
    of them the raters call withdrawal, give the hazards of relapse and of withdrawal as
    multiples of those planned, their shape over time and between arms kept. The formula then gives
    the size at which the wanted hypotheses have the wanted power: at least the planned one, at
    most the largest. No arm is unblinded, so every test is made once, at the end.

    Parameters
    ----------
    design
        The planned trial.
    planned
        People per arm as first planned.

    Returns
    -------
    Reestimation

    Raises
    ------
    InvalidInput
        A wanted hypothesis is false under the truth that is planned for.
    """
    powered_tests(design)
    asked = design.content["reestimation"]
    interim = max(1, math.ceil(asked["at"] * planned))
    largest = math.ceil(asked["largest"] * planned)
    size_for = _size_for(design, planned, largest)
    known = covariates(design)
    rows = []
    for truth in design.truths:
        rows += _under(design, truth, known, (interim, planned), size_for)
    return Reestimation(pd.DataFrame(rows), planned, interim, largest)


def _size_for(design: TrialDesign, planned: int, largest: int) -> SizeFor:
    """Size per arm from blinded events per person: interpolated between multiples of hazards."""
    from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator

    known, truth = covariates(design), design.scenario
    calls, sizes = [], []
    for relapse in RELAPSE_SCALES:
        for withdrawal in WITHDRAWAL_SCALES:
            scaled = replace(
                truth,
                relapse_per_year=(truth.relapse_per_year[0] * relapse,),
                alpha_per_day=truth.alpha_per_day * withdrawal,
            )
            one = replace(design, truths={**design.truths, design.planned_for: scaled})
            counts, _ = expected_calls(one, one.planned_for)
            calls.append(_blinded(counts, 1)[0])
            sizes.append(min(max(_wanted_size(one, known), planned), largest))
    points, logs = np.array(calls), np.log(sizes)
    beyond = within = NearestNDInterpolator(points, logs)
    if np.linalg.matrix_rank(points - points.mean(axis=0), tol=1e-9) == 2:
        within = LinearNDInterpolator(points, logs)

    def size_for(withdrawal: FloatArray, relapse: FloatArray) -> FloatArray:
        place = np.column_stack([withdrawal, relapse])
        found = within(place)
        size = np.exp(np.where(np.isnan(found), beyond(place), found))
        size = np.ceil(np.round(size, 6) / MULTIPLE) * MULTIPLE
        return np.asarray(np.clip(size, planned, largest))

    return size_for


def _wanted_size(design: TrialDesign, known: Covariates) -> float:
    """People per arm for the wanted power of all wanted hypotheses; of H3 the easier true side.

    Infinite where one of them is false: no size gives it power.
    """
    asked = design.content["hypotheses"]
    sizes = dict.fromkeys(design.wanted, math.inf)
    true = true_tests(design, design.planned_for)
    for test, one in drift_of_one(design, design.planned_for, known).items():
        name = hypothesis_of(test)
        if name in sizes and test in true:
            sizes[name] = min(sizes[name], one.people_needed(asked["power"]))
    return max(sizes.values())


def _blinded(counts: Counts, people: int) -> FloatArray:
    """Events per person called withdrawal and relapse, all arms together; shape (trials, 2)."""
    arms = counts.at_risk.shape[-1]
    calls = [events.sum(axis=(1, 2)) for events in (counts.withdrawal, counts.relapse)]
    return np.asarray(np.column_stack(calls) / (arms * people))


def _under(
    design: TrialDesign,
    truth: str,
    known: Covariates,
    sizes: tuple[int, int],
    size_for: SizeFor,
) -> list[dict[str, object]]:
    interim, planned = sizes
    trials = design.content["reestimation"]["trials"]
    names = (design.content["design"], truth, str(planned))
    random = random_stream(design.content["seed"], "re-estimation", *names)
    chances = called_cells(design, truth)
    first = draw_counts(design, chances, interim, trials, random)
    chosen = size_for(*_blinded(first, interim).T).astype(int)
    fixed = z_values(design, _with_more(design, chances, first, planned - interim, random), known)
    again = {test: np.full(trials, np.nan) for test in fixed}
    for size in np.unique(chosen):
        these = chosen == size
        part = Counts(
            first.day, first.withdrawal[these], first.relapse[these], first.at_risk[these]
        )
        whole = _with_more(design, chances, part, int(size) - interim, random)
        for test, z in z_values(design, whole, known).items():
            again[test][these] = z
    low, middle, high = np.quantile(chosen, [0.1, 0.5, 0.9])
    return [
        {
            "truth": truth,
            "test": test,
            "planned": planned,
            "size_median": middle,
            "size_low": low,
            "size_high": high,
            **_share("fixed", fixed[test]),
            **_share("reestimated", again[test]),
            "failed": int((np.isnan(fixed[test]) | np.isnan(again[test])).sum()),
            "trials": trials,
        }
        for test in fixed
    ]


def _with_more(
    design: TrialDesign, chances: Cells, first: Counts, more: int, random: np.random.Generator
) -> Counts:
    """Add people to each trial."""
    if more <= 0:
        return first
    added = draw_counts(design, chances, more, len(first.at_risk), random)
    return Counts(
        first.day,
        first.withdrawal + added.withdrawal,
        first.relapse + added.relapse,
        first.at_risk + added.at_risk,
    )


def _share(name: str, z: FloatArray) -> Mapping[str, float]:
    share = float((z > Z).mean())
    return {name: share, f"{name}_mcse": math.sqrt(share * (1 - share) / len(z))}
