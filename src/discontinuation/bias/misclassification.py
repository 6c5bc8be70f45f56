"""What would be left of the effect if some of what was counted as relapse was not relapse?

Quantitative bias analysis for the outcome of a time-to-event trial (methods C7). A predictive
value (PPV) is the probability that an event counted as relapse is one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr

from discontinuation.bias.early_share import Interval
from discontinuation.bias.two_arms import (
    Arm,
    TwoArms,
    checked,
    confidence_problems,
    hazard_ratio,
    refuse_window,
    tabulate,
    until,
)
from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival.follow_up import FloatArray

Handling = Literal["censor", "return"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

PPV_EARLY = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
PPV_LATE = (1.0, 0.95, 0.9)
PPV_CONTINUED = (1.0, 0.95)
PLACE = "predictive values"


@dataclass(frozen=True, eq=False)
class MisclassificationGrid:
    """Effect under fixed predictive values.

    Attributes
    ----------
    summary
        One row per combination: ``ppv_stopped_early, ppv_stopped_late, ppv_continued,
        hazard_ratio, lower, upper, p, risk_difference``.
    early, end
        End of the early window, and the horizon of the risk difference.
    confidence
        Level of the limits.
    """

    summary: pd.DataFrame
    early: float
    end: float
    confidence: float


@dataclass(frozen=True)
class Belief:
    """What is believed of a predictive value: a Beta distribution.

    Attributes
    ----------
    a, b
        Its parameters, above 0; mean a / (a + b). From an adjudicated subset: relapses + 1 and
        others + 1.
    lowest
        Draws below this are impossible and rejected.
    """

    a: float
    b: float
    lowest: float = 0.0


@dataclass(frozen=True, eq=False)
class BiasAnalysis:
    """Record-level probabilistic bias analysis.

    Attributes
    ----------
    observed
        Hazard ratio as counted.
    systematic
        Median and limits over the draws, for what is not known of the predictive values alone.
    total
        The same with the random error of each fit added.
    draws
        One row per kept draw: the predictive values drawn, ``log_hazard_ratio, se``.
    nullified
        Share of draws, random error included, with a hazard ratio at or below 1.
    rejected
        Share of draws that were impossible and drawn again.
    handling
        What happens to a person after an event that is not counted.
    confidence
        Level of the limits.
    """

    observed: Interval
    systematic: Interval
    total: Interval
    draws: pd.DataFrame = field(repr=False)
    nullified: float
    rejected: float
    handling: Handling
    confidence: float

    @property
    def summary(self) -> pd.DataFrame:
        """One row per analysis: analysis, hazard_ratio, lower, upper."""
        rows = [
            ("as counted", self.observed),
            ("systematic error", self.systematic),
            ("systematic and random error", self.total),
        ]
        return pd.DataFrame(
            [(name, part.estimate, part.lower, part.upper) for name, part in rows],
            columns=["analysis", "hazard_ratio", "lower", "upper"],
        )


def misclassification_grid(
    continued: pd.DataFrame,
    stopped: pd.DataFrame,
    early: float,
    end: float,
    *,
    ppv_early: Sequence[float] = PPV_EARLY,
    ppv_late: Sequence[float] = PPV_LATE,
    ppv_continued: Sequence[float] = PPV_CONTINUED,
    confidence: float = 0.95,
) -> MisclassificationGrid:
    """Compute the effect of stopping under a grid of predictive values.

    Parameters
    ----------
    continued, stopped
        People of the two arms: ``time, event``.
    early, end
        End of the early window and horizon.
    ppv_early, ppv_late, ppv_continued
        Predictive value in the stopped arm by and after `early`, and in the continued arm;
        above 0, up to 1.
    confidence
        Level of the limits.

    Returns
    -------
    MisclassificationGrid
        Each event counts as the share of one that its predictive value says; the person leaves
        follow-up then, so that the ratio is cause-specific (Cox, Breslow's ties). The risk
        difference is that of ``1 - exp(-cumulative hazard)`` at the horizon, had the other
        cause been prevented.

    Raises
    ------
    InvalidInput
        Follow-up that is none, an arm without events, points out of order or past the end of
        follow-up, predictive values outside (0, 1].

    References
    ----------
    Fox MP, MacLehose RF, Lash TL. Applying Quantitative Bias Analysis to Epidemiologic Data.
    2nd ed. Springer 2021 (doi:10.1007/978-3-030-82673-4).
    """
    people = checked(continued, stopped)
    arms = tabulate(*people)
    values = {"ppv_early": ppv_early, "ppv_late": ppv_late, "ppv_continued": ppv_continued}
    problems = [
        Problem(PLACE, "allowed: above 0, up to 1", None, name, f"{value:g}")
        for name, given in values.items()
        for value in given
        if not 0 < value <= 1
    ]
    refuse_window(arms, early, end, [*problems, *confidence_problems(confidence)])
    rows = []
    for first, late, kept in itertools.product(ppv_early, ppv_late, ppv_continued):
        ppv = np.column_stack(
            [np.full(len(arms.time), kept), np.where(arms.time <= early, first, late)]
        )
        counted = TwoArms(arms.time, arms.at_risk, arms.events * ppv, arms.last)
        ratio = hazard_ratio(counted.between(-math.inf, end), confidence, whole_events=False)
        hazard = counted.between(-math.inf, end).hazard
        difference = math.exp(-hazard[0]) - math.exp(-hazard[1])
        rows.append((first, late, kept, ratio.ratio, ratio.lower, ratio.upper, ratio.p, difference))
    names = ["ppv_stopped_early", "ppv_stopped_late", "ppv_continued"]
    names += ["hazard_ratio", "lower", "upper", "p", "risk_difference"]
    return MisclassificationGrid(pd.DataFrame(rows, columns=names), early, end, confidence)


def probabilistic_bias_analysis(
    continued: pd.DataFrame,
    stopped: pd.DataFrame,
    early: float,
    end: float,
    beliefs: Mapping[str, Belief],
    random: np.random.Generator,
    *,
    correlation: float = 0.0,
    handling: Handling = "censor",
    iterations: int = 2000,
    confidence: float = 0.95,
) -> BiasAnalysis:
    """Draw which events were relapses, again and again, and fit each time.

    Parameters
    ----------
    continued, stopped
        People of the two arms: ``time, event``.
    early, end
        End of the early window and horizon; later events do not count.
    beliefs
        Distribution of the predictive value for some or all of ``continued``, ``stopped early``
        and ``stopped late``; where none is given it is 1.
    random
        Random stream.
    correlation
        Of the normal scores of the drawn values (0 to 1): raters err alike in all places.
    handling
        After an event that is not counted a person is censored, or returned to the risk set: the
        next event then comes at the late rate of relapse in the person's own arm, unless the
        horizon is reached before.
    iterations
        Draws kept.
    confidence
        Level of the limits.

    Returns
    -------
    BiasAnalysis
        Draws with a predictive value below the lowest possible, or that leave an arm without an
        event, are rejected and drawn again.

    Raises
    ------
    InvalidInput
        What `misclassification_grid` refuses; unknown places; a correlation outside 0 to 1;
        fewer than 100 iterations; beliefs under which nearly every draw is impossible.

    References
    ----------
    Fox MP, Lash TL, Greenland S. Int J Epidemiol 2005;34:1370-1376 (doi:10.1093/ije/dyi184).
    """
    people = checked(continued, stopped)
    arms = tabulate(*people)
    problems = _belief_problems(beliefs, correlation, handling, iterations)
    refuse_window(arms, early, end, [*problems, *confidence_problems(confidence)])
    record = _Record.of(people, early, end)
    names = ("continued", "stopped early", "stopped late")
    kept: list[tuple[float, ...]] = []
    tried = 0
    while len(kept) < iterations:
        tried += 1
        if tried > 20 * iterations:
            rule = f"{tried - len(kept) - 1} of {tried - 1} draws were impossible"
            refuse([Problem(PLACE, rule)])
        drawn = _draw_values(beliefs, names, correlation, random)
        if drawn is None:
            continue
        fit = record.fit(drawn, handling, random)
        if fit is not None:
            kept.append((*drawn, *fit))
    columns = [*names, "log_hazard_ratio", "se"]
    draws = pd.DataFrame(kept, columns=[name.replace(" ", "_") for name in columns])
    log_ratio, se = draws["log_hazard_ratio"].to_numpy(), draws["se"].to_numpy()
    noisy = log_ratio + se * random.standard_normal(iterations)
    observed = hazard_ratio(arms.between(-math.inf, end), confidence)
    return BiasAnalysis(
        observed=Interval(observed.ratio, observed.lower, observed.upper),
        systematic=_percentiles(log_ratio, confidence),
        total=_percentiles(noisy, confidence),
        draws=draws,
        nullified=float((noisy <= 0).mean()),
        rejected=1 - iterations / tried,
        handling=handling,
        confidence=confidence,
    )


@dataclass(frozen=True, eq=False)
class _Record:
    """Both arms until the horizon, which events are where, and each arm's late rate."""

    people: tuple[Arm, Arm]
    place: tuple[IntArray, IntArray]  # 0 continued, 1 stopped early, 2 stopped late
    late_rate: tuple[float, float]
    end: float

    @classmethod
    def of(
        cls,
        people: tuple[Arm, Arm],
        early: float,
        end: float,
    ) -> _Record:
        continued, stopped = until(people[0], end), until(people[1], end)
        nowhere = np.zeros(len(continued[0]), dtype=np.int64)
        return cls(
            (continued, stopped),
            (nowhere, np.where(stopped[0] <= early, 1, 2)),
            (late_rate(continued, early), late_rate(stopped, early)),
            end,
        )

    def fit(
        self, ppv: Sequence[float], handling: Handling, random: np.random.Generator
    ) -> tuple[float, float] | None:
        """Log hazard ratio and its standard error of one draw; None if an arm has no event."""
        counted: list[Arm] = []
        for arm, people in enumerate(self.people):
            is_relapse = random.random(len(people[0])) < np.asarray(ppv)[self.place[arm]]
            removed = (people[1] == 1) & ~is_relapse
            people = people[0], people[1] * is_relapse
            if handling == "return":
                rate = self.late_rate[arm] * ppv[2 if arm else 0]
                people = returned(people, removed, rate, self.end, random)
            counted.append(people)
        found = hazard_ratio(tabulate(*counted))
        return None if math.isnan(found.se) else (found.log_ratio, found.se)


def late_rate(arm: Arm, early: float) -> float:
    """Events per time at risk after the early point."""
    time, event = arm
    exposure = np.maximum(time - early, 0).sum()
    return float(((time > early) * event).sum() / exposure) if exposure > 0 else 0.0


def returned(
    arm: Arm, removed: BoolArray, rate: float, end: float, random: np.random.Generator
) -> Arm:
    """Follow people on after an event that is not counted: the next comes at a constant rate.

    Draws for everybody, so that who else is removed does not change a person's draw.
    """
    time, event = arm
    waits = random.exponential(size=len(time))
    with np.errstate(divide="ignore"):
        again = time + np.divide(waits, rate)
    new_time = np.where(removed, np.minimum(again, end), time)
    new_event = np.where(removed, again <= end, event)
    return new_time, new_event.astype(float)


def _draw_values(
    beliefs: Mapping[str, Belief],
    names: Sequence[str],
    correlation: float,
    random: np.random.Generator,
) -> list[float] | None:
    """Draw the predictive values by correlated normal scores; None if one is impossible."""
    from scipy.special import betaincinv

    common, own = random.standard_normal(), random.standard_normal(len(names))
    scores = ndtr(math.sqrt(correlation) * common + math.sqrt(1 - correlation) * own)
    values = []
    for name, score in zip(names, scores, strict=True):
        belief = beliefs.get(name)
        value = 1.0 if belief is None else float(betaincinv(belief.a, belief.b, score))
        if belief is not None and value < belief.lowest:
            return None
        values.append(value)
    return values


def _percentiles(log_ratio: FloatArray, confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    middle, lower, upper = np.exp(np.quantile(log_ratio, [0.5, tail, 1 - tail]))
    return Interval(float(middle), float(lower), float(upper))


def _belief_problems(
    beliefs: Mapping[str, Belief], correlation: float, handling: str, iterations: int
) -> list[Problem]:
    places = ("continued", "stopped early", "stopped late")
    problems = [
        Problem(PLACE, allowed_values(places, name), None, "beliefs", name)
        for name in beliefs
        if name not in places
    ]
    for name, belief in beliefs.items():
        if not (belief.a > 0 and belief.b > 0 and 0 <= belief.lowest < 1):
            rule = "allowed: a and b above 0, lowest from 0 to below 1"
            shown = f"a {belief.a:g}, b {belief.b:g}, lowest {belief.lowest:g}"
            problems.append(Problem(PLACE, rule, None, name, shown))
    if not 0 <= correlation <= 1:
        problems.append(Problem(PLACE, "allowed: 0 to 1", None, "correlation", str(correlation)))
    if handling not in get_args(Handling):
        rule = allowed_values(get_args(Handling), handling)
        problems.append(Problem("options", rule, None, "handling", handling))
    if iterations < 100:
        rule = "allowed: 100 or more"
        problems.append(Problem("options", rule, None, "iterations", str(iterations)))
    return problems
