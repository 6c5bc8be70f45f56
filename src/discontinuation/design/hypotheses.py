"""Which of the four hypotheses does each of many trials settle?

H1 to H4 of methods G2, tested in this order at 5 % two-sided: each only if all before it were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from discontinuation.design._daily import FloatArray
from discontinuation.design.courses import BoolArray
from discontinuation.design.day_tables import Expected, expected_counts
from discontinuation.design.design_file import TrialDesign
from discontinuation.design.scenario import CAUSES
from discontinuation.design.trial_tests import (
    Pair,
    drive_test,
    hazard_contrast,
    pair_of,
    risk_by,
)

WORDS = {
    "H1": "withdrawal exists: deteriorations follow the drive beyond lost protection",
    "H2": "a taper prevents withdrawal and does not only delay it (kappa above 1)",
    "H3": "relapse after the taper: not inferior to maintenance, or worse than it",
    "H4": "more than a stated share of the excess after abrupt stopping is withdrawal",
}
NON_INFERIOR, MAINTAINED = "H3: taper not inferior", "H3: maintenance better"
WITHDRAWAL, RELAPSE, NOCEBO = range(len(CAUSES))


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of many trials as the raters call them.

    Attributes
    ----------
    day
        Days of the visits, shape (visits,).
    withdrawal, relapse
        Events called so, shape (trials, visits, arms).
    at_risk
        Shape (trials, visits, arms).
    """

    day: FloatArray
    withdrawal: FloatArray
    relapse: FloatArray
    at_risk: FloatArray

    @property
    def any(self) -> FloatArray:
        """All events."""
        return self.withdrawal + self.relapse


def called(events: FloatArray, adjudication: Mapping[str, float]) -> tuple[FloatArray, FloatArray]:
    """Share the events of each cause out to what raters would call them.

    Parameters
    ----------
    events
        Expected numbers or probabilities by cause, shape (causes, ...). Nocebo looks like
        withdrawal (methods B4).
    adjudication
        ``withdrawal_recognised`` and ``relapse_recognised``.

    Returns
    -------
    withdrawal, relapse
        Shape (...).
    """
    alike = events[WITHDRAWAL] + events[NOCEBO]
    by_cause = adjudication["withdrawal_recognised"] * alike
    by_error = (1 - adjudication["relapse_recognised"]) * events[RELAPSE]
    withdrawal = by_cause + by_error
    return withdrawal, np.asarray(events.sum(axis=0) - withdrawal)


def expected_calls(design: TrialDesign, truth: str) -> tuple[Counts, Expected]:
    """Expected counts of one person per arm, as a single trial, and the covariates."""
    found = expected_counts(design.truths[truth])
    withdrawal, relapse = called(found.events, design.content["adjudication"])
    counts = Counts(found.day, withdrawal[None], relapse[None], found.at_risk[None])
    return counts, found


@dataclass(frozen=True, eq=False)
class Covariates:
    """What the analysis of H1 assumes of the arms, shape (visits, arms); planned, not true."""

    protection_loss: FloatArray
    drive: FloatArray


def covariates(design: TrialDesign) -> Covariates:
    """Loss of protection and drive as the analysts will compute them from the planned doses.

    The drive is computed with the adaptation time that the design names for the analysis, which
    need not be the true one.
    """
    asked = design.content["hypotheses"]
    assumed = replace(design.scenario, tau_days=asked["drive_tau_days"])
    found = expected_counts(assumed)
    return Covariates(found.protection_loss, found.drive ** asked["drive_kappa"])


def z_values(design: TrialDesign, counts: Counts, known: Covariates) -> dict[str, FloatArray]:
    """Test each hypothesis in each trial.

    Parameters
    ----------
    design
        The planned trial.
    counts
        Of many trials, or expected ones as a single trial, for which the z are drifts of one
        person per arm.
    known
        From `covariates`.

    Returns
    -------
    dict
        One z per trial for H1, H2, the two sides of H3, and H4, as far as they are tested; above
        0 in favour of the hypothesis, NaN where a trial gives none. H1: score test of
        the drive in a Cox model of all arms with loss of protection. H2: difference of the
        cumulative hazards of withdrawal at the end, abrupt minus taper, which is 0 if kappa is 1,
        as withdrawal then is only spread (methods B2). H3: difference of the net risks of
        relapse, with withdrawal as censoring (E4). H4: hazard of withdrawal in excess less the
        share times that of any deterioration, abrupt against maintained (Fieller's test).
    """
    tested = design.content["hypotheses"]["tested"]
    found: dict[str, FloatArray] = {}
    if "H1" in tested:
        found["H1"] = drive_test(counts.any, counts.at_risk, known.protection_loss, known.drive)
    if "H2" in tested:
        found["H2"] = _prevented(design, counts)
    if "H3" in tested:
        found |= _relapse(design, counts)
    if "H4" in tested:
        found["H4"] = _share(design, counts)
    return found


def _pairs(design: TrialDesign, counts: Counts, reference: str, other: str) -> dict[str, Pair]:
    places = design.place(reference), design.place(other)
    assert None not in places  # `read_design` refuses hypotheses without their arms
    events = {"withdrawal": counts.withdrawal, "relapse": counts.relapse}
    return {
        cause: pair_of(counts.day, table, counts.at_risk, *places)  # type: ignore[arg-type]
        for cause, table in events.items()
    }


def _standardised(value: FloatArray, variance: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variance > 0, value / np.sqrt(variance), np.nan)


def _prevented(design: TrialDesign, counts: Counts) -> FloatArray:
    pairs = _pairs(design, counts, "taper", "abrupt")
    return _standardised(*hazard_contrast(pairs, {"withdrawal": 1.0}, design.end))


def _relapse(design: TrialDesign, counts: Counts) -> dict[str, FloatArray]:
    asked = design.content["hypotheses"]
    pair = _pairs(design, counts, "maintain", "taper")["relapse"]
    difference, variance = risk_by(pair, design.look("H3"))
    return {
        NON_INFERIOR: _standardised(asked["margin"] - difference, variance),
        MAINTAINED: _standardised(difference, variance),
    }


def _share(design: TrialDesign, counts: Counts) -> FloatArray:
    asked = design.content["hypotheses"]
    pairs = _pairs(design, counts, "maintain", "abrupt")
    share, day = asked["share"], design.look("H4")
    z = _standardised(*hazard_contrast(pairs, {"withdrawal": 1 - share, "relapse": -share}, day))
    excess, _ = hazard_contrast(pairs, {"withdrawal": 1.0, "relapse": 1.0}, day)
    return np.where(excess > 0, z, np.minimum(z, 0.0))  # without an excess there is no share of it


def seen_share(design: TrialDesign, counts: Counts) -> FloatArray:
    """Share of the excess that H4 tests, as each trial would estimate it, shape (trials,)."""
    pairs = _pairs(design, counts, "maintain", "abrupt")
    day = design.look("H4")
    withdrawal, _ = hazard_contrast(pairs, {"withdrawal": 1.0}, day)
    excess, _ = hazard_contrast(pairs, {"withdrawal": 1.0, "relapse": 1.0}, day)
    with np.errstate(divide="ignore", invalid="ignore"):
        return withdrawal / excess


def in_order(rejected: Mapping[str, BoolArray], tested: Sequence[str]) -> dict[str, BoolArray]:
    """Hold each hypothesis back until all before it are settled.

    Parameters
    ----------
    rejected
        Per key of `z_values` whether its null was rejected, shape (trials,).
    tested
        Hypotheses in their order.

    Returns
    -------
    dict
        The same for H1 to H4; H3 is settled if one of its sides is.
    """
    held: dict[str, BoolArray] = {}
    so_far: BoolArray = np.array(True)
    for name in tested:
        sides = [value for key, value in rejected.items() if hypothesis_of(key) == name]
        so_far = so_far & np.logical_or.reduce(sides)
        held[name] = so_far
    return held


def hypothesis_of(test: str) -> str:
    """Name the hypothesis that a key of `z_values` belongs to."""
    return test.partition(":")[0]
