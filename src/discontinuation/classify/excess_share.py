"""Which share of an arm's excess of deteriorations over the maintenance arm is withdrawal?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from discontinuation.classify.arm_curves import ArmCurves, arm_curves
from discontinuation.classify.hazards import RELAPSE, WITHDRAWAL
from discontinuation.classify.likelihood import Expectation, Task

FloatArray = npt.NDArray[np.float64]
Part = tuple[float, FloatArray]

MEASURES = ("psi_H", "psi_net", "psi_crude")
SURE_EXCESS = 4.0  # standard errors from which the log ratio is close to normal
NO_ANCHOR = "no maintenance arm: not identified"
UPPER_ONLY = "upper limit only: a withdrawal component is not supported"


@dataclass(frozen=True)
class Share:
    """A ratio with its limits, or the reason why there is none.

    Attributes
    ----------
    estimate, lower, upper
        NaN if refused.
    numerator, denominator
        Withdrawal and excess.
    denominator_lower, denominator_upper
        Limits of the excess.
    interval
        How the limits were found, or why there is no ratio.
    """

    estimate: float
    lower: float
    upper: float
    numerator: float
    denominator: float
    denominator_lower: float
    denominator_upper: float
    interval: str


def shares(
    curves: list[ArmCurves], covariance: FloatArray, task: Task, supported: bool
) -> pd.DataFrame:
    """psi_H, psi_net and psi_crude of every stopping arm (methods A4).

    Parameters
    ----------
    curves
        Result of `arm_curves`.
    covariance
        Of the parameters.
    task
        The model.
    supported
        Whether a withdrawal component is supported; if not, only upper limits are given.

    Returns
    -------
    DataFrame
        One row per study, stopping arm, horizon and measure: study, arm, reference, horizon,
        measure, and the fields of `Share`.
    """
    rows = []
    for arm, reference, horizon, steps in pairs(curves, task):
        names = task.observed.arms.iloc[arm]
        row = {"study": names["study"], "arm": names["arm"], "horizon": horizon}
        if reference is None:
            nan = math.nan
            nothing = Share(nan, nan, nan, nan, nan, nan, nan, NO_ANCHOR)
            rows += [{**row, "reference": None, "measure": m, **vars(nothing)} for m in MEASURES]
            continue
        row["reference"] = task.observed.arms["arm"].iloc[reference]
        parts = numerators(curves[arm], curves[reference], steps)
        for measure, (top, bottom) in parts.items():
            share = ratio(top, bottom, covariance, task.settings.confidence, supported)
            rows.append({**row, "measure": measure, **vars(share)})
    order = ["study", "arm", "reference", "horizon", "measure"]
    return pd.DataFrame(rows, columns=[*order, *Share.__dataclass_fields__])


def reported(psi: pd.DataFrame) -> pd.DataFrame:
    """Blank what is not to be reported: where there is an upper limit only, the rest (methods F5).

    Parameters
    ----------
    psi
        From `shares`.
    """
    upper_only = psi["interval"] == UPPER_ONLY
    return psi.assign(**{name: psi[name].mask(upper_only) for name in ("estimate", "lower")})


def reported_variants(sensitivity: pd.DataFrame, supported: bool) -> pd.DataFrame:
    """The same of shares under other assumptions, with the reason.

    Parameters
    ----------
    sensitivity
        psi_H and withdrawal (its numerator) by variant.
    supported
        Whether a withdrawal component is supported.
    """
    if supported:
        return sensitivity.assign(reason=None)
    return sensitivity.assign(psi_H=math.nan, withdrawal=math.nan, reason=UPPER_ONLY)


def in_words(estimate: float, lower: float, upper: float) -> str:
    """Write a share with its limits; "below" its upper limit where that is all there is.

    Parameters
    ----------
    estimate, lower, upper
        As `reported` gives them.
    """
    if math.isnan(upper):
        return ""
    if math.isnan(estimate):
        return f"below {upper:.2f}"
    return f"{estimate:.2f} ({lower:.2f} to {upper:.2f})"


def pairs(curves: list[ArmCurves], task: Task) -> Iterator[tuple[int, int | None, float, int]]:
    """Stopping arm, its maintenance arm or None, and each horizon with its steps.

    Of several maintenance arms of a study the first is the reference. A horizon after somebody was
    last at risk in either arm is replaced by that time.
    """
    data = task.observed
    kept = data.arms["maintenance"].to_numpy()
    for arm in np.flatnonzero(~kept):
        study = data.arms["study"].iloc[arm]
        anchors = np.flatnonzero(kept & (data.arms["study"] == study).to_numpy())
        reference = int(anchors[0]) if anchors.size else None
        longest = curves[arm].steps
        if reference is not None:
            longest = min(longest, curves[reference].steps)
        begins = data.begins[data.studies.index(study)]
        wanted = [(h - begins) / task.settings.step for h in task.settings.horizons]
        possible = sorted({min(int(np.floor(steps + 1e-9)), longest) for steps in wanted})
        for steps in possible:
            yield int(arm), reference, float(begins + steps * task.settings.step), steps


def numerators(stopped: ArmCurves, kept: ArmCurves, steps: int) -> dict[str, tuple[Part, Part]]:
    """Numerator and denominator of each measure with their gradients."""
    withdrawal = stopped.cumulative(WITHDRAWAL, steps)
    hazard = _difference(stopped.any_cause(steps), kept.any_cause(steps))
    risk = _difference(_risk(stopped.any_cause(steps)), _risk(kept.any_cause(steps)))
    relapse = _difference(
        _risk(stopped.cumulative(RELAPSE, steps)), _risk(kept.cumulative(RELAPSE, steps))
    )
    return {
        "psi_H": (withdrawal, hazard),
        "psi_net": (_difference(risk, relapse), risk),
        "psi_crude": (stopped.incidence(WITHDRAWAL, steps), risk),
    }


def ratio(
    top: Part, bottom: Part, covariance: FloatArray, confidence: float, supported: bool
) -> Share:
    """Limits of a ratio: delta method on its log, or Fieller where the excess is less sure.

    Refused where the interval of the denominator includes 0 (methods A4).
    """
    z = float(ndtri((1 + confidence) / 2))
    spread = np.array([top[1], bottom[1]]) @ covariance @ np.array([top[1], bottom[1]]).T
    se = math.sqrt(max(float(spread[1, 1]), 0.0))
    limits = (bottom[0] - z * se, bottom[0] + z * se)
    common = {
        "numerator": top[0],
        "denominator": bottom[0],
        "denominator_lower": limits[0],
        "denominator_upper": limits[1],
    }
    if limits[0] <= 0 <= limits[1] or bottom[0] <= 0:
        reason = "refused: the excess may be 0"
        return Share(math.nan, math.nan, math.nan, interval=reason, **common)
    estimate = top[0] / bottom[0]
    if bottom[0] > SURE_EXCESS * se and top[0] > 0:
        gradient = top[1] / top[0] - bottom[1] / bottom[0]
        factor = math.exp(z * math.sqrt(max(float(gradient @ covariance @ gradient), 0.0)))
        lower, upper, how = estimate / factor, estimate * factor, "delta method on the log"
    else:
        lower, upper = _fieller(top[0], bottom[0], spread, z)
        how = "Fieller"
    if not supported:
        lower, how = 0.0, UPPER_ONLY
    return Share(estimate, lower, upper, interval=how, **common)


def _fieller(top: float, bottom: float, spread: FloatArray, z: float) -> tuple[float, float]:
    """Limits of a ratio of two normal estimates (methods C2); the denominator is not 0."""
    a = bottom**2 - z**2 * spread[1, 1]
    b = -2 * (top * bottom - z**2 * spread[0, 1])
    c = top**2 - z**2 * spread[0, 0]
    root = math.sqrt(max(b**2 - 4 * a * c, 0.0))
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def _difference(one: Part, other: Part) -> Part:
    return one[0] - other[0], one[1] - other[1]


def _risk(cumulative: Part) -> Part:
    survival = math.exp(-cumulative[0])
    return 1 - survival, survival * cumulative[1]


def plain_shares(
    found: Expectation, task: Task
) -> list[tuple[tuple[str, str, float], float, float, float]]:
    """psi_H of every stopping arm with an anchor: names, share, withdrawal, excess.

    Parameters
    ----------
    found
        Likelihood at the parameters.
    task
        The model.
    """
    curves = arm_curves(found, task)
    rows = []
    for arm, reference, horizon, steps in pairs(curves, task):
        if reference is None:
            continue
        top, bottom = numerators(curves[arm], curves[reference], steps)["psi_H"]
        names = task.observed.arms.iloc[arm]
        share = top[0] / bottom[0] if bottom[0] > 0 else math.nan
        rows.append(((names["study"], names["arm"], horizon), share, top[0], bottom[0]))
    return rows


def incidences(curves: list[ArmCurves], covariance: FloatArray, task: Task) -> pd.DataFrame:
    """Cumulative hazard and crude incidence of each cause in each arm at the horizons.

    Returns
    -------
    DataFrame
        study, arm, horizon, cause, hazard, hazard_se, incidence, incidence_se.
    """
    data, rows = task.observed, []
    for arm, curve in enumerate(curves):
        names = data.arms.iloc[arm]
        begins = data.begins[data.studies.index(names["study"])]
        for horizon in task.settings.horizons:
            wanted = int(np.floor((horizon - begins) / task.settings.step + 1e-9))
            steps = min(wanted, curve.steps)
            for cause in curve.hazard:
                hazard, hazard_slope = curve.cumulative(cause, steps)
                crude, crude_slope = curve.incidence(cause, steps)
                row = (
                    names["study"],
                    names["arm"],
                    float(begins + steps * task.settings.step),
                    cause,
                    hazard,
                    _se(hazard_slope, covariance),
                    crude,
                    _se(crude_slope, covariance),
                )
                rows.append(row)
    names_of = ("study", "arm", "horizon", "cause", "hazard", "hazard_se", "incidence")
    frame = pd.DataFrame(rows, columns=[*names_of, "incidence_se"])
    return frame.drop_duplicates(["study", "arm", "horizon", "cause"]).reset_index(drop=True)


def _se(gradient: FloatArray, covariance: FloatArray) -> float:
    return math.sqrt(max(float(gradient @ covariance @ gradient), 0.0))
