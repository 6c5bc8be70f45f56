"""Single cases and diaries: is each deterioration withdrawal, and does that hang on the priors?

A case series has no comparison, so no hazard is learned from it. Each deterioration gets the
probability that the latent-cause model gives it at frozen priors, at every point of a grid of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.classify.evidence_of_events import EventEvidence
from discontinuation.classify.hazards import RELAPSE, WITHDRAWAL
from discontinuation.classify.identifiability import unsteady_start
from discontinuation.classify.likelihood import Task, expect, task_of
from discontinuation.classify.model import LatentCauseFit
from discontinuation.classify.observed import observe
from discontinuation.classify.of_dataset import Classified, symptoms_at_onset
from discontinuation.classify.prior_grid import (
    SYMPTOMS,
    TIMING,
    CasePriors,
    alpha_of,
    read_case_priors,
)
from discontinuation.classify.settings import Settings
from discontinuation.classify.symptom_onsets import symptom_onsets
from discontinuation.classify.why import decide, speaks
from discontinuation.describe.given import Tables, complete
from discontinuation.exposure.drugs import Drugs
from discontinuation.exposure.histories import Gaps
from discontinuation.exposure.of_dataset import Setting
from discontinuation.exposure.parameters import parameters_of
from discontinuation.exposure.trajectories import Exposure, exposure_of
from discontinuation.problems import InvalidInput, Problem
from discontinuation.symptoms.steps import dose_steps

FloatArray = npt.NDArray[np.float64]

YEAR = 365.0
DEPENDS = "depends on the prior"
NOT_ASSESSABLE = "not assessable"
NO_FREQUENCY = (
    "A case series shows what happened to these people; it gives no frequency of withdrawal and "
    "none of relapse."
)
KINDLING = (
    "That earlier attempts make later ones harder (kindling) is not modelled; attempts are listed."
)
ADDENDS = ("timing", "symptoms", "reinstatement")
DESIGNS = ("case_series", "single_case")  # of studies without a comparison


@dataclass(frozen=True, eq=False)
class Profile:
    """How symptoms tell the causes apart; the names of the symptoms are the index.

    Attributes
    ----------
    contrast
        Log of the odds of a symptom in withdrawal over those in relapse.
    middle
        Log odds halfway between the causes; None: from the share on the grid of priors.
    """

    contrast: pd.Series
    middle: pd.Series | None = None


@dataclass(frozen=True, eq=False)
class CaseSeries:
    """The deteriorations of a case series; made by `classify_cases`.

    Attributes
    ----------
    events
        One row per deterioration: person, episode, drug, onset_earliest, onset_latest,
        days_since_reduction, attempt (number of the attempt in the record), earlier_attempts
        (those before the record included; blank: not known), duration_days, duration_at_least,
        protracted (blank: not known), rated (symptoms that bear on the causes and were rated), q
        and its addends timing, symptoms and reinstatement at the central prior; lowest and highest
        q over the grid, and lowest_one and highest_one where a single prior is moved;
        called_withdrawal and called_relapse, the shares of the points of the grid (they are no
        probabilities); decision; doubtful (priors that are proposals or memory); why.
    grid
        One row per deterioration and point of the grid: the priors, alpha, moved (how many priors
        are not central), the addends, q.
    onsets
        First rise of each symptom; see `symptom_onsets`.
    priors
        Every number that was assumed, with its tag and source.
    notes
        What could not be told, and what must be known to read the rest.
    """

    events: pd.DataFrame
    grid: pd.DataFrame = field(repr=False)
    onsets: pd.DataFrame = field(repr=False)
    priors: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...]

    def __str__(self) -> str:
        counts = self.events["decision"].value_counts()
        called = ", ".join(f"{count} {name}" for name, count in counts.items())
        lines = [f"deteriorations: {called}" if called else "no deterioration"]
        lines += [f"{row.person}, episode {row.episode}: {row.why}"
                  for row in self.events.itertuples()]  # fmt: skip
        return "\n".join([*lines, *self.notes])


def is_case_series(tables: Tables) -> bool:
    """Tell whether every study of a dataset is a case series or a single case."""
    studies = complete(tables)["studies"]
    return bool(len(studies)) and bool(studies["design"].isin(DESIGNS).all())


def exposures_by_drug(
    tables: Tables, drugs: Drugs, setting: Setting | None = None
) -> tuple[dict[str, Exposure], tuple[str, ...]]:
    """Arrange the doses of every drug of a dataset.

    Parameters
    ----------
    tables
        Canonical tables.
    drugs
        From `read_drugs`.
    setting
        How the doses are to be read.

    Returns
    -------
    exposures
        By drug, of the people whose doses can be followed.
    notes
        Which drugs and people are left out, and why.
    """
    setting = setting or Setting()
    found: dict[str, Exposure] = {}
    notes: list[str] = []
    for name, doses in complete(tables)["doses"].groupby("drug", sort=True, observed=True):
        drug = str(name)
        try:
            one = _one_exposure(drug, doses, drugs, setting, notes)
        except InvalidInput as invalid:
            notes += [f"{drug}: {problem.message}" for problem in invalid.problems]
            continue
        if one is not None:
            found[drug] = one
    return found, tuple(notes)


def _one_exposure(
    name: str, doses: pd.DataFrame, drugs: Drugs, setting: Setting, notes: list[str]
) -> Exposure | None:
    """Exposure of one drug; people whose doses cannot be followed are left out with a note."""
    drug = parameters_of(drugs.find(name), setting.curves.get(name))
    missing = drug.no_half_life or drug.no_occupancy
    if missing:
        notes.append(f"{name}: {missing}")
        return None

    def arrange(mine: pd.DataFrame) -> Exposure:
        return exposure_of(
            mine.reset_index(drop=True),
            half_life_days=float(drug.half_life_days or math.nan),
            k=drug.k,
            emax=drug.emax,
            hill=drug.hill,
            tau_days=setting.tau_days,
            start_steady=setting.before == "steady",
            dose_before=setting.doses_before.get(name),
            gaps=cast(Gaps, "refuse" if setting.gaps == "unknown" else setting.gaps),
            reference_day=setting.reference_day,
            fitted_range=drug.fitted,
        )

    usable = []
    for person, mine in doses.groupby("person", sort=False, observed=True):
        try:
            arrange(mine)
            usable.append(person)
        except InvalidInput as invalid:
            reasons = "; ".join(problem.message for problem in invalid.problems)
            notes.append(f"{name}, person {person}: {reasons}")
    return arrange(doses.loc[doses["person"].isin(usable)]) if usable else None


def classify_cases(
    tables: Tables,
    exposures: Mapping[str, Exposure],
    evidence: EventEvidence,
    priors: CasePriors | None = None,
    learned: LatentCauseFit | None = None,
    *,
    matched: pd.DataFrame | None = None,
) -> CaseSeries:
    """Give each deterioration of a case series its probability of withdrawal (methods B5, B6).

    ``logit q = timing + symptoms + reinstatement``, with the hazards of `discontinuation.classify.
    fit` at the priors. Nothing is fitted to the cases.

    Parameters
    ----------
    tables
        Canonical tables.
    exposures
        By drug, from `exposures_by_drug`. A deterioration is held against the drug that was
        reduced last before it.
    evidence
        From `evidence_of_events`.
    priors
        From `read_case_priors`, which is the default.
    learned
        A fitted trial: the symptoms tell the causes apart as they did there, instead of as the
        priors say. Its hazards are not used.
    matched
        From `match_items`, for the table of onsets; without it that is empty.

    Returns
    -------
    CaseSeries
        The decision is withdrawal, relapse or indeterminate only if it is the same at every point
        of the grid, else "depends on the prior"; without a usable onset or exposure it is "not
        assessable".

    Notes
    -----
    Symptoms of one deterioration are not independent: j of them that bear on the causes count for
    ``j / (1 + rho (j - 1))`` (methods B4). The early window of relapse begins anew each time that
    protection falls, so that every attempt has its own.
    """
    priors = priors or read_case_priors()
    given = complete(tables)
    profile = _prior_profile(priors) if learned is None else _learned_profile(learned)
    signs = _signs(evidence, profile)
    attempts = _attempts(evidence, given)
    rows, grids = [], []
    for name, event in evidence.events.iterrows():
        present = signs.loc[[name]].iloc[0]
        one, grid = _one_case(event, present, exposures, given, priors, profile)
        rows.append({**_keys(event), **attempts[str(name)], **_course(event, priors), **one})
        if grid is not None:
            keys = {"person": event["person"], "episode": event["episode"]}
            grids.append(grid.assign(**keys)[[*keys, *grid.columns]])
    return CaseSeries(
        events=pd.DataFrame(rows, columns=_EVENT_COLUMNS),
        grid=pd.concat(grids, ignore_index=True) if grids else pd.DataFrame(),
        onsets=symptom_onsets(given["assessments"], evidence, matched),
        priors=priors.table,
        notes=tuple(_notes(given, exposures, evidence, profile, learned)),
    )


def with_cases(classified: Classified, series: CaseSeries) -> Classified:
    """Put the probabilities at the priors where those of a fitted model would stand.

    Parameters
    ----------
    classified
        Verdicts of the rule sets.
    series
        From `classify_cases`, of the same deteriorations.

    Returns
    -------
    Classified
        Its events have q, its limits over the grid of priors, the addends, decision and why; its
        tables have cases, case_onsets, case_priors and case_notes.
    """
    columns = ["q", "lowest", "highest", *ADDENDS, "decision", "why"]
    mine = series.events.set_index(["person", "episode"])[columns]
    mine = mine.rename(columns={"lowest": "q_lower", "highest": "q_upper"})
    found = {
        "cases": series.events,
        "case_onsets": series.onsets,
        "case_priors": series.priors,
        "case_notes": pd.DataFrame({"note": series.notes}),
    }
    kept = {name: table for name, table in found.items() if len(table)}
    return replace(
        classified,
        events=classified.events.join(mine, on=["person", "episode"]),
        tables={**classified.tables, **kept},
    )


_EVENT_COLUMNS = [
    "person", "episode", "drug", "onset_earliest", "onset_latest", "days_since_reduction",
    "attempt", "earlier_attempts", "duration_days", "duration_at_least", "protracted", "rated",
    "q", *ADDENDS, "lowest", "highest", "lowest_one", "highest_one", "called_withdrawal",
    "called_relapse", "decision", "doubtful", "why",
]  # fmt: skip


def _prior_profile(priors: CasePriors) -> Profile:
    return Profile(pd.Series({name: math.log(r) for name, r in priors.odds_ratios.items()}))


def _learned_profile(learned: LatentCauseFit) -> Profile:
    layout, theta = learned.task.layout, learned.maximum.found.theta
    names = pd.Index(learned.task.observed.items)
    by_withdrawal, by_relapse = theta[layout.item_withdrawal], theta[layout.item_relapse]
    middle = pd.Series((by_withdrawal + by_relapse) / 2, names)
    return Profile(pd.Series(by_withdrawal - by_relapse, names), middle)


def _signs(evidence: EventEvidence, profile: Profile) -> pd.DataFrame:
    """Whether each symptom that bears on the causes was new or worse: 1, 0, or NaN."""
    index, telling = evidence.events.index, profile.contrast.index[profile.contrast != 0]
    long = symptoms_at_onset(evidence)
    if long is None or long.empty:
        return pd.DataFrame(np.nan, index, telling)
    names = long["person"].astype(str) + "/" + long["episode"].astype(str)
    wide = long.assign(event=names).pivot_table("value", "event", "item")
    return wide.reindex(index=index, columns=telling).astype(float)


def symptom_addends(
    present: pd.Series, profile: Profile, points: pd.DataFrame, correlation: float
) -> FloatArray:
    """Log likelihood ratio of withdrawal against relapse of the symptoms, at each prior.

    Parameters
    ----------
    present
        By symptom: 1 new or worse, 0 not, NaN not rated.
    profile
        How symptoms tell the causes apart.
    points
        symptom_strength, and symptom_share where the profile has no middle of its own.
    correlation
        Of symptoms within a cause.

    Returns
    -------
    array of shape (points,)
        0 where nothing was rated.
    """
    known = present.dropna()
    if known.empty:
        return np.zeros(len(points))
    half = points[["symptom_strength"]].to_numpy() * profile.contrast[known.index].to_numpy() / 2
    if profile.middle is None:
        share = points[["symptom_share"]].to_numpy()
        middle = np.log(share) - np.log1p(-share)
    else:
        middle = profile.middle[known.index].to_numpy()[None, :]
    # Bernoulli log likelihood x l - log(1 + e^l), at l = middle + half and middle - half.
    ratio = 2 * half * known.to_numpy() - np.logaddexp(0, middle + half)
    ratio += np.logaddexp(0, middle - half)
    return np.asarray(ratio.sum(axis=1) / (1 + correlation * (len(known) - 1)))


def _one_case(
    event: pd.Series,
    present: pd.Series,
    exposures: Mapping[str, Exposure],
    given: Mapping[str, pd.DataFrame],
    priors: CasePriors,
    profile: Profile,
) -> tuple[dict[str, Any], pd.DataFrame | None]:
    """Probability of one deterioration over the grid, or why there is none."""
    rated = int(present.notna().sum())
    try:
        task = _task(event, exposures, given)
    except InvalidInput as invalid:
        reasons = "; ".join(dict.fromkeys(problem.message for problem in invalid.problems))
        return {
            "rated": rated,
            "decision": NOT_ASSESSABLE,
            "why": f"Not assessable: {reasons}.",
        }, None
    timing = priors.points(TIMING)
    timing = timing.join(_timing(task, timing, priors))
    free = SYMPTOMS if profile.middle is None else SYMPTOMS[:1]
    symptoms = priors.points(free)
    rho = priors.fixed["symptom_correlation"]
    symptoms["symptoms"] = symptom_addends(present, profile, symptoms, rho)
    grid = timing.merge(symptoms, how="cross", suffixes=("", "_symptoms"))
    grid["moved"] += grid.pop("moved_symptoms")
    with np.errstate(over="ignore"):
        grid["q"] = 1 / (1 + np.exp(-grid[list(ADDENDS)].sum(axis=1)))
    return _verdict(event, present, grid, task, priors), grid


def _task(
    event: pd.Series, exposures: Mapping[str, Exposure], given: Mapping[str, pd.DataFrame]
) -> Task:
    """One deterioration as the model sees it, on its own.

    Raises
    ------
    InvalidInput
        If the model could not take it: no exposure, no onset, doses that end before it.
    """
    if not isinstance(event["drug"], str):
        raise InvalidInput([_problem("no drug is known that was taken before the onset")])
    if event["drug"] not in exposures:
        raise InvalidInput([_problem(f"the exposure to {event['drug']} could not be computed")])
    exposure = exposures[event["drug"]]
    if event["person"] not in exposure.people:
        raise InvalidInput([_problem(f"the person's doses of {event['drug']} cannot be followed")])
    person = event["person"]
    watched = given["follow_up"].loc[given["follow_up"]["person"] == person]
    watched = watched.assign(start=watched["start"].clip(lower=exposure.reference_day))
    row = event.drop("reinstated").rename({"reinstated_on": "reinstated"})
    people = given["people"].loc[given["people"]["person"] == person]
    settings = Settings()
    observed = observe(
        pd.DataFrame([row]),
        people[["person", "arm"]],
        exposure,
        None,
        watched,
        None,
        settings,
    )
    task = task_of(observed, settings, np.ones(1, dtype=bool), None)
    early = task.grid.lost * _early(task.grid.lost, settings)
    return replace(task, grid=replace(task.grid, early_lost=early))


def _problem(message: str) -> Problem:
    return Problem("case series", message)


def _early(lost: FloatArray, settings: Settings) -> npt.NDArray[np.bool_]:
    """Whether each step lies in the early window of its own loss of protection."""
    above = lost > settings.early_loss
    before = np.hstack([np.zeros((len(lost), 1), dtype=bool), above[:, :-1]])
    steps = np.broadcast_to(np.arange(lost.shape[1]), lost.shape)
    opened = np.maximum.accumulate(np.where(above & ~before, steps, 0), axis=1)
    late = above & ((steps - opened) * settings.step >= settings.early_days - 1e-9)
    return np.asarray(~late)


def _timing(task: Task, points: pd.DataFrame, priors: CasePriors) -> pd.DataFrame:
    """alpha, and the addends of timing and of the course after reinstatement, at each prior."""
    layout, fixed, step = task.layout, priors.fixed, task.settings.step
    theta = layout.centre.copy()
    theta[layout.beta] = math.log(fixed["relapse_hazard_ratio"])
    courses = [fixed["resolution_withdrawal_days"], fixed["resolution_relapse_days"]]
    theta[layout.resolution] = np.log(courses)
    rows = []
    for incidence, tau, kappa, relapse, early in points[list(TIMING)].to_numpy(dtype=float):
        alpha = alpha_of(incidence, tau, kappa)
        theta[layout.baseline] = math.log(relapse / YEAR * step)
        theta[layout.eta] = math.log(early)
        theta[layout.alpha] = math.log(alpha * step)
        theta[layout.tau], theta[layout.kappa] = math.log(tau), math.log(kappa)
        found = expect(theta, task)
        course = float(found.symptoms[0, 0, 1] - found.symptoms[0, 1, 1])
        with np.errstate(divide="ignore"):
            odds = float(np.subtract(*np.log(found.probability[0])))
        rows.append((alpha, odds - course, course))
    return pd.DataFrame(rows, columns=["alpha", "timing", "reinstatement"])


def _verdict(
    event: pd.Series, present: pd.Series, grid: pd.DataFrame, task: Task, priors: CasePriors
) -> dict[str, Any]:
    central = grid.loc[grid["moved"] == 0].iloc[0]
    one = grid.loc[grid["moved"] <= 1, "q"]
    settings = task.settings
    called = decide(grid["q"].to_numpy(), settings.withdrawal_at, settings.relapse_at)
    known = present.dropna()
    found = {
        "rated": len(known),
        "q": float(central["q"]),
        **{name: float(central[name]) for name in ADDENDS},
        "lowest": float(grid["q"].min()),
        "highest": float(grid["q"].max()),
        "lowest_one": float(one.min()),
        "highest_one": float(one.max()),
        "called_withdrawal": float((called == WITHDRAWAL).mean()),
        "called_relapse": float((called == RELAPSE).mean()),
        "decision": called[0] if (called == called[0]).all() else DEPENDS,
        "doubtful": priors.doubtful(list(known.index)),
    }
    followed = bool(task.observed.followed[0])
    return {**found, "why": _sentence(found, event, followed)}


def _sentence(found: Mapping[str, Any], event: pd.Series, followed: bool) -> str:
    """Say in one sentence what speaks for what; the words are the same for both causes."""
    parts = [_timing_words(found["timing"], event)]
    if found["rated"]:
        parts.append(speaks("the symptoms speak", found["symptoms"]))
    else:
        parts.append("no symptom that bears on the causes was rated, so timing stands alone")
    if followed:
        parts.append(speaks("the course after reinstatement speaks", found["reinstatement"]))
    text = "; ".join(parts)
    return (
        f"{text[0].upper()}{text[1:]}; probability of withdrawal {found['q']:.2f} at the central "
        f"prior, {found['lowest']:.2f} to {found['highest']:.2f} over all priors, decision: "
        f"{found['decision']}."
    )


def _timing_words(timing: float, event: pd.Series) -> str:
    if timing == -math.inf:
        return "occupancy had not fallen, so withdrawal cannot act under the model"
    low, high = (
        event.get(f"days_since_reduction{end}", np.nan) for end in ("_earliest", "_latest")
    )
    day = event.get("days_since_reduction", np.nan)
    if pd.isna(day):
        return speaks("timing speaks", timing)
    days = f"{day:g} {'day' if day == 1 else 'days'}"
    if pd.notna(low) and pd.notna(high):
        days = f"{low:g} to {high:g} days"
    return speaks(f"timing (onset {days} after the last reduction) speaks", timing)


def _keys(event: pd.Series) -> dict[str, Any]:
    low, high = event["onset_earliest"], event["onset_latest"]
    between = pd.notna(low) and pd.notna(high)
    return {
        "person": event["person"],
        "episode": event["episode"],
        "drug": event["drug"],
        "onset_earliest": low if between else event["onset"],
        "onset_latest": high if between else event["onset"],
        "days_since_reduction": event.get("days_since_reduction", np.nan),
    }


def _course(event: pd.Series, priors: CasePriors) -> dict[str, Any]:
    """How long it lasted, and whether that is protracted; not known is blank, never no."""
    lasted, least = float(event["duration_days"]), float(event["duration_at_least"])
    limit = priors.fixed["protracted_after_days"]
    protracted: Any = pd.NA
    if lasted == lasted:
        protracted = lasted > limit
    elif least > limit:
        protracted = True
    return {"duration_days": lasted, "duration_at_least": least, "protracted": protracted}


def _attempts(
    evidence: EventEvidence, given: Mapping[str, pd.DataFrame]
) -> dict[str, dict[str, Any]]:
    """Number of the attempt each deterioration belongs to, and how many came before."""
    steps = dose_steps(given["doses"])
    steps = steps.loc[steps["direction"] == "reduction"]
    starts = steps.groupby(["person", "drug", "attempt"], observed=True)["day"].min().reset_index()
    told = given["people"].drop_duplicates("person").set_index("person")["previous_attempts"]
    found = {}
    for name, event in evidence.events.iterrows():
        start = event.get("attempt_start", np.nan)
        mine = starts.loc[starts["person"] == event["person"], "day"]
        number: Any = pd.NA if pd.isna(start) else int((mine <= start + 1e-9).sum())
        before = told.get(event["person"], pd.NA)
        known = not (pd.isna(before) or number is pd.NA)
        earlier: Any = int(before) + number - 1 if known else pd.NA
        found[str(name)] = {"attempt": number, "earlier_attempts": earlier}
    return found


def _notes(
    given: Mapping[str, pd.DataFrame],
    exposures: Mapping[str, Exposure],
    evidence: EventEvidence,
    profile: Profile,
    learned: LatentCauseFit | None,
) -> Iterator[str]:
    yield NO_FREQUENCY
    quiet = sorted(set(given["people"]["person"]) - set(evidence.events["person"]))
    if quiet:
        yield f"No deterioration was recorded of: {', '.join(map(str, quiet))}."
    if given["doses"].groupby("person", observed=True).size().gt(1).any():
        yield KINDLING
    source = "the fitted trial" if learned is not None else "the priors"
    asked = evidence.status.columns
    strange = [name for name in asked if name not in profile.contrast.index]
    if strange:
        yield f"Not known to {source}, so they count for neither: {', '.join(strange)}."
    if not len(profile.contrast.index.intersection(asked)):
        yield f"Timing only: no symptom known to {source} was asked for."
    yield from (f"{one.note}: {one.count}" for one in evidence.notes.itertuples(index=False))
    for drug, exposure in exposures.items():
        day = np.maximum(exposure.reference_day, exposure.histories.begins)
        settled = exposure.at(day[:, None]).set_point[:, 0]
        yield from (f"{drug}: {caution.message}" for caution in unsteady_start(settled))
