"""Is a reconstruction good enough to be analysed as if it were the people of the trial?

Limits are those of the project's methods; where only one is set there, passing it is a warning for
the shape of the curve and a rejection for counts, which were printed and not read by hand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from discontinuation.problems import Problem, refuse
from discontinuation.synthesis.curve_clicks import SLACK, FloatArray, PublishedArm

Verdict = Literal["accept", "warn", "reject", "unverified"]

PUBLISHED = "published figures"
EVENT_SHARE = 0.02  # events within max(1, 2 %)
TABLE_LIMIT = 1.0  # people at any row of the risk table
RMSE_LIMIT = 0.01
ERROR_LIMITS = (0.03, 0.05)  # largest difference of S: warn beyond, reject beyond
WINDOW_LIMIT = 0.01  # difference of S at the end of the early window
RATIO_LIMITS = (0.05, 0.10)  # of a hazard ratio
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Check:
    """One thing that a reconstruction is held against.

    Attributes
    ----------
    name
        What is compared.
    value, limit
        How far it is off, and how far it may be; NaN where there is nothing to compare.
    verdict
        accept, warn, reject, or unverified (nothing published to compare with).
    sentence
        Why.
    """

    name: str
    value: float
    limit: float
    verdict: Verdict
    sentence: str


@dataclass(frozen=True)
class CurveQuality:
    """How well a reconstruction agrees with what was published."""

    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all checks; what cannot be verified does not count."""
        found = {check.verdict for check in self.checks}
        return "reject" if "reject" in found else "warn" if "warn" in found else "accept"

    @property
    def tier(self) -> int:
        """Evidence tier: 3 reconstructed people, 4 only counts at single times."""
        return 4 if self.verdict == "reject" else 3

    @property
    def sentence(self) -> str:
        """The verdict and the reasons for it."""
        told = {"accept": "Accepted", "warn": "Accepted with a warning", "reject": "Rejected"}
        reasons = [check.sentence for check in self.checks if check.verdict == self.verdict]
        if self.verdict == "accept":
            unverified = [c.sentence for c in self.checks if c.verdict == "unverified"]
            reasons = ["what was published is met within the limits.", *unverified]
        end = " Only counts at single times (tier 4) are left." if self.tier == 4 else ""
        return f"{told[self.verdict]}: {' '.join(reasons)}{end}"

    @property
    def summary(self) -> pd.DataFrame:
        """One row per check: check, value, limit, verdict, sentence."""
        rows = [(c.name, c.value, c.limit, c.verdict, c.sentence) for c in self.checks]
        return pd.DataFrame(rows, columns=["check", "value", "limit", "verdict", "sentence"])

    def value(self, name: str) -> float:
        """How far a check is off.

        Raises
        ------
        KeyError
            If no check has that name.
        """
        return {check.name: check.value for check in self.checks}[name]

    def __str__(self) -> str:
        lines = [self.sentence]
        lines += [f"  {c.verdict:10s} {c.name}: {c.sentence}" for c in self.checks]
        return "\n".join(lines)


@dataclass(frozen=True)
class Asked:
    """What a publication says beside its curve, for the checks.

    Attributes
    ----------
    window
        End of the early window, in the unit of the curve; None: no check there.
    window_events
        Events before it, if published.
    median
        Median time, if published.
    """

    window: float | None = None
    window_events: int | None = None
    median: float | None = None


def asked_problems(asked: Asked, arm: PublishedArm) -> Iterator[Problem]:
    """Find windows, counts and medians that the curve cannot be held against."""
    place, end = PUBLISHED, float(max(arm.time[-1], arm.table_time[-1]))
    inside = f"allowed: a time above 0, up to the end of follow-up ({end:g})"
    for name, value in (("window", asked.window), ("median", asked.median)):
        if value is not None and not 0 < value <= end:
            yield Problem(place, inside, column=name, value=f"{value:g}")
    count = asked.window_events
    if count is not None and asked.window is None:
        yield Problem(place, "needs the window that it belongs to", column="window_events")
    if count is not None and not (count >= 0 and count == int(count)):
        message = "allowed: a whole number, 0 or more"
        yield Problem(place, message, column="window_events", value=f"{count:g}")
    elif count is not None and count > arm.people:
        message = f"there are more events than people ({arm.people})"
        yield Problem(place, message, column="window_events", value=str(count))


def judge(
    arm: PublishedArm, people: pd.DataFrame, curve: pd.DataFrame, asked: Asked
) -> CurveQuality:
    """Hold a reconstruction against everything that was published of the arm.

    Parameters
    ----------
    arm
        What was published.
    people
        Reconstructed people: time, event.
    curve
        Their Kaplan-Meier curve: time (from 0), survival.
    asked
        What else was published.
    """
    checks = [
        _people(arm, people),
        _events(arm, people),
        _table(arm, people),
        *_shape(arm, curve),
        _median(arm, curve, asked.median),
        *_window(arm, people, curve, asked),
    ]
    if len(arm.table_time) == 1:
        checks.append(
            Check(
                "censoring", math.nan, math.nan, "warn",
                "The risk table has only its first row: that censoring was even over the whole "
                "of follow-up is an assumption.",
            )
        )  # fmt: skip
    return CurveQuality(tuple(checks))


def judge_contrast(
    first: pd.DataFrame,
    second: pd.DataFrame,
    hazard_ratio: float | None = None,
    p_value: float | None = None,
) -> CurveQuality:
    """Hold two reconstructed arms against a published hazard ratio and log-rank test.

    Parameters
    ----------
    first, second
        People of the two arms: time, event.
    hazard_ratio
        As published, the hazard of the second arm over that of the first.
    p_value
        Of the published log-rank test.

    Returns
    -------
    CurveQuality
        The ratio of both hazard ratios (the larger over the smaller) less 1, to warn beyond 5 %
        and to reject beyond 10 %; whether both p-values lie on the same side of 0.05.

    Raises
    ------
    InvalidInput
        A hazard ratio or p-value that is none; arms without events.
    """
    from discontinuation.survival import cox, logrank

    problems = list(contrast_problems(hazard_ratio, p_value))
    for name, arm in (("first", first), ("second", second)):
        if not arm["event"].any():
            problems.append(Problem(f"{name} arm", "has no events; a contrast needs some in both"))
    refuse(problems)
    both = pd.concat([first.assign(second=0.0), second.assign(second=1.0)], ignore_index=True)
    ratio = float(np.exp(cox("second", both).coef[0]))
    p = float(logrank(both["time"], both["event"], both["second"]).p_value)
    return CurveQuality((_ratio(ratio, hazard_ratio), _test(p, p_value)))


def contrast_problems(hazard_ratio: float | None, p_value: float | None) -> Iterator[Problem]:
    """Find a published hazard ratio or p-value that is none."""
    if hazard_ratio is not None and not 0 < hazard_ratio < math.inf:
        rule = "allowed: a number above 0"
        yield Problem(PUBLISHED, rule, column="hazard_ratio", value=f"{hazard_ratio:g}")
    if p_value is not None and not 0 <= p_value <= 1:
        yield Problem(PUBLISHED, "allowed: 0 to 1", column="p_value", value=f"{p_value:g}")


def read_curve(curve: pd.DataFrame, times: FloatArray) -> FloatArray:
    """Read a step curve that begins at time 0 and is flat after its last step."""
    position = np.searchsorted(curve["time"].to_numpy(), times, side="right") - 1
    return np.asarray(curve["survival"].to_numpy()[np.maximum(position, 0)])


def _graded(value: float, limits: tuple[float, float]) -> Verdict:
    accept, reject = limits
    return "accept" if value <= accept else "warn" if value <= reject else "reject"


def _people(arm: PublishedArm, people: pd.DataFrame) -> Check:
    off = abs(len(people) - arm.people)
    sentence = f"{len(people)} people were reconstructed; the table begins with {arm.people}."
    return Check("people", off, 0, "reject" if off else "accept", sentence)


def _events(arm: PublishedArm, people: pd.DataFrame) -> Check:
    events = int(people["event"].sum())
    if arm.events is None:
        sentence = f"No total of events was given; the {events} reconstructed are not verified."
        return Check("events", math.nan, math.nan, "unverified", sentence)
    off, limit = abs(events - arm.events), max(1.0, EVENT_SHARE * arm.events)
    sentence = f"{events} events were reconstructed, {arm.events} published (limit {limit:g} off)."
    return Check("events", off, limit, "accept" if off <= limit else "reject", sentence)


def at_risk_at(people: pd.DataFrame, times: FloatArray) -> FloatArray:
    """Count who is still followed just before each time."""
    return np.asarray(len(people) - np.searchsorted(np.sort(people["time"]), times), dtype=float)


def _table(arm: PublishedArm, people: pd.DataFrame) -> Check:
    off = float(np.abs(at_risk_at(people, arm.table_time) - arm.table_people).max())
    sentence = (
        f"Numbers at risk differ from the printed ones by at most {off:g} (limit {TABLE_LIMIT:g})."
    )
    return Check("risk table", off, TABLE_LIMIT, "accept" if off <= 1 else "reject", sentence)


def _shape(arm: PublishedArm, curve: pd.DataFrame) -> list[Check]:
    # Where a step was clicked at its top and its foot, the foot is the level from then on.
    last = np.append(np.diff(arm.time) > 0, True)
    error = read_curve(curve, arm.time[last]) - arm.survival[last]
    rmse, worst = float(np.sqrt((error**2).mean())), float(np.abs(error).max())
    where = arm.time[last][int(np.abs(error).argmax())]
    warn, reject = ERROR_LIMITS
    return [
        Check(
            "rmse", rmse, RMSE_LIMIT, "accept" if rmse <= RMSE_LIMIT else "warn",
            f"The curve differs from the clicks by {rmse:.4f} (root mean square; limit "
            f"{RMSE_LIMIT:g}).",
        ),
        Check(
            "largest error", worst, warn, _graded(worst, ERROR_LIMITS),
            f"The largest difference from a click is {worst:.4f}, at {where:g} (limit {warn:g}, "
            f"rejected beyond {reject:g}).",
        ),
    ]  # fmt: skip


def crossing(time: FloatArray, survival: FloatArray, level: float = 0.5) -> float:
    """Find the first time at which a falling curve is at a level or below; infinite if never."""
    below = np.flatnonzero(survival <= level)
    return float(time[below[0]]) if len(below) else math.inf


def _median(arm: PublishedArm, curve: pd.DataFrame, published: float | None) -> Check:
    times = np.unique(arm.time)
    found = crossing(curve["time"].to_numpy(), curve["survival"].to_numpy())
    wanted = crossing(arm.time, arm.survival) if published is None else published
    source = "read from the clicks" if published is None else "published"
    if math.isinf(found) and math.isinf(wanted):
        sentence = "The median is reached neither by the clicks nor by the reconstruction."
        return Check("median", 0.0, math.nan, "accept", sentence)
    if math.isinf(found) or math.isinf(wanted):
        told = ["not reached" if math.isinf(m) else f"{m:g}" for m in (found, wanted)]
        sentence = f"Median {told[0]} in the reconstruction, {told[1]} {source}."
        return Check("median", math.inf, math.nan, "warn", sentence)
    around = np.searchsorted(times, wanted)
    near = times[max(around - 1, 0) : around + 2]
    step = max(float(np.diff(near).max(initial=0.0)), SLACK * float(times[-1]))
    off = abs(found - wanted)
    sentence = (
        f"Median {found:g} reconstructed, {wanted:g} {source} (limit {step:g}: one step of "
        "the clicks there, or 1 % of the axis)."
    )
    return Check("median", off, step, "accept" if off <= step else "warn", sentence)


def _window(
    arm: PublishedArm, people: pd.DataFrame, curve: pd.DataFrame, asked: Asked
) -> Iterator[Check]:
    if asked.window is None:
        return
    end = np.array([asked.window])
    clicked = pd.DataFrame({"time": [0.0, *arm.time], "survival": [1.0, *arm.survival]})
    off = float(np.abs(read_curve(curve, end) - read_curve(clicked, end))[0])
    yield Check(
        "survival at the window", off, WINDOW_LIMIT, "accept" if off <= WINDOW_LIMIT else "warn",
        f"At the end of the early window ({asked.window:g}) the curve differs from the clicks by "
        f"{off:.4f} (limit {WINDOW_LIMIT:g}).",
    )  # fmt: skip
    early = int(people.loc[people["time"] <= asked.window, "event"].sum())
    if asked.window_events is None:
        yield Check(
            "events in the window", math.nan, math.nan, "unverified",
            f"No count of early events was given; the {early} reconstructed are not verified.",
        )  # fmt: skip
        return
    off = abs(early - asked.window_events)
    yield Check(
        "events in the window", off, 0, "reject" if off else "accept",
        f"{early} events by {asked.window:g} were reconstructed, {asked.window_events} published.",
    )  # fmt: skip


def _ratio(ratio: float, published: float | None) -> Check:
    if published is None:
        sentence = f"No hazard ratio was given; the reconstructed {ratio:.3f} is not verified."
        return Check("hazard ratio", math.nan, math.nan, "unverified", sentence)
    off = max(ratio / published, published / ratio) - 1
    sentence = (
        f"Hazard ratio {ratio:.3f} reconstructed, {published:g} published: {off:.1%} apart "
        f"(limit {RATIO_LIMITS[0]:.0%}, rejected beyond {RATIO_LIMITS[1]:.0%})."
    )
    return Check("hazard ratio", off, RATIO_LIMITS[0], _graded(off, RATIO_LIMITS), sentence)


def _test(p: float, published: float | None) -> Check:
    if published is None:
        sentence = f"No log-rank p-value was given; the reconstructed {p:.3g} is not verified."
        return Check("log-rank test", math.nan, math.nan, "unverified", sentence)
    same = (p < SIGNIFICANCE) == (published < SIGNIFICANCE)
    side = "the same side" if same else "different sides"
    sentence = f"P {p:.3g} reconstructed, {published:g} published: on {side} of {SIGNIFICANCE:g}."
    verdict: Verdict = "accept" if same else "warn"
    return Check("log-rank test", abs(p - published), math.nan, verdict, sentence)
