"""Which people could have given a published survival curve, and how surely?"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from discontinuation.problems import InvalidInput, Problem, refuse
from discontinuation.seeds import random_stream
from discontinuation.synthesis.curve_clicks import FloatArray, PublishedArm, published_arm
from discontinuation.synthesis.curve_quality import (
    Asked,
    CurveQuality,
    asked_problems,
    at_risk_at,
    judge,
    read_curve,
)
from discontinuation.synthesis.curve_reconstruction import people_under

if TYPE_CHECKING:
    from discontinuation.survival.combining import Combined

FEWEST_REPEATS = 20


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """People whose curve and numbers at risk are those of a published arm.

    Attributes
    ----------
    people
        One row per person in order of time: time, event (1, or 0 for censored).
    quality
        How well they agree with what was published.
    curve
        Their Kaplan-Meier curve: time (from 0), survival.
    clicks
        The points read from the figure: time, survival, and reconstructed at the same time.
    risk_table
        time, published, reconstructed.
    notes
        What was done to the clicks and what was taken for granted.
    """

    people: pd.DataFrame
    quality: CurveQuality
    curve: pd.DataFrame
    clicks: pd.DataFrame
    risk_table: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def summary(self) -> pd.DataFrame:
        """One row: people, events, censored, followed_to, rmse, largest_error, verdict, tier."""
        events = int(self.people["event"].sum())
        row = {
            "people": len(self.people),
            "events": events,
            "censored": len(self.people) - events,
            "followed_to": float(self.people["time"].max()),
            "rmse": self.quality.value("rmse"),
            "largest_error": self.quality.value("largest error"),
            "verdict": self.quality.verdict,
            "tier": self.quality.tier,
        }
        return pd.DataFrame([row])

    def __str__(self) -> str:
        row = self.summary.iloc[0]
        lines = [
            f"{row['people']} people, {row['events']} events, {row['censored']} censored, "
            f"followed to {row['followed_to']:g}",
            str(self.quality),
            *(f"  note: {note}" for note in self.notes),
        ]
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class RepeatedReconstruction:
    """One arm reconstructed many times, each time with other errors of the hand.

    Attributes
    ----------
    as_read
        The reconstruction from the clicks as they are.
    runs
        Those with errors added.
    noise
        SD of the error that was added to each survival value.
    seed
        Of the errors.
    """

    as_read: Reconstruction
    runs: tuple[Reconstruction, ...]
    noise: float
    seed: int

    @property
    def people(self) -> pd.DataFrame:
        """All people: repeat (from 1), time, event."""
        frames = [run.people.assign(repeat=k) for k, run in enumerate(self.runs, 1)]
        return pd.concat(frames, ignore_index=True)[["repeat", "time", "event"]]

    @property
    def summary(self) -> pd.DataFrame:
        """One row per repeat: repeat and the summary of its reconstruction."""
        table = pd.concat([run.summary for run in self.runs], ignore_index=True)
        table.insert(0, "repeat", np.arange(1, len(self.runs) + 1))
        return table


def reconstruct(
    clicks: pd.DataFrame,
    at_risk: pd.DataFrame | None,
    events: int | None = None,
    *,
    window: float | None = None,
    window_events: int | None = None,
    median: float | None = None,
) -> Reconstruction:
    """Reconstruct the people behind one arm of a published Kaplan-Meier figure.

    Parameters
    ----------
    clicks
        Points read from the curve: time, survival (1 is everybody). Any order; best one at the top
        and one at the foot of each step.
    at_risk
        The risk table: time, at_risk; the first time is 0. None is refused.
    events
        Total of events, if published.
    window
        End of the early window, where the curve matters most, in the unit of the curve.
    window_events
        Events before it, if published.
    median
        Median time to the event, if published.

    Returns
    -------
    Reconstruction
        Its `people` meet the risk table exactly. The cause of an event and covariates are not in
        a curve and are not reconstructed. If `quality` says reject, they must not be analysed.

    Raises
    ------
    InvalidInput
        All at once: what `published_arm` refuses (a curve that rises, a table that grows, more
        events than people, nothing that says how many were censored), windows and medians after
        the end of follow-up.

    References
    ----------
    Guyot P, Ades AE, Ouwens MJNM, Welton NJ. BMC Med Res Methodol 2012;12:9
    (doi:10.1186/1471-2288-12-9); Liu N, Zhou Y, Lee JJ. BMC Med Res Methodol 2021;21:111
    (doi:10.1186/s12874-021-01308-8; error measures).
    """
    arm = published_arm(clicks, at_risk, events)
    asked = Asked(window, window_events, median)
    refuse(asked_problems(asked, arm))
    return _reconstructed(arm, arm, asked)


def reconstruct_repeatedly(
    clicks: pd.DataFrame,
    at_risk: pd.DataFrame | None,
    events: int | None = None,
    *,
    repeats: int = FEWEST_REPEATS,
    noise: float = 0.003,
    seed: int,
    window: float | None = None,
    window_events: int | None = None,
    median: float | None = None,
) -> RepeatedReconstruction:
    """Reconstruct an arm many times, with errors of the hand added to the clicks.

    Parameters
    ----------
    clicks, at_risk, events, window, window_events, median
        As in `reconstruct`. Every repeat is judged against the clicks as they were given.
    repeats
        How many, 20 or more.
    noise
        SD of the normal error added to each survival value, independent from click to click. An
        error common to all clicks (axes set slightly wrong) is not in it.
    seed
        Of the errors. Arms with other clicks get other errors under the same seed.

    Returns
    -------
    RepeatedReconstruction
        For `across_repeats`, which lets the error of reconstruction enter an interval.

    Raises
    ------
    InvalidInput
        As `reconstruct`; fewer than 20 repeats; noise that is no number of 0 to 0.02.
    """
    problems, asked = _repeat_problems(repeats, noise), Asked(window, window_events, median)
    try:
        arm = published_arm(clicks, at_risk, events)
    except InvalidInput as invalid:
        raise InvalidInput([*invalid.problems, *problems]) from None
    refuse([*asked_problems(asked, arm), *problems])
    printed = zlib.crc32(np.concatenate([arm.time, arm.survival]).tobytes())
    random = random_stream(seed, "reconstruction", str(printed))
    runs = []
    for _ in range(repeats):
        shaken = arm.survival + random.normal(0.0, noise, len(arm.survival))
        runs.append(_reconstructed(arm, arm.with_survival(shaken), asked))
    return RepeatedReconstruction(_reconstructed(arm, arm, asked), tuple(runs), noise, seed)


def across_repeats(
    statistic: Callable[..., tuple[Any, Any]],
    *arms: RepeatedReconstruction,
    confidence: float = 0.95,
) -> Combined:
    """Estimate from repeated reconstructions, with their error in the interval.

    Parameters
    ----------
    statistic
        From the people of each arm (frames with time, event; in the order of `arms`) to an
        estimate and its variance, on the scale on which the estimate is normal.
    arms
        All with the same number of repeats.
    confidence
        Level of the limits.

    Returns
    -------
    Combined
        Mean estimate; its variance is the mean variance plus that between repeats times
        ``1 + 1 / repeats`` (Rubin's rules).

    Raises
    ------
    InvalidInput
        No arms, or arms with different numbers of repeats.

    References
    ----------
    Rubin DB. Multiple imputation for nonresponse in surveys. Wiley 1987, 3.1.
    """
    from discontinuation.survival import combine

    counts = sorted({len(arm.runs) for arm in arms})
    if len(counts) != 1:
        found = ", ".join(map(str, counts)) or "no arms"
        message = "allowed: one or more arms, all with the same number of repeats"
        refuse([Problem("repeated reconstructions", message, value=found)])
    results = [
        statistic(*(run.people for run in runs))
        for runs in zip(*(arm.runs for arm in arms), strict=True)
    ]
    estimates, variances = zip(*results, strict=True)
    combined: Combined = combine(np.array(estimates), np.array(variances), confidence=confidence)
    return combined


def _reconstructed(printed: PublishedArm, shaken: PublishedArm, asked: Asked) -> Reconstruction:
    """Reconstruct from one reading of an arm, and judge by the printed one."""
    people, settled = people_under(shaken)
    moved = int((settled.time != printed.time).sum())
    printed, curve = replace(printed, time=settled.time), _kaplan_meier(people)
    return Reconstruction(
        people=people,
        quality=judge(printed, people, curve, asked),
        curve=curve,
        clicks=pd.DataFrame(
            {
                "time": printed.time,
                "survival": printed.survival,
                "reconstructed": read_curve(curve, printed.time),
            }
        ),
        risk_table=pd.DataFrame(
            {
                "time": printed.table_time,
                "published": printed.table_people,
                "reconstructed": at_risk_at(people, printed.table_time).astype(np.int64),
            }
        ),
        notes=(*printed.notes, *_moved(moved, printed)),
    )


def _moved(clicks: int, arm: PublishedArm) -> list[str]:
    if not clicks:
        return []
    return [
        f"beside a time of the risk table: {clicks} of {len(arm.time)} clicks, put on its other "
        "side, where they agree with the table"
    ]


def _kaplan_meier(people: pd.DataFrame) -> pd.DataFrame:
    from discontinuation.survival import kaplan_meier

    curve = kaplan_meier(people["time"], people["event"])
    happened: FloatArray = curve.events
    steps = np.flatnonzero(happened > 0)
    return pd.DataFrame(
        {
            "time": np.append(0.0, curve.time[steps]),
            "survival": np.append(1.0, curve.survival[steps]),
        }
    )


def _repeat_problems(repeats: int, noise: float) -> list[Problem]:
    problems, place = [], "repeated reconstruction"
    if repeats < FEWEST_REPEATS:
        rule = f"allowed: {FEWEST_REPEATS} or more"
        problems.append(Problem(place, rule, column="repeats", value=f"{repeats:g}"))
    if not 0 <= noise <= 0.02:
        rule = "allowed: 0 to 0.02, as a share of everybody"
        problems.append(Problem(place, rule, column="noise", value=f"{noise:g}"))
    return problems
