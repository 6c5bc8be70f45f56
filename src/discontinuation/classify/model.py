"""With what probability is each deterioration withdrawal, and what share of an excess is it?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.classify.anchors import anchor_cautions, anchor_problems
from discontinuation.classify.arguments import kind_problems, whole_number_problems
from discontinuation.classify.arm_curves import ArmCurves, arm_curves
from discontinuation.classify.em import Maximum, maximise, search
from discontinuation.classify.estimates import parameter_table
from discontinuation.classify.evidence import (
    NOT_SUPPORTED,
    Evidence,
    KappaTest,
    beside_nocebo,
    calibrate,
    evidence_of,
    kappa_test,
    without_withdrawal,
)
from discontinuation.classify.excess_share import (
    NO_ANCHOR,
    in_words,
    incidences,
    plain_shares,
    reported,
    reported_variants,
    shares,
)
from discontinuation.classify.given_problems import input_kind_problems
from discontinuation.classify.hazards import RELAPSE
from discontinuation.classify.identifiability import (
    Caution,
    few_events,
    like_profiles,
    moved_shares,
    several_anchors,
    single_pace,
    unsteady_start,
    weak_information,
)
from discontinuation.classify.imputation import Imputations, impute_causes
from discontinuation.classify.information import observed_information
from discontinuation.classify.likelihood import Task, task_of
from discontinuation.classify.lower_bound import share_bound
from discontinuation.classify.observed import Observed, observe
from discontinuation.classify.relapse_effects import effects_beside
from discontinuation.classify.search_check import search_cautions
from discontinuation.classify.settings import Settings
from discontinuation.classify.simulated_null import simulate_null
from discontinuation.classify.why import probabilities
from discontinuation.classify.window_check import CUTS, WindowCheck, check_windows
from discontinuation.exposure.trajectories import Exposure
from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.seeds import random_stream

FloatArray = npt.NDArray[np.float64]

KAPPAS = (1.0, 1.5, 2.0, 3.0)  # shown where kappa cannot be estimated (methods B9, W4)
FRAILTIES = (0.5, 1.0, 2.0)
ONE_PACE = "a single pace: kappa is not identified"


@dataclass(frozen=True, eq=False)
class LatentCauseFit:
    """The latent-cause model, fitted; made by `fit`.

    Attributes
    ----------
    task
        Data, settings and model.
    maximum
        The fit.
    null
        The fit without withdrawal.
    covariance
        Inverse of the information with the prior; rows of parameters held fixed are 0.
    information
        Louis' observed information, without the prior.
    evidence
        Likelihood ratio and its class; ``str(fit.evidence)`` says it in words.
    maxima
        Maxima from all starting values, best first.
    blinded
        Whether nocebo can act in each arm.
    one_pace
        Whether kappa was held fixed because there is a single pace.
    set_points
        What each person had adapted to at the reference day.
    """

    task: Task = field(repr=False)
    maximum: Maximum = field(repr=False)
    null: Maximum = field(repr=False)
    covariance: FloatArray = field(repr=False)
    information: FloatArray = field(repr=False)
    evidence: Evidence
    maxima: list[Maximum] = field(repr=False)
    blinded: npt.NDArray[np.bool_] = field(repr=False)
    one_pace: bool
    set_points: FloatArray = field(repr=False)

    @property
    def supported(self) -> bool:
        """Whether a withdrawal component is supported; elsewhere psi has an upper limit only."""
        return self.evidence.label != NOT_SUPPORTED

    @cached_property
    def q(self) -> pd.DataFrame:
        """One row per event: q with limits, decision, the three addends, and why."""
        return probabilities(self.maximum.found, self.task, self.covariance)

    @cached_property
    def curves(self) -> list[ArmCurves]:
        """Expected course of each arm, in the order of `task.observed.arms`."""
        return arm_curves(self.maximum.found, self.task)

    @cached_property
    def psi(self) -> pd.DataFrame:
        """Shares of the excess (methods A4), as `excess_share.shares` gives them.

        With a single pace there is one set for each kappa of 1, 1.5, 2 and 3 (column kappa);
        elsewhere kappa is blank.
        """
        if not self.one_pace:
            found = shares(self.curves, self.covariance, self.task, self.supported)
            return found.assign(kappa=np.nan)
        return pd.concat([self._psi_at(kappa) for kappa in KAPPAS], ignore_index=True)

    def _psi_at(self, kappa: float) -> pd.DataFrame:
        task = task_of(self.task.observed, self.task.settings, self.blinded, kappa)
        maximum = maximise(task, self.maximum.found.theta)
        covariance, _ = _covariance(maximum, task)
        labels = (evidence_of(maximum, self.null).label, self.evidence.label)
        supported = NOT_SUPPORTED not in labels
        curves = arm_curves(maximum.found, task)
        return shares(curves, covariance, task, supported).assign(kappa=kappa)

    @cached_property
    def incidence(self) -> pd.DataFrame:
        """Cumulative hazard and crude incidence of each cause in each arm at the horizons."""
        return incidences(self.curves, self.covariance, self.task)

    @cached_property
    def lower_bound(self) -> pd.DataFrame:
        """Non-parametric lower bound on the share of withdrawal among each arm's events."""
        return share_bound(self.task.observed, self.q["q"], self.task.settings.confidence)

    @cached_property
    def windows(self) -> WindowCheck:
        """Seen against expected events by arm and window of time."""
        cuts = tuple(cut * self.task.settings.day for cut in CUTS)
        return check_windows(self.maximum.found, self.task, self.covariance, cuts)

    @cached_property
    def kappa_test(self) -> KappaTest:
        """Test of kappa = 1; refused with a single pace."""
        refused = ONE_PACE if self.one_pace else None
        return kappa_test(self.maximum, self.task, self.blinded, refused)

    @property
    def timing_only(self) -> bool:
        """Whether the symptoms tell nothing, so that timing decides alone."""
        return any(caution.code == "W5" for caution in self.first_cautions)

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """One row per parameter.

        parameter, study, item, estimate, lower, upper (natural scale; limits from the normal
        approximation on the scale in `scale`), se (on that scale), scale, prior (median),
        prior_share (of the information), refused (why it is not reported, or None).
        """
        refused = {name: str(c) for c in self.first_cautions for name in c.refuses}
        theta = self.maximum.found.theta
        return parameter_table(theta, self.information, self.covariance, self.task, refused)

    @cached_property
    def sensitivity(self) -> pd.DataFrame:
        """psi_H without the early multiplier and under frailty of variance 0.5, 1 and 2.

        Returns
        -------
        DataFrame
            variant (main, eta = 0, frailty ...), study, arm, horizon, psi_H, withdrawal, excess
            (cumulative hazards), log_likelihood. Empty without a maintenance arm.
        """
        kappa = None if self.task.free[self.task.layout.kappa] else self._kappa
        variants: list[tuple[str, bool | None, float]] = [
            ("main", None, 0.0),
            ("eta = 0", False, 0.0),
        ]
        variants += [(f"frailty {value:g}", None, value) for value in FRAILTIES]
        rows = []
        for name, eta, frailty in variants:
            task = replace_task(self.task, self.blinded, kappa, eta, frailty)
            at = self.maximum if name == "main" else maximise(task, self.maximum.found.theta)
            for names, psi, top, bottom in plain_shares(at.found, task):
                rows.append((name, *names, psi, top, bottom, at.found.log_likelihood))
        columns = ["variant", "study", "arm", "horizon", "psi_H", "withdrawal", "excess"]
        return pd.DataFrame(rows, columns=[*columns, "log_likelihood"])

    @property
    def _kappa(self) -> float:
        return float(np.exp(self.maximum.found.theta[self.task.layout.kappa]))

    @cached_property
    def first_cautions(self) -> list[Caution]:
        """What can be said without fitting again."""
        found = list(few_events(self.task.observed, self.task.settings.day))
        found += several_anchors(self.task.observed)
        found += anchor_cautions(self.task.observed)
        theta = self.maximum.found.theta
        found += weak_information(theta, self.information, self.covariance, self.task)[1]
        if self.one_pace:
            shown = ", ".join(f"{kappa:g}" for kappa in KAPPAS)
            message = f"{ONE_PACE}; psi is shown for kappa = {shown}"
            found.append(Caution("W4", message, ("kappa",)))
        found += like_profiles(theta, self.covariance, self.task)
        found += unsteady_start(self.set_points)
        if self.evidence.nocebo_called_for:
            message = (
                "the events fit better if nocebo may act in the blinded arms; q and psi, which "
                "leave it out, are too high"
            )
            found.append(Caution("nocebo", message))
        limits = bool(self.psi["upper"].notna().any())
        found += search_cautions(self.maximum, self.maxima, self.task, limits)
        return found

    @cached_property
    def warnings(self) -> list[Caution]:
        """What the data cannot tell; W6 needs the fits of `sensitivity`."""
        return [*self.first_cautions, *moved_shares(self.sensitivity)]

    @property
    def summary(self) -> pd.DataFrame:
        """The shares of the excess, as they may be reported (methods F5)."""
        return reported(self.psi)

    def impute(self, m: int = 20, seed: int = 1) -> Imputations:
        """Draw the cause of every event m times, parameters first (methods B8).

        Parameters
        ----------
        m
            How many imputations, at least 2.
        seed
            Of the draws, 0 or more.

        Raises
        ------
        InvalidInput
            Other numbers of imputations and seeds.
        """
        theta = self.maximum.found.theta
        return impute_causes(theta, self.covariance, self.task, m, seed)

    def relapse_effects(self, m: int = 20, seed: int = 1) -> pd.DataFrame:
        """Log hazard ratio of relapse: naive, weighted, imputed and joint, side by side.

        Parameters
        ----------
        m, seed
            As in `impute`.

        Raises
        ------
        InvalidInput
            No maintenance arm, so that the effect is not identified.
        """
        if not self.task.observed.arms["maintenance"].any():
            refuse([Problem("relapse effects", NO_ANCHOR)])
        found, place = self.maximum.found, self.task.layout.beta
        relapse = found.probability[:, self.task.causes.index(RELAPSE)]
        joint = (float(found.theta[place]), math.sqrt(self.covariance[place, place]))
        return effects_beside(self.task, relapse, joint, self.impute(m, seed))

    def calibrated(self, draws: int = 199, seed: int = 1) -> LatentCauseFit:
        """Return the fit with its evidence set against trials without withdrawal.

        Once per design: each simulated trial has the same people, doses and ends.

        Parameters
        ----------
        draws
            Simulated trials, at least 1.
        seed
            Of the simulation, 0 or more.

        Raises
        ------
        InvalidInput
            Draws and seeds that are not whole numbers.
        """
        refuse(_draw_problems("calibration", draws, 1, seed))
        random = random_stream(seed, "classify", "null")
        statistics = []
        for _ in range(draws):
            made = simulate_null(self.task.observed, self.null.found, self.task.layout, random)
            task = replace_task(replace(self.task, observed=made), self.blinded, self._held_kappa)
            null = without_withdrawal(task, self.blinded)
            best = search(task)[0]
            statistics.append(evidence_of(best, null).likelihood_ratio)
        return replace(self, evidence=calibrate(self.evidence, np.array(statistics)))

    @property
    def _held_kappa(self) -> float | None:
        return None if self.task.free[self.task.layout.kappa] else self._kappa

    def bootstrap_psi(self, draws: int = 500, seed: int = 1) -> pd.DataFrame:
        """Shares with percentile limits from resampled people, within study and arm.

        Parameters
        ----------
        draws
            Resamples, at least 2; each is fitted from the estimates.
        seed
            Of the resampling, 0 or more.

        Returns
        -------
        DataFrame
            study, arm, horizon, psi_H, lower, upper, draws (those with an excess above 0).

        Raises
        ------
        InvalidInput
            Draws and seeds that are not whole numbers.
        """
        refuse(_draw_problems("bootstrap", draws, 2, seed))
        random = random_stream(seed, "classify", "bootstrap")
        data, theta = self.task.observed, self.maximum.found.theta
        rows = []
        for _ in range(draws):
            resampled = data.reweighted(_resampled(data, random))
            task = replace(self.task, observed=resampled)
            for names, psi, _, bottom in plain_shares(maximise(task, theta).found, task):
                rows.append((*names, psi if bottom > 0 else np.nan))
        keys = ["study", "arm", "horizon"]
        drawn = pd.DataFrame(rows, columns=[*keys, "psi_H"]).dropna()
        tail = (1 - self.task.settings.confidence) / 2
        by_arm = drawn.groupby(keys, sort=False)["psi_H"]
        limits = by_arm.agg(
            lower=lambda x: x.quantile(tail), upper=lambda x: x.quantile(1 - tail), draws="size"
        )
        point = pd.DataFrame(
            [(*names, psi) for names, psi, *_ in plain_shares(self.maximum.found, self.task)],
            columns=[*keys, "psi_H"],
        )
        return point.merge(limits.reset_index(), on=keys, how="left")

    def as_dict(self) -> dict[str, Any]:
        """Everything for a JSON file: evidence, estimates, shares, warnings, information."""
        return {
            "evidence": {name: _for_json(value) for name, value in vars(self.evidence).items()},
            "estimates": _records(self.estimates),
            "psi": _records(self.summary),
            "incidence": _records(self.incidence),
            "lower_bound": _records(self.lower_bound),
            "sensitivity": _records(reported_variants(self.sensitivity, self.supported)),
            "warnings": [vars(caution) for caution in self.warnings],
            "log_likelihood": self.maximum.found.log_likelihood,
            "log_likelihood_without_withdrawal": self.null.found.log_likelihood,
            "information": self.information.tolist(),
            "converged": self.maximum.converged,
            "notes": list(self.task.observed.notes),
        }

    def __str__(self) -> str:
        counts = self.q["decision"].value_counts()
        called = ", ".join(
            f"{int(counts.get(name, 0))} {name}"
            for name in ("withdrawal", "relapse", "indeterminate")
        )
        lines = [f"{len(self.q)} deteriorations: {called}", str(self.evidence)]
        psi = self.summary
        limits = psi[["estimate", "lower", "upper"]].itertuples(index=False)
        psi = psi.assign(share=[in_words(*row) for row in limits])
        shown = ["kappa", "study", "arm", "horizon", "measure", "share", "interval"]
        lines.append(psi[shown].to_string(index=False))
        lines += [str(caution) for caution in self.warnings]
        lines += [f"note: {note}" for note in self.task.observed.notes]
        return "\n".join(lines)


def fit(
    events: pd.DataFrame,
    people: pd.DataFrame,
    exposure: Exposure | Mapping[str, Exposure],
    items: pd.DataFrame | None = None,
    *,
    follow_up: pd.DataFrame,
    maintenance: str | Sequence[str] | None = None,
    blinded: Sequence[str] | None = None,
    settings: Settings | None = None,
) -> LatentCauseFit:
    """Fit the occupancy-driven latent-cause model of first deteriorations (methods B).

    Each deterioration is withdrawal, with the hazard ``alpha w^kappa`` of the withdrawal drive w,
    or relapse, with a baseline hazard that is piecewise constant times
    ``exp{(beta + eta early) p}`` of the loss of protection p; its symptoms and its course after
    reinstatement tell the two apart. Several trials share beta, eta, tau, kappa, the symptoms and
    the courses; each has its own baseline hazard and alpha.

    Parameters
    ----------
    events
        Canonical deteriorations: person; onset, or onset_earliest and onset_latest between which
        it lies; perhaps episode, detected, reinstated, resolved, resolution_censored. Only the
        first of each person is classified. Where neither onset nor limits are known, `detected`,
        `reinstated`, `resolved` and follow-up bound it, and the notes count it; an event is left
        out (no q, counted too) only if the doses end before it can have begun.
    people
        person, arm, and perhaps study.
    exposure
        Doses and drug of everybody, or one for each study. Its reference day is where the model
        begins, with everybody settled.
    items
        Symptoms at the deteriorations: person, item, value (1 new or worse than before, 0 not,
        blank not rated; grades where `Settings.grades` names the symptom), and perhaps episode,
        or day (compared with `detected`). None: timing-only mode.
    follow_up
        person, start, end. A start after the reference day is a late entry.
    maintenance
        Names of the arms that keep the drug; None: those in which the people watched never lost
        a tenth of protection on average. Of several in a study the first is the reference of psi.
    blinded
        Names of the arms in which nocebo can act, if the settings have it; None: all.
    settings
        Priors and everything else that is assumed.

    Returns
    -------
    LatentCauseFit

    Notes
    -----
    Hazards are constant within a step (a day), with the exposure at its end, as in every
    simulation of methods F2; so the integral of ``w^kappa`` is a sum over days, worked out once for
    each distinct history of doses. An onset between two visits is summed over the days between.

    Raises
    ------
    InvalidInput
        All of: other things in the place of tables, exposures and settings; then all of: missing
        columns, people who do not match, blank arms and studies, times that are
        dates or no numbers, onsets outside follow-up, a course that turns back, ratings other than
        0 and 1, people without doses or a drug without occupancy, arms without anybody at risk, no
        deterioration at all; then maintenance arms whose median person lost more than half of
        their protection by the doses given.
    """
    settings = Settings() if settings is None else settings
    rule = "allowed: Settings(...), from discontinuation.classify"
    refuse(
        [
            *kind_problems("settings", settings, Settings, rule),
            *input_kind_problems(events, people, exposure, items, follow_up),
        ]
    )
    observed = observe(
        events, people, exposure, items, follow_up, _arm_names(maintenance), settings
    )
    refuse(anchor_problems(observed))
    return fit_observed(observed, settings, _blinded(observed, blinded), _set_points(exposure))


def fit_observed(
    observed: Observed,
    settings: Settings,
    blinded: npt.NDArray[np.bool_],
    set_points: FloatArray,
) -> LatentCauseFit:
    """Fit the model to arrays; see `fit`."""
    one_pace = settings.kappa is None and single_pace(observed, settings)
    kappa = math.exp(settings.log_kappa.mean) if one_pace else settings.kappa
    task = task_of(observed, settings, blinded, kappa)
    maxima = search(task)
    null = without_withdrawal(task, blinded)
    covariance, information = _covariance(maxima[0], task)
    return LatentCauseFit(
        task=task,
        maximum=maxima[0],
        null=null,
        covariance=covariance,
        information=information,
        evidence=beside_nocebo(evidence_of(maxima[0], null), maxima[0], task, blinded, kappa),
        maxima=maxima,
        blinded=blinded,
        one_pace=one_pace,
        set_points=set_points,
    )


def replace_task(
    task: Task,
    blinded: npt.NDArray[np.bool_],
    kappa: float | None,
    eta: bool | None = None,
    frailty: float = 0.0,
) -> Task:
    """Set up a variant of a model on its data."""
    return task_of(task.observed, task.settings, blinded, kappa, eta=eta, frailty=frailty)


def _arm_names(given: object) -> list[str] | None:
    """Names of arms, one or several, as arms are named: as text."""
    if given is None:
        return None
    if isinstance(given, str) or not isinstance(given, Iterable):
        return [str(given)]
    return [str(name) for name in given]


def _draw_problems(place: str, draws: int, least: int, seed: int) -> list[Problem]:
    return [
        *whole_number_problems(place, "draws", draws, least),
        *whole_number_problems(place, "seed", seed, 0),
    ]


def _blinded(observed: Observed, given: Sequence[str] | None) -> npt.NDArray[np.bool_]:
    names, blinded = observed.arms["arm"], _arm_names(given)
    if blinded is None:
        return np.ones(len(names), dtype=bool)
    known = sorted(names.unique())
    refuse(
        Problem("blinded", allowed_values(known, name), value=name)
        for name in blinded
        if name not in known
    )
    return np.asarray(names.isin(blinded), dtype=bool)


def _set_points(exposure: Exposure | Mapping[str, Exposure]) -> FloatArray:
    """Set-points at the reference day, or at the beginning of a record that starts later."""
    each = list(exposure.values()) if isinstance(exposure, Mapping) else [exposure]
    found = []
    for one in each:
        day = np.maximum(one.reference_day, one.histories.begins)
        found.append(one.at(day[:, None]).set_point[:, 0])
    return np.concatenate(found)


def _covariance(maximum: Maximum, task: Task) -> tuple[FloatArray, FloatArray]:
    """Inverse of the information with the prior, and the information without it."""
    information = observed_information(maximum.found, task)
    total = information + task.layout.prior(maximum.found.theta)[2]
    covariance = np.zeros_like(total)
    free = np.ix_(task.free, task.free)
    covariance[free] = np.linalg.inv(total[free])
    return covariance, information


def _resampled(data: Observed, random: np.random.Generator) -> FloatArray:
    """How often each person is drawn when people are resampled within study and arm."""
    weight = np.zeros(len(data.person_weight))
    for arm in range(len(data.arms)):
        mine = np.flatnonzero(data.arm_of_person == arm)
        weight[mine] = np.bincount(random.integers(mine.size, size=mine.size), minlength=mine.size)
    return weight


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON: NaN becomes None."""
    return [
        {str(name): _for_json(value) for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def _for_json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
