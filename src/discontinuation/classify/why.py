"""Why is an event called withdrawal, relapse or neither?"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from discontinuation.classify.hazards import NOCEBO, RELAPSE, WITHDRAWAL
from discontinuation.classify.information import cause_contrast
from discontinuation.classify.likelihood import Expectation, Task

FloatArray = npt.NDArray[np.float64]

INDETERMINATE = "indeterminate"
NEUTRAL = 0.05  # an addend of the log odds smaller than this speaks for neither


def probabilities(found: Expectation, task: Task, covariance: FloatArray) -> pd.DataFrame:
    """Probability of withdrawal of each event, its three addends, and a sentence (methods B5).

    ``logit q = timing + symptoms + reinstatement`` as long as there are two causes; with a third
    one the addends add up to the log odds of withdrawal against relapse.

    Returns
    -------
    DataFrame
        One row per event: person, study, arm, episode, onset_earliest, onset_latest,
        last_reduction, q, lower, upper (limits from the uncertainty of the parameters), relapse,
        nocebo, decision, timing, symptoms, reinstatement, why.
    """
    data = task.observed
    frame = data.events.copy()
    column = {hazard.cause: place for place, hazard in enumerate(found.hazards)}
    for cause in (WITHDRAWAL, RELAPSE, NOCEBO):
        known = cause in column
        frame[cause] = found.probability[:, column[cause]] if known else 0.0
    frame = frame.rename(columns={WITHDRAWAL: "q"})
    signs = found.symptoms[:, 0] - found.symptoms[:, 1]
    with np.errstate(divide="ignore"):
        odds = np.log(frame["q"].to_numpy()) - np.log(frame[RELAPSE].to_numpy())
    frame["timing"] = odds - signs.sum(axis=1)
    frame["symptoms"], frame["reinstatement"] = signs.T
    contrast = cause_contrast(found, task)
    se = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", contrast, covariance, contrast), 0.0))
    z = float(ndtri((1 + task.settings.confidence) / 2))
    ceiling = 1 - frame[NOCEBO].to_numpy()
    for name, side in (("lower", -z), ("upper", z)):
        with np.errstate(over="ignore"):
            frame[name] = ceiling / (1 + np.exp(-(odds + side * np.where(odds > -700, se, 0.0))))
    frame["decision"] = decide(
        frame["q"].to_numpy(), task.settings.withdrawal_at, task.settings.relapse_at
    )
    frame["why"] = [
        _sentence(row, rated, followed)
        for row, rated, followed in zip(
            frame.itertuples(index=False), data.rated.sum(axis=1), data.followed, strict=True
        )
    ]
    order = ["q", "lower", "upper", RELAPSE, NOCEBO, "decision"]
    return frame[[*data.events.columns, *order, "timing", "symptoms", "reinstatement", "why"]]


def decide(q: FloatArray, withdrawal_at: float, relapse_at: float) -> npt.NDArray[np.object_]:
    """Withdrawal, relapse, or indeterminate in between (Chow's reject option, methods B5)."""
    called = np.where(q <= relapse_at, RELAPSE, INDETERMINATE)
    return np.where(q >= withdrawal_at, WITHDRAWAL, called).astype(object)


def _sentence(row: object, rated: float, followed: bool) -> str:
    """Say in one sentence what speaks for what; the words are the same for both causes."""
    timing, symptoms, course = (
        float(getattr(row, name)) for name in ("timing", "symptoms", "reinstatement")
    )
    parts = [_timing(timing, row)]
    parts.append(speaks("the symptoms speak", symptoms) if rated else "no symptom was rated")
    if followed:
        parts.append(speaks("the course after reinstatement speaks", course))
    else:
        parts.append("no course after reinstatement is known")
    text = "; ".join(parts)
    q = float(row.q)  # type: ignore[attr-defined]
    limits = f"{row.lower:.2f} to {row.upper:.2f}"  # type: ignore[attr-defined]
    called = str(row.decision)  # type: ignore[attr-defined]
    end = f"probability of withdrawal {q:.2f} ({limits}), decision: {called}."
    return f"{text[0].upper()}{text[1:]}; {end}"


def _timing(timing: float, row: object) -> str:
    if timing == -math.inf:
        return "occupancy had not fallen, so withdrawal cannot act under the model"
    text = speaks("timing speaks", timing)
    last = float(row.last_reduction)  # type: ignore[attr-defined]
    if math.isnan(last):
        return text
    earliest = float(row.onset_earliest) - last  # type: ignore[attr-defined]
    latest = float(row.onset_latest) - last  # type: ignore[attr-defined]
    return f"{text} (onset {_after(earliest, latest)})"


def _after(earliest: float, latest: float) -> str:
    """Say how long after the last reduction an onset lies, perhaps between two visits."""
    days = f"{latest:g} {'day' if latest == 1 else 'days'}"
    if earliest < 0:  # the last reduction lies between the visits too
        return f"up to {days} after the last reduction, or before it"
    if earliest < latest:
        days = f"between {earliest:g} and {latest:g} days"
    return f"{days} after the last reduction"


def speaks(what: str, addend: float) -> str:
    """Say for which cause something speaks; the words are the same for both.

    Parameters
    ----------
    what
        With its verb, such as "the symptoms speak".
    addend
        To the log odds of withdrawal against relapse.
    """
    if abs(addend) < NEUTRAL:
        return f"{what} for neither"
    times = math.exp(min(abs(addend), 700.0))
    shown = f"{times:.3g}" if times < 1000 else "over 1000"
    return f"{what} for {WITHDRAWAL if addend > 0 else RELAPSE} (odds times {shown})"
