"""What can these data tell, and what not?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from discontinuation.classify.likelihood import Task
from discontinuation.classify.observed import Observed
from discontinuation.classify.settings import Settings

FloatArray = npt.NDArray[np.float64]

FEW = 10  # events (methods B9)
NEAR_DAYS = 60.0
ILL_CONDITIONED = 1e6
PRIOR_HALF = 0.5
SAME_PROFILE = 0.1
MOVED = 0.15
PACES_APART_DAYS = 7.0  # a proposal: falls of occupancy closer than this are one pace
UNSTEADY = 0.01


@dataclass(frozen=True)
class Caution:
    """Something the data cannot tell, or hardly.

    Attributes
    ----------
    code
        W1 to W6 of methods B9; other codes are named after what they are about.
    message
        What, in a sentence.
    refuses
        Which quantities are not reported because of it.
    """

    code: str
    message: str
    refuses: tuple[str, ...] = ()

    def __str__(self) -> str:
        refused = f" Refused: {', '.join(self.refuses)}." if self.refuses else ""
        return f"{self.code}: {self.message}.{refused}"


def few_events(observed: Observed, day: float) -> Iterator[Caution]:
    """W1 and W2: events soon after the last reduction, and in the maintenance arm.

    Parameters
    ----------
    observed
        The data.
    day
        Length of a day in the unit of the data.
    """
    events, arms = observed.events, observed.arms
    kept = set(map(tuple, arms.loc[arms["maintenance"], ["study", "arm"]].to_numpy()))
    in_kept = np.array([pair in kept for pair in zip(events["study"], events["arm"], strict=True)])
    since = events["onset_latest"] - events["last_reduction"]
    near = int((~in_kept & (since <= NEAR_DAYS * day).to_numpy()).sum())
    if near < FEW:
        message = (
            f"{near} events of the stopping arms lie within {NEAR_DAYS:g} days of the last "
            f"reduction, fewer than {FEW}"
        )
        yield Caution("W1", message)
    for study in observed.studies:
        if not any(name == study for name, _ in kept):
            refuses = ("psi", "beta") if not kept else ("psi",)
            yield Caution("W2", f"study {study} has no maintenance arm", refuses)
            continue
        count = int((in_kept & (events["study"] == study).to_numpy()).sum())
        if count < FEW:
            message = f"{count} events in the maintenance arm of study {study}, fewer than {FEW}"
            yield Caution("W2", message)


def several_anchors(observed: Observed) -> Iterator[Caution]:
    """Whether a study has several maintenance arms, of which psi takes the first."""
    arms = observed.arms
    for study, names in arms.loc[arms["maintenance"]].groupby("study", sort=False)["arm"]:
        if len(names) > 1:
            message = (
                f"study {study} has {len(names)} maintenance arms ({', '.join(names)}): psi sets "
                f"the arms that stop against the first, {names.iloc[0]}; the others still count "
                "for the parameters"
            )
            yield Caution("reference", message)


def single_pace(observed: Observed, settings: Settings) -> bool:
    """Whether occupancy fell at one pace in all who stopped (W4).

    The pace of a dose history is the time from a tenth to nine tenths of lost protection. There
    is one if the middle 90 % of the people who got there differ by less than 7 days.
    """
    falls = fall_times(observed) * settings.step
    count = np.bincount(observed.history_of_person, minlength=len(falls)).astype(float)
    known = np.isfinite(falls)
    if not known.any():
        return True
    times = np.repeat(falls[known], count[known].astype(int))
    low, high = np.quantile(times, [0.05, 0.95])
    return bool(high - low < PACES_APART_DAYS * settings.day)


def fall_times(observed: Observed) -> FloatArray:
    """Steps in which each history goes from 0.1 to 0.9 of lost protection; NaN if it does not."""
    lost = 1 - observed.retained
    first = [(lost > level).argmax(axis=1) for level in (0.1, 0.9)]
    reached = (lost > 0.9).any(axis=1)
    return np.where(reached, first[1] - first[0], np.nan)


def weak_information(
    theta: FloatArray, information: FloatArray, covariance: FloatArray, task: Task
) -> tuple[FloatArray, list[Caution]]:
    """W3: an ill-conditioned information, or more than half of it from the prior.

    The condition number is that of the information scaled to a unit diagonal, which does not
    depend on units, over the parameters on which there is any.

    Returns
    -------
    share
        Share of each parameter's information that the prior contributed: its precision (of the
        Beta prior of a symptom, its curvature at theta) over the precision with the data, shape
        (parameters,); NaN where a parameter is held fixed.
    cautions
    """
    layout, free = task.layout, task.free
    precision = np.diag(layout.prior(theta)[2])
    share = np.where(free, precision * np.diag(covariance), np.nan)
    told = free & (np.abs(np.diag(information)) > 0)
    scale = np.sqrt(np.abs(np.diag(information)[told]))
    scaled = information[np.ix_(told, told)] / np.outer(scale, scale)
    condition = float(np.linalg.cond(scaled))
    cautions = []
    if condition > ILL_CONDITIONED:
        message = f"the information is ill-conditioned (condition number {condition:.2g})"
        cautions.append(Caution("W3", message))
    places = {"tau": layout.tau, "kappa": layout.kappa, "beta": layout.beta}
    led = [name for name, at in places.items() if free[at] and share[at] > PRIOR_HALF]
    if led:
        message = f"more than half of the information on {', '.join(led)} comes from the prior"
        cautions.append(Caution("W3", message))
    return share, cautions


def like_profiles(theta: FloatArray, covariance: FloatArray, task: Task) -> Iterator[Caution]:
    """W5: no symptom is shown to differ by 0.1 between the causes, so timing decides alone.

    A difference counts as shown if its confidence interval, shared out over the symptoms
    (Bonferroni), lies beyond 0.1; estimates alone would differ by chance.
    """
    layout, data = task.layout, task.observed
    if not data.rated.any():
        yield Caution("W5", "no symptom was rated: timing-only mode")
        return
    pi = 1 / (1 + np.exp(-theta[layout.symptoms]))
    half = layout.items
    slope = np.zeros((half, layout.size))
    each = np.arange(half)
    slope[each, layout.item_withdrawal.start + each] = (pi * (1 - pi))[:half]
    slope[each, layout.item_relapse.start + each] = -(pi * (1 - pi))[half:]
    se = np.sqrt(np.einsum("ij,jk,ik->i", slope, covariance, slope))
    z = float(ndtri(1 - (1 - task.settings.confidence) / (2 * half)))
    if not (np.abs(pi[:half] - pi[half:]) - z * se > SAME_PROFILE).any():
        message = (
            f"no symptom is shown to differ by {SAME_PROFILE:g} between withdrawal and relapse: "
            "timing-only mode"
        )
        yield Caution("W5", message)


def moved_shares(sensitivity: pd.DataFrame) -> Iterator[Caution]:
    """W6: frailty or the early multiplier change psi_H by more than 0.15."""
    if sensitivity.empty:
        return
    keys = ["study", "arm", "horizon"]
    main = sensitivity.loc[sensitivity["variant"] == "main"].set_index(keys)["psi_H"]
    others = sensitivity.loc[sensitivity["variant"] != "main"].set_index(keys)
    change = (others["psi_H"] - main.reindex(others.index)).abs()
    # Where the model leaves no excess the share has no value, which is a change too.
    wide = (change > MOVED) | ~np.isfinite(change)
    if wide.any():
        names = ", ".join(sorted(set(others["variant"][wide.to_numpy()])))
        yield Caution("W6", f"psi_H changes by more than {MOVED:g} with: {names}")


def unsteady_start(set_points: FloatArray) -> Iterator[Caution]:
    """Whether people were still adapting when the grid began, where the model has them settled."""
    off = int((np.abs(set_points - 1) > UNSTEADY).sum())
    if off:
        message = (
            f"{off} people had a change of dose shortly before the reference day, which the model "
            "takes for settled; an earlier reference day would show it"
        )
        yield Caution("start", message)
