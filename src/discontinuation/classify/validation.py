"""How good are the probabilities and decisions of a classifier, when somebody knows the causes?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

from discontinuation.classify.arguments import is_number, share_problems, whole_number_problems
from discontinuation.problems import Problem, refuse
from discontinuation.symptoms.onset import wilson

FloatArray = npt.NDArray[np.float64]
Bins = Literal["equal_count", "equal_width"]

# A probability this close to 0 or 1 is moved there before its logit is taken.
EDGE = 1e-6


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Attributes
    ----------
    value, standard_error, lower, upper
        NaN where it cannot be computed.
    n
        Cases that it rests on.
    reason
        Why there is none; None if there is one.
    """

    value: float
    standard_error: float
    lower: float
    upper: float
    n: int
    reason: str | None = None

    def __str__(self) -> str:
        if self.reason is not None:
            return f"not computed ({self.reason})"
        return f"{self.value:.3f} ({self.lower:.3f} to {self.upper:.3f}, n = {self.n})"


@dataclass(frozen=True, eq=False)
class Validation:
    """How a classifier did against labels.

    Attributes
    ----------
    measures
        One row per measure: measure, estimate, standard_error, lower, upper, n, reason.
    reliability
        From `reliability_curve`.
    decisions
        From `decisions`.
    decision_curve
        From `decision_curve`.
    """

    measures: pd.DataFrame
    reliability: pd.DataFrame
    decisions: pd.DataFrame
    decision_curve: pd.DataFrame

    def __str__(self) -> str:
        shown = self.measures[["measure", "estimate", "lower", "upper", "n"]]
        return str(shown.to_string(index=False, float_format=lambda value: f"{value:.3f}"))


def validate(
    q: npt.ArrayLike,
    is_withdrawal: npt.ArrayLike,
    *,
    upper: float = 0.8,
    lower: float = 0.2,
    bins: int = 10,
    confidence: float = 0.95,
) -> Validation:
    """Compare probabilities of withdrawal with adjudicated causes.

    Parameters
    ----------
    q
        Probability that each deterioration is withdrawal.
    is_withdrawal
        1 where it was, 0 where it was relapse.
    upper, lower
        Decision limits: withdrawal from `upper` on, relapse up to `lower`, else undecided.
    bins
        Of the reliability curve.
    confidence
        Level of every interval.

    Returns
    -------
    Validation
        Swapping the causes (1 - q, 1 - is_withdrawal, limits likewise) swaps sensitivity and
        specificity and mirrors the intercept; the other measures stay.

    Raises
    ------
    InvalidInput
        Probabilities outside 0 to 1, labels other than 0 and 1, lengths that differ, limits in the
        wrong order, bins and a confidence that cannot be; all at once.
    """
    further = [*_limit_problems(lower, upper), *_bin_problems(bins)]
    p, y = _checked(q, is_withdrawal, [*further, *_confidence_problems(confidence)])
    intercept, slope = calibration(p, y, confidence)
    brier = brier_parts(p, y, bins)
    found = {
        "AUC": auc(p, y, confidence),
        "calibration intercept": intercept,
        "calibration slope": slope,
        "expected calibration error": _plain(expected_calibration_error(p, y, bins), len(p)),
        **{name: _plain(value, len(p)) for name, value in brier.items()},
    }
    rows = [_row(name, one) for name, one in found.items()]
    return Validation(
        measures=pd.DataFrame(rows),
        reliability=reliability_curve(p, y, bins, confidence=confidence),
        decisions=decisions(p, y, upper=upper, lower=lower, confidence=confidence),
        decision_curve=decision_curve(p, y),
    )


def _row(name: str, one: Estimate) -> dict[str, object]:
    return {
        "measure": name,
        "estimate": one.value,
        "standard_error": one.standard_error,
        "lower": one.lower,
        "upper": one.upper,
        "n": one.n,
        "reason": one.reason,
    }


def _checked(
    q: npt.ArrayLike, truth: npt.ArrayLike, further: Iterable[Problem] = ()
) -> tuple[FloatArray, FloatArray]:
    p, y = _as_numbers(q), _as_numbers(truth)
    refuse([*_value_problems(p, y, _as_given(q), _as_given(truth)), *further])
    return p, y


def _as_given(values: npt.ArrayLike) -> npt.NDArray[np.object_]:
    return np.asarray(values, dtype=object).ravel()


def _as_numbers(values: npt.ArrayLike) -> FloatArray:
    """Numbers, and NaN for anything else."""
    try:
        return np.asarray(values, dtype=float).ravel()
    except (TypeError, ValueError):
        found = pd.to_numeric(pd.Series(_as_given(values)), errors="coerce")
        return np.asarray(found.to_numpy(dtype=float, na_value=np.nan))


def _value_problems(
    p: FloatArray,
    y: FloatArray,
    q: npt.NDArray[np.object_],
    truth: npt.NDArray[np.object_],
) -> Iterator[Problem]:
    if len(p) != len(y) or not len(p):
        yield Problem("validation", f"{len(p)} probabilities for {len(y)} labels")
    for row in np.flatnonzero(~((p >= 0) & (p <= 1))):
        message = "allowed: a number from 0 to 1"
        yield Problem("validation", message, int(row) + 1, "q", str(q[row]))
    for row in np.flatnonzero(~np.isin(y, [0.0, 1.0])):
        said = str(truth[row])
        yield Problem("validation", "allowed: 0 or 1", int(row) + 1, "is_withdrawal", said)


def _limit_problems(lower: float, upper: float) -> Iterator[Problem]:
    if not (is_number(lower) and is_number(upper) and 0 <= lower < upper <= 1):
        rule, said = "allowed: 0 <= lower < upper <= 1", f"{lower}, {upper}"
        yield Problem("validation", rule, None, "lower, upper", said)


def _confidence_problems(confidence: float) -> Iterator[Problem]:
    return share_problems("validation", confidence)


def decisions(
    q: npt.ArrayLike,
    is_withdrawal: npt.ArrayLike,
    *,
    upper: float = 0.8,
    lower: float = 0.2,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Count right and wrong decisions, the undecided apart.

    Parameters
    ----------
    q, is_withdrawal, upper, lower, confidence
        As in `validate`.

    Returns
    -------
    DataFrame
        One row per measure: measure, count, of, share, lower, upper (Wilson). Sensitivity and
        specificity: of all withdrawals called withdrawal, of all relapses called relapse (the
        undecided count against both). Of those called: right. Undecided: of all.
    """
    further = [*_limit_problems(lower, upper), *_confidence_problems(confidence)]
    p, y = _checked(q, is_withdrawal, further)
    called_w, called_r = p >= upper, p <= lower
    withdrawal, relapse = y == 1, y == 0
    measures = (
        ("sensitivity", called_w & withdrawal, withdrawal),
        ("specificity", called_r & relapse, relapse),
        ("called withdrawal and is", called_w & withdrawal, called_w),
        ("called relapse and is", called_r & relapse, called_r),
        ("undecided", ~called_w & ~called_r, np.ones(len(p), dtype=bool)),
        ("undecided of withdrawal", ~called_w & ~called_r & withdrawal, withdrawal),
        ("undecided of relapse", ~called_w & ~called_r & relapse, relapse),
    )
    count = np.array([int(hit.sum()) for _, hit, _ in measures])
    total = np.array([int(base.sum()) for *_, base in measures])
    low, high = wilson(count, total, confidence)
    share = np.divide(count, total, out=np.full(len(count), np.nan), where=total > 0)
    names = [name for name, *_ in measures]
    return pd.DataFrame(
        {"measure": names, "count": count, "of": total, "share": share, "lower": low, "upper": high}
    )


def auc(q: npt.ArrayLike, is_withdrawal: npt.ArrayLike, confidence: float = 0.95) -> Estimate:
    """Area under the ROC curve, with DeLong's standard error and an interval on the logit scale.

    Parameters
    ----------
    q, is_withdrawal, confidence
        As in `validate`.

    Returns
    -------
    Estimate
        Ties count one half. At an area of 0 or 1 DeLong's error is 0; the interval is then the
        exact one of m successes in m trials, m being the size of the smaller group.

    References
    ----------
    DeLong, DeLong, Clarke-Pearson. Biometrics 1988;44:837-845. Sun, Xu. IEEE Signal Process Lett
    2014;21:1389-1393 (midranks). Pepe 2003, section 5.2 (logit).
    """
    p, y = _checked(q, is_withdrawal, _confidence_problems(confidence))
    area, cases, controls = _placements(p, y)
    if min(len(cases), len(controls)) == 0:
        return _nothing(len(p), "one of the causes does not occur")
    if min(len(cases), len(controls)) < 2:
        return _nothing(len(p), "one of the causes occurs once only", area)
    variance = cases.var(ddof=1) / len(cases) + controls.var(ddof=1) / len(controls)
    error = math.sqrt(variance)
    if not 0 < area < 1 or error == 0:
        bound = ((1 - confidence) / 2) ** (1 / min(len(cases), len(controls)))
        low, high = (bound, 1.0) if area == 1 else (0.0, 1 - bound) if area == 0 else (area, area)
        return Estimate(area, error, low, high, len(p))
    half = stats.norm.isf((1 - confidence) / 2) * error / (area * (1 - area))
    low, high = special.expit(special.logit(area) + np.array([-half, half]))
    return Estimate(area, error, float(low), float(high), len(p))


def compare_auc(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    is_withdrawal: npt.ArrayLike,
    confidence: float = 0.95,
) -> Estimate:
    """Difference of two areas under the ROC curve on the same cases, first less second.

    Parameters
    ----------
    first, second
        Two probabilities, or scores from 0 to 1, of the same cases.
    is_withdrawal, confidence
        As in `validate`.

    References
    ----------
    DeLong, DeLong, Clarke-Pearson. Biometrics 1988;44:837-845.
    """
    one, y = _checked(first, is_withdrawal, _confidence_problems(confidence))
    two, _ = _checked(second, is_withdrawal)
    areas, cases, controls = zip(*(_placements(p, y) for p in (one, two)), strict=True)
    if min(len(cases[0]), len(controls[0])) < 2:
        return _nothing(len(y), "one of the causes occurs less than twice")
    sides = [(a - b) for a, b in (cases, controls)]
    error = math.sqrt(sum(side.var(ddof=1) / len(side) for side in sides))
    difference = areas[0] - areas[1]
    half = stats.norm.isf((1 - confidence) / 2) * error
    return Estimate(difference, error, difference - half, difference + half, len(y))


def _placements(p: FloatArray, y: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Area, and for each case the share of the other group that lies on its right side."""
    cases, controls = p[y == 1], p[y == 0]
    if not len(cases) or not len(controls):
        return math.nan, cases, controls
    together = stats.rankdata(np.concatenate([cases, controls]))
    below = (together[: len(cases)] - stats.rankdata(cases)) / len(controls)
    above = 1 - (together[len(cases) :] - stats.rankdata(controls)) / len(cases)
    return float(below.mean()), below, above


def calibration(
    q: npt.ArrayLike, is_withdrawal: npt.ArrayLike, confidence: float = 0.95
) -> tuple[Estimate, Estimate]:
    """Calibration intercept (with slope 1) and slope; 0 and 1 are perfect.

    Parameters
    ----------
    q, is_withdrawal, confidence
        As in `validate`. Probabilities of 0 and 1 are moved to 1e-6 from them.

    Returns
    -------
    intercept, slope
        From logit P(withdrawal) = a + logit q, and = a + b logit q, by maximum likelihood with
        Wald intervals. Without an estimate where only one cause occurs, or where q separates the
        causes (the slope is then infinite) or does not vary.

    References
    ----------
    Van Calster and others. BMC Medicine 2019;17:230, doi:10.1186/s12916-019-1466-7.
    """
    p, y = _checked(q, is_withdrawal, _confidence_problems(confidence))
    if len(np.unique(y)) < 2:
        nothing = _nothing(len(p), "one of the causes does not occur")
        return nothing, nothing
    x = special.logit(np.clip(p, EDGE, 1 - EDGE))
    ones = np.ones((len(x), 1))
    intercept = _logistic(ones, y, x, confidence)[0]
    if np.ptp(x) == 0:
        return intercept, _nothing(len(p), "every probability is the same")
    if x[y == 1].min() >= x[y == 0].max() or x[y == 1].max() <= x[y == 0].min():
        return intercept, _nothing(len(p), "the probabilities separate the causes")
    return intercept, _logistic(np.column_stack([ones, x]), y, 0 * x, confidence)[1]


def _logistic(
    design: FloatArray, y: FloatArray, offset: FloatArray, confidence: float
) -> list[Estimate]:
    """Logistic regression by Newton's method with halved steps."""
    beta = np.zeros(design.shape[1])
    for _ in range(100):
        mean = special.expit(offset + design @ beta)
        information = (design * (mean * (1 - mean))[:, None]).T @ design
        step = np.linalg.solve(information, design.T @ (y - mean))
        before = _log_likelihood(design, y, offset, beta)
        while _log_likelihood(design, y, offset, beta + step) < before - 1e-12:
            step = step / 2
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    error = np.sqrt(np.diag(np.linalg.inv(information)))
    half = stats.norm.isf((1 - confidence) / 2) * error
    return [
        Estimate(float(b), float(e), float(b - h), float(b + h), len(y))
        for b, e, h in zip(beta, error, half, strict=True)
    ]


def _log_likelihood(design: FloatArray, y: FloatArray, offset: FloatArray, b: FloatArray) -> float:
    eta = offset + design @ b
    return float((y * eta - np.logaddexp(0, eta)).sum())


def reliability_curve(
    q: npt.ArrayLike,
    is_withdrawal: npt.ArrayLike,
    bins: int = 10,
    kind: Bins = "equal_count",
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Set predicted probabilities beside what happened.

    Parameters
    ----------
    q, is_withdrawal, confidence
        As in `validate`.
    bins, kind
        How many, and whether they hold equal numbers of cases or are equally wide. Equal
        probabilities always share a bin, so there may be fewer.

    Returns
    -------
    DataFrame
        One row per bin that holds cases: predicted (mean q), observed (share of withdrawal),
        lower, upper (Wilson), n.
    """
    further = [*_bin_problems(bins), *_confidence_problems(confidence)]
    p, y = _checked(q, is_withdrawal, further)
    groups = pd.DataFrame({"p": p, "y": y}).groupby(_bin_of(p, bins, kind))
    predicted, observed = groups["p"].mean().to_numpy(), groups["y"].mean().to_numpy()
    n = groups["y"].size().to_numpy()
    low, high = wilson(groups["y"].sum().to_numpy(), n, confidence)
    return pd.DataFrame(
        {"predicted": predicted, "observed": observed, "lower": low, "upper": high, "n": n}
    )


def _bin_problems(bins: int) -> Iterator[Problem]:
    return whole_number_problems("validation", "bins", bins, 1)


def _bin_of(p: FloatArray, bins: int, kind: Bins) -> npt.NDArray[np.int64]:
    if kind == "equal_width":
        return np.minimum((p * bins).astype(np.int64), bins - 1)
    # The bin of the first of several equal values is that of all of them.
    first = stats.rankdata(p, method="min") - 1
    return np.asarray(first * bins // len(p), dtype=np.int64)


def expected_calibration_error(
    q: npt.ArrayLike, is_withdrawal: npt.ArrayLike, bins: int = 10, kind: Bins = "equal_count"
) -> float:
    """Mean distance between predicted and observed over the bins, weighted by their cases."""
    curve = reliability_curve(q, is_withdrawal, bins, kind)
    apart = (curve["observed"] - curve["predicted"]).abs()
    return float((apart * curve["n"]).sum() / curve["n"].sum())


def brier_parts(
    q: npt.ArrayLike, is_withdrawal: npt.ArrayLike, bins: int = 10, kind: Bins = "equal_count"
) -> dict[str, float]:
    """Brier score and its parts.

    Parameters
    ----------
    q, is_withdrawal, bins, kind
        As in `reliability_curve`.

    Returns
    -------
    dict
        Brier score = reliability - resolution + uncertainty + within bins, exactly. The last part
        is what q varies inside the bins less twice its covariance with the cause there; it is 0
        where every bin holds one value only.

    References
    ----------
    Murphy. J Appl Meteorol 1973;12:595-600. Stephenson, Coelho, Jolliffe. Weather Forecast
    2008;23:752-757 (the part within bins).
    """
    p, y = _checked(q, is_withdrawal, _bin_problems(bins))
    frame = pd.DataFrame({"p": p, "y": y})
    groups = frame.groupby(_bin_of(p, bins, kind))
    mean_p, mean_y = groups["p"].transform("mean"), groups["y"].transform("mean")
    inside = (frame["p"] - mean_p) ** 2 - 2 * (frame["p"] - mean_p) * (frame["y"] - mean_y)
    return {
        "Brier score": float(((p - y) ** 2).mean()),
        "Brier reliability": float(((mean_p - mean_y) ** 2).mean()),
        "Brier resolution": float(((mean_y - y.mean()) ** 2).mean()),
        "Brier uncertainty": float(y.mean() * (1 - y.mean())),
        "Brier within bins": float(inside.mean()),
    }


def decision_curve(
    q: npt.ArrayLike, is_withdrawal: npt.ArrayLike, thresholds: Sequence[float] | None = None
) -> pd.DataFrame:
    """Net benefit of calling an event withdrawal from a threshold on.

    Parameters
    ----------
    q, is_withdrawal
        As in `validate`.
    thresholds
        Above 0 and below 1; 0.01 to 0.99 where it is left out. A threshold t says that calling a
        relapse withdrawal is t / (1 - t) times as bad as calling a withdrawal relapse.

    Returns
    -------
    DataFrame
        One row per threshold: threshold, model, all_withdrawal (call every event so),
        all_relapse (call none so: 0). The mirrored curve is that of 1 - q.

    References
    ----------
    Vickers, Elkin. Med Decis Making 2006;26:565-574.
    """
    p, y = _checked(q, is_withdrawal)
    grid = np.arange(1, 100) / 100 if thresholds is None else _as_numbers(thresholds)
    refuse(
        Problem("validation", "allowed: above 0 and below 1", None, "thresholds", f"{one:g}")
        for one in grid
        if not 0 < one < 1
    )
    odds = grid / (1 - grid)
    called = p[:, None] >= grid[None, :]
    model = (called & (y == 1)[:, None]).mean(axis=0)
    model = model - (called & (y == 0)[:, None]).mean(axis=0) * odds
    return pd.DataFrame(
        {
            "threshold": grid,
            "model": model,
            "all_withdrawal": y.mean() - (1 - y.mean()) * odds,
            "all_relapse": np.zeros(len(grid)),
        }
    )


def _plain(value: float, n: int) -> Estimate:
    return Estimate(value, math.nan, math.nan, math.nan, n)


def _nothing(n: int, reason: str, value: float = math.nan) -> Estimate:
    return Estimate(value, math.nan, math.nan, math.nan, n, reason)
