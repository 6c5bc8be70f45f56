"""How are the deteriorations of a declared dataset classified: by a model, or at priors?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from discontinuation.classify.cases import (
    CaseSeries,
    classify_cases,
    exposures_by_drug,
    is_case_series,
    with_cases,
)
from discontinuation.classify.criteria import Criteria
from discontinuation.classify.of_dataset import (
    Classified,
    Setting,
    causes_by_way,
    classify_dataset,
    relapse_effects_by_way,
)
from discontinuation.classify.prior_grid import CasePriors
from discontinuation.classify.symptom_status import match_items
from discontinuation.describe.given import Tables
from discontinuation.estimands.by_way import estimates_by_way
from discontinuation.estimands.of_dataset import Setting as Survival
from discontinuation.estimands.question import BY_CAUSE
from discontinuation.exposure.drugs import Drugs
from discontinuation.exposure.of_dataset import Setting as Doses
from discontinuation.exposure.of_dataset import exposure_of_main_drug
from discontinuation.tables.instruments import Instrument

NOTHING = (
    "nothing was classified: the data record no deterioration, and no declared definition found one"
)


def classify_declared(
    content: Mapping[str, Any],
    tables: Tables,
    definition: str,
    drugs: Drugs,
    criteria: Criteria,
    instruments: Mapping[str, Instrument],
    priors: CasePriors,
    tau_days: float,
    null_draws: int = 0,
    seed: int = 1,
) -> tuple[Classified, CaseSeries | None] | None:
    """Classify the deteriorations of a dataset as its declaration asks.

    Parameters
    ----------
    content
        Of the declaration, with its defaults.
    tables
        Canonical tables.
    definition
        Of getting worse.
    drugs, criteria, priors
        From `read_drugs`, `read_criteria` and `read_case_priors`.
    instruments
        The dataset's instruments.
    tau_days
        Adaptation time of the exposure.
    null_draws, seed
        Of the calibration of the likelihood ratio; see `of_dataset.Setting`.

    Returns
    -------
    tuple or None
        The classification, and the case series if every study is one. None without deteriorations;
        `NOTHING` says so.

    Raises
    ------
    InvalidInput
        Unknown definitions, instruments, items and symptoms.
    """
    if len(tables["deteriorations"]) == 0:
        return None
    asked, single = content["classification"], is_case_series(tables)
    doses = Doses(tau_days=tau_days, **content["exposure"])
    _, exposure, _ = exposure_of_main_drug(tables, doses, drugs)
    setting = Setting(
        definition, asked["symptoms"], asked["declared"], tuple(asked["maintenance"]), single,
        null_draws, seed,
    )  # fmt: skip
    classified = classify_dataset(tables, exposure, setting, criteria, drugs, instruments)
    if not single:
        return classified, None
    exposures, left_out = exposures_by_drug(tables, drugs, doses)
    matched = match_items(instruments, criteria, asked["symptoms"])
    series = classify_cases(tables, exposures, classified.evidence, priors, matched=matched)
    series = replace(series, notes=(*series.notes, *left_out))
    return with_cases(classified, series), series


def effects_declared(
    content: Mapping[str, Any],
    tables: Tables,
    survival: Survival,
    classified: Classified,
    imputations: int,
    seed: int,
) -> pd.DataFrame:
    """Estimate what the declaration asks for by every way of telling the causes.

    Parameters
    ----------
    content, tables
        As `classify_declared`.
    survival
        Setting of the estimands.
    classified
        From `classify_declared`.
    imputations, seed
        Of the model.

    Returns
    -------
    DataFrame
        From `estimates_by_way` and, where an estimand is by cause, `relapse_effects_by_way`.
    """
    ways = causes_by_way(classified, content["classification"]["rule"], imputations, seed)
    by_way = estimates_by_way(content["estimands"], tables, survival, ways)
    if not any(each["id"] in BY_CAUSE for each in content["estimands"]):
        return by_way
    effects = relapse_effects_by_way(classified, imputations, seed)
    return pd.concat([part for part in (by_way, effects) if len(part)] or [by_way])
