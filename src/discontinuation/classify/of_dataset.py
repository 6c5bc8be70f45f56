"""What were the deteriorations of a dataset: by every published rule, and by the model?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.classify.agreement import binary, overall_agreement, pairwise_agreement
from discontinuation.classify.clauses import EITHER, NEW, NOT_WORSE, WORSE
from discontinuation.classify.criteria import RELAPSE, WITHDRAWAL, Criteria
from discontinuation.classify.evidence_of_events import EventEvidence, evidence_of_events
from discontinuation.classify.model import LatentCauseFit, fit
from discontinuation.classify.rules import INDETERMINATE, Verdicts, apply_rules
from discontinuation.classify.settings import Settings
from discontinuation.classify.validation import validate
from discontinuation.describe.given import Tables, complete
from discontinuation.exposure.drugs import Drugs
from discontinuation.exposure.trajectories import Exposure
from discontinuation.problems import InvalidInput
from discontinuation.tables.instruments import Instrument

PRESENT = {NEW: 1.0, WORSE: 1.0, EITHER: 1.0, NOT_WORSE: 0.0}
FEWEST_LABELS = 10  # adjudicated events below which nothing is validated


@dataclass(frozen=True)
class Setting:
    """How the deteriorations of a dataset are told apart.

    Attributes
    ----------
    definition
        Of getting worse.
    symptoms
        How items match symptoms; see `match_items`.
    declared
        Judgements that hold for every deterioration.
    maintenance
        Arms that keep the drug; empty: those whose people lose no protection.
    case_series
        Nothing is fitted; see `discontinuation.classify.cases`.
    """

    definition: str
    symptoms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    declared: Mapping[str, str] = field(default_factory=dict)
    maintenance: tuple[str, ...] = ()
    case_series: bool = False


@dataclass(frozen=True, eq=False)
class Classified:
    """The deteriorations of a dataset.

    Attributes
    ----------
    events
        One row per deterioration: its keys and timing; ``<rule>``, ``<rule>_clause`` and
        ``<rule>_doubtful`` of every rule set; q with limits, the addends of its logit (timing,
        symptoms, reinstatement), decision and why; adjudicated.
    model
        None if it could not be fitted.
    tables
        rules (how often each says what), agreement (of pairs), agreement_overall, estimates, psi,
        profiles, warnings, validation, refused; those that are empty are left out.
    evidence, verdicts
        What the rules asked for, and what they said.
    """

    events: pd.DataFrame
    model: LatentCauseFit | None
    tables: dict[str, pd.DataFrame]
    evidence: EventEvidence
    verdicts: Verdicts


def classify_dataset(
    tables: Tables,
    exposure: Exposure | None,
    setting: Setting,
    criteria: Criteria,
    drugs: Drugs,
    instruments: Mapping[str, Instrument],
    settings: Settings | None = None,
) -> Classified:
    """Classify every deterioration of one definition.

    Parameters
    ----------
    tables
        Canonical tables.
    exposure
        Of the people in the model; None: rules only.
    setting
        How.
    criteria, drugs
        From `read_criteria` and `read_drugs`.
    instruments
        The dataset's instruments.
    settings
        Of the model.

    Returns
    -------
    Classified
        Where the model cannot be fitted, the rules stand alone and `tables["refused"]` says why.

    Raises
    ------
    InvalidInput
        Unknown definitions, instruments, items and symptoms.
    """
    given = complete(tables)
    evidence = evidence_of_events(
        given, criteria, drugs, instruments, setting.definition,
        symptoms=setting.symptoms, declared=setting.declared,
    )  # fmt: skip
    verdicts = apply_rules(evidence.events, evidence.status, criteria)
    refused: list[tuple[str, str]] = []
    model = _model(given, exposure, evidence, setting, settings, refused)
    events = _table(evidence, verdicts, model)
    found = {"rules": verdicts.summary.reset_index(), **_agreement(verdicts, refused)}
    if model is not None:
        found |= _of_model(model)
        found |= _validated(events, refused)
    found["refused"] = pd.DataFrame(refused, columns=["what", "reason"])
    kept = {name: table for name, table in found.items() if len(table)}
    return Classified(events, model, kept, evidence, verdicts)


def _model(
    given: Mapping[str, pd.DataFrame],
    exposure: Exposure | None,
    evidence: EventEvidence,
    setting: Setting,
    settings: Settings | None,
    refused: list[tuple[str, str]],
) -> LatentCauseFit | None:
    if setting.case_series:
        reason = "single cases have no comparison, so nothing is fitted to them"
        refused.append(("model", reason))
        return None
    if exposure is None:
        refused.append(("model", "no exposure could be computed, so there is no timing to use"))
        return None
    known = set(exposure.people)
    people = given["people"].loc[given["people"]["person"].isin(known)]
    worse = given["deteriorations"].loc[given["deteriorations"]["definition"] == setting.definition]
    events = worse.loc[worse["person"].isin(known)]
    left = worse["person"].nunique() - events["person"].nunique()
    if left:
        refused.append(("model", f"{left} people with a deterioration have no known exposure"))
    follow_up = given["follow_up"].loc[given["follow_up"]["person"].isin(known)]
    items = symptoms_at_onset(evidence)
    if items is not None:
        items = items.loc[items["person"].isin(known)].reset_index(drop=True)
    try:
        return fit(
            events, people, exposure, items, follow_up=follow_up,
            maintenance=list(setting.maintenance) or None, settings=settings,
        )  # fmt: skip
    except InvalidInput as invalid:
        refused += [("model", str(problem)) for problem in invalid.problems]
        return None


def symptoms_at_onset(evidence: EventEvidence) -> pd.DataFrame | None:
    """Symptoms at each deterioration as the model takes them: person, episode, item, value.

    Returns
    -------
    DataFrame or None
        value 1: new or worse than the person's own baseline; 0: not; symptoms that were not rated
        are left out. None if no symptom was asked for at all.
    """
    if not evidence.status.shape[1]:
        return None
    keys = evidence.events[["person", "episode"]]
    long = keys.join(evidence.status).melt(["person", "episode"], var_name="item")
    value = long["value"].map(PRESENT)
    return long.assign(value=value.astype(float)).dropna(subset=["value"]).reset_index(drop=True)


def _table(
    evidence: EventEvidence, verdicts: Verdicts, model: LatentCauseFit | None
) -> pd.DataFrame:
    names = [
        "person", "episode", "study", "arm", "onset", "onset_earliest", "onset_latest", "detected",
        "days_since_reduction", "half_lives_since_reduction", "adjudicated",
    ]  # fmt: skip
    table = evidence.events[[name for name in names if name in evidence.events]].copy()
    for rule, said in verdicts.frame.groupby("rule_set", sort=False):
        mine = said.set_index("event")
        table[str(rule)] = mine["label"]
        table[f"{rule}_clause"] = mine["clause"]
        table[f"{rule}_doubtful"] = mine["doubtful"]
    if model is not None:
        columns = ["q", "lower", "upper", "timing", "symptoms", "reinstatement", "decision", "why"]
        mine = model.q.set_index(["person", "episode"])[columns]
        mine = mine.rename(columns={"lower": "q_lower", "upper": "q_upper"})
        table = table.join(mine, on=["person", "episode"])
    return table.reset_index(drop=True)


def _agreement(verdicts: Verdicts, refused: list[tuple[str, str]]) -> dict[str, pd.DataFrame]:
    found = {}
    said = binary(verdicts.labels, WITHDRAWAL, [RELAPSE, INDETERMINATE])
    for name, how in (("agreement", pairwise_agreement), ("agreement_overall", overall_agreement)):
        try:
            found[name] = how(said, [WITHDRAWAL, f"not {WITHDRAWAL}"])
        except InvalidInput as invalid:
            refused += [(name, problem.message) for problem in invalid.problems]
    return found


def _of_model(model: LatentCauseFit) -> dict[str, pd.DataFrame]:
    warnings = pd.DataFrame(
        [(caution.code, caution.message) for caution in model.warnings],
        columns=["code", "message"],
    )
    estimates = model.estimates
    symptom = estimates["parameter"].astype(str).str.startswith("symptom by ")
    profiles = estimates.loc[symptom, ["parameter", "item", "estimate", "lower", "upper"]]
    cause = profiles["parameter"].str.removeprefix("symptom by ")
    evidence = pd.DataFrame([vars(model.evidence)]).astype(object)
    return {
        "estimates": estimates,
        "psi": model.psi,
        "lower_bound": model.lower_bound,
        "profiles": profiles.drop(columns="parameter").assign(cause=cause),
        "evidence": evidence,
        "warnings": warnings,
    }


def _validated(events: pd.DataFrame, refused: list[tuple[str, str]]) -> dict[str, pd.DataFrame]:
    """Hold q against the raters' labels, where there are enough of both kinds."""
    known = events.loc[events["adjudicated"].isin([WITHDRAWAL, RELAPSE]) & events["q"].notna()]
    counts = known["adjudicated"].value_counts()
    if len(known) < FEWEST_LABELS or len(counts) < 2:
        reason = (
            f"{len(known)} events with a label of raters; at least {FEWEST_LABELS}, of both kinds"
        )
        refused.append(("validation", reason))
        return {}
    try:
        found = validate(known["q"].to_numpy(dtype=float), known["adjudicated"] == WITHDRAWAL)
    except InvalidInput as invalid:
        refused += [("validation", problem.message) for problem in invalid.problems]
        return {}
    return {"validation": found.measures, "reliability": found.reliability}


def causes_by_way(
    classified: Classified, rule: str, imputations: int, seed: int
) -> Iterator[tuple[str, list[pd.Series]]]:
    """Give each person's cause of deterioration in several ways.

    Parameters
    ----------
    classified
        From `classify_dataset`.
    rule
        The rule set that is set beside the model.
    imputations, seed
        Of the model.

    Yields
    ------
    way
        "adjudicated", the rule set's name, "imputed".
    causes
        By person: one series, or one per imputation.
    """
    first = classified.events.sort_values("episode").drop_duplicates("person").set_index("person")
    if first["adjudicated"].notna().any():
        yield "adjudicated", [first["adjudicated"].astype(object)]
    if rule in first:
        yield rule, [first[rule].astype(object)]
    if classified.model is not None:
        drawn = classified.model.impute(imputations, seed)
        people = drawn.events["person"].to_numpy()
        yield (
            "imputed",
            [pd.Series(np.asarray(causes, dtype=object), index=people) for causes in drawn.causes],
        )
