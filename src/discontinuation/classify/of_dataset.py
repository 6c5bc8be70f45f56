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
from discontinuation.classify.model_tables import model_tables, validation_tables
from discontinuation.classify.rules import INDETERMINATE, Verdicts, apply_rules
from discontinuation.classify.settings import Settings
from discontinuation.describe.given import Tables, complete
from discontinuation.estimands.by_way import COLUMNS, NAIVE
from discontinuation.exposure.drugs import Drugs
from discontinuation.exposure.trajectories import Exposure
from discontinuation.problems import InvalidInput
from discontinuation.tables.instruments import Instrument

UNSUPPORTED = (
    " A withdrawal component is not supported in this trial, so the probability, of withdrawal as "
    "of relapse, holds only if there is one."
)
PRESENT = {NEW: 1.0, WORSE: 1.0, EITHER: 1.0, NOT_WORSE: 0.0}


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
    null_draws, seed
        Trials simulated without withdrawal, against which the likelihood ratio is set; 0: none.
    """

    definition: str
    symptoms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    declared: Mapping[str, str] = field(default_factory=dict)
    maintenance: tuple[str, ...] = ()
    case_series: bool = False
    null_draws: int = 0
    seed: int = 1


@dataclass(frozen=True, eq=False)
class Classified:
    """The deteriorations of a dataset.

    Attributes
    ----------
    events
        One row per deterioration: its keys and timing; ``<rule>``, ``<rule>_clause`` and
        ``<rule>_doubtful`` of every rule set; hangs_on_onset (the rule sets whose label needs the
        onset to lie where it was first seen rather than anywhere since the visit before); q with
        limits, the addends of its logit (timing, symptoms, reinstatement), decision, why, and
        component_supported (whether the trial supports a withdrawal component, without which q
        is only what the model says if there is one); adjudicated.
    model
        None if it could not be fitted.
    tables
        rules (how often each says what), agreement (of pairs), agreement_overall, those of
        `model_tables` and `validation_tables`, refused; those that are empty are left out.
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
        found |= model_tables(model)
        found |= validation_tables(events, refused)
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
        found = fit(
            events, people, exposure, items, follow_up=follow_up,
            maintenance=list(setting.maintenance) or None, settings=settings,
        )  # fmt: skip
    except InvalidInput as invalid:
        refused += [("model", str(problem)) for problem in invalid.problems]
        return None
    return found.calibrated(setting.null_draws, setting.seed) if setting.null_draws else found


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
    table["hangs_on_onset"] = _hanging(verdicts).reindex(table.index, fill_value="")
    if model is not None:
        columns = ["q", "lower", "upper", "timing", "symptoms", "reinstatement", "decision", "why"]
        mine = model.q.set_index(["person", "episode"])[columns]
        mine = mine.rename(columns={"lower": "q_lower", "upper": "q_upper"})
        if not model.supported:
            mine["why"] += UNSUPPORTED
        table = table.join(
            mine.assign(component_supported=model.supported), on=["person", "episode"]
        )
    return table.reset_index(drop=True)


def _hanging(verdicts: Verdicts) -> pd.Series:
    """Rule sets whose label hangs on where between two visits the onset lies, by deterioration."""
    hanging = verdicts.frame.loc[verdicts.frame["hangs_on_onset"].fillna(False).astype(bool)]
    return hanging.groupby("event")["rule_set"].agg(lambda names: ", ".join(map(str, names)))


def _agreement(verdicts: Verdicts, refused: list[tuple[str, str]]) -> dict[str, pd.DataFrame]:
    found = {}
    said = binary(verdicts.labels, WITHDRAWAL, [RELAPSE, INDETERMINATE])
    for name, how in (("agreement", pairwise_agreement), ("agreement_overall", overall_agreement)):
        try:
            found[name] = how(said, [WITHDRAWAL, f"not {WITHDRAWAL}"])
        except InvalidInput as invalid:
            refused += [(name, problem.message) for problem in invalid.problems]
    return found


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


def relapse_effects_by_way(classified: Classified, imputations: int, seed: int) -> pd.DataFrame:
    """Effect of the loss of all protection on relapse, by how causes are dealt with (E3).

    Parameters
    ----------
    classified
        From `classify_dataset`.
    imputations, seed
        Of the model, as in `causes_by_way`.

    Returns
    -------
    DataFrame
        Rows as `estimates_by_way` has them, of all arms together: every deterioration a relapse,
        weighted by the probability of relapse (no limits), imputed, and the joint model. Empty
        without a model or an arm that keeps the drug.
    """
    model = classified.model
    if model is None or not model.task.observed.arms["maintenance"].any():
        return pd.DataFrame(columns=COLUMNS)
    table = model.relapse_effects(imputations, seed)
    natural = {name: np.exp(table[name]) for name in ("estimate", "lower", "upper")}
    naive, imputed = table["way"] == "naive", table["way"] == "imputed"
    last = model.task.grid.retained.shape[1] * model.task.settings.step
    rows = table.assign(
        **natural,
        way=table["way"].replace({"naive": NAIVE, "weighted": "weighted by probability"}),
        estimand=np.where(naive, "E1", "E3"),
        comparison="all arms, at complete loss of protection",
        clock="randomisation",
        window_from=0.0,
        window_to=float(last),
        measure="hazard ratio",
        cause=pd.Series(RELAPSE, table.index, dtype=object).mask(naive),
        imputations=np.where(imputed, imputations, np.nan),
    )
    return rows.reindex(columns=COLUMNS)
