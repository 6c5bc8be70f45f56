"""What of a fitted model goes into the results of a dataset, and what of its validation?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from discontinuation.classify.criteria import RELAPSE, WITHDRAWAL
from discontinuation.classify.excess_share import reported, reported_variants
from discontinuation.classify.model import LatentCauseFit
from discontinuation.classify.validation import validate
from discontinuation.problems import InvalidInput

FEWEST_LABELS = 10  # adjudicated events below which nothing is validated
NO_SHAPE = "a withdrawal component is not supported, so nothing tells its shape"


def model_tables(model: LatentCauseFit) -> dict[str, pd.DataFrame]:
    """Tables of a fitted model.

    Parameters
    ----------
    model
        From `fit`.

    Returns
    -------
    dict
        estimates, psi (as `reported` gives it), lower_bound, profiles, evidence (with what the
        model could learn from), tests, windows, sensitivity, warnings.
    """
    warnings = pd.DataFrame(
        [(caution.code, caution.message) for caution in model.warnings],
        columns=["code", "message"],
    )
    estimates = model.estimates
    symptom = estimates["parameter"].astype(str).str.startswith("symptom by ")
    profiles = estimates.loc[symptom, ["parameter", "item", "estimate", "lower", "upper"]]
    cause = profiles["parameter"].str.removeprefix("symptom by ")
    return {
        "estimates": estimates,
        "psi": reported(model.psi),
        "lower_bound": model.lower_bound,
        "profiles": profiles.drop(columns="parameter").assign(cause=cause),
        "evidence": _evidence(model),
        "tests": _tests(model),
        "windows": model.windows.windows,
        "sensitivity": reported_variants(model.sensitivity, model.supported),
        "warnings": warnings,
    }


def _evidence(model: LatentCauseFit) -> pd.DataFrame:
    """Evidence for a withdrawal component, and what there was to learn from."""
    data = model.task.observed
    anchored = data.arms.loc[data.arms["maintenance"], "study"].nunique()
    learned = {
        "studies": len(data.studies),
        "anchored_studies": int(anchored),
        "symptoms": bool(data.rated.any()),
        "reinstatement": bool(data.followed.any()),
    }
    return pd.DataFrame([{**vars(model.evidence), **learned}]).astype(object)


def _tests(model: LatentCauseFit) -> pd.DataFrame:
    """Tests of the fit to the windows of time, and of kappa = 1.

    Returns
    -------
    DataFrame
        test, statistic, df, p_value, p_above (one-sided, against kappa above 1), reason (why not).
    """
    check, kappa = model.windows, model.kappa_test
    refused = kappa.refused
    if refused is None and not model.supported:
        refused = NO_SHAPE
    shape = (kappa.likelihood_ratio, 1, kappa.p_value, kappa.p_above)
    rows = [
        (
            "events by arm and window of time",
            check.statistic,
            check.df,
            check.p_value,
            np.nan,
            None,
        ),
        ("kappa = 1", *(shape if refused is None else (np.nan,) * 4), refused),
    ]
    return pd.DataFrame(rows, columns=["test", "statistic", "df", "p_value", "p_above", "reason"])


def validation_tables(
    events: pd.DataFrame, refused: list[tuple[str, str]]
) -> dict[str, pd.DataFrame]:
    """Hold q against the raters' labels, where there are enough of both kinds.

    Parameters
    ----------
    events
        Deteriorations with q and adjudicated.
    refused
        Gets a line where nothing can be validated.

    Returns
    -------
    dict
        validation (measures), reliability, decisions (with sensitivity and specificity),
        decision_curve; empty where there are too few labels.
    """
    known = events.loc[events["adjudicated"].isin([WITHDRAWAL, RELAPSE]) & events["q"].notna()]
    if reason := _too_few(known["adjudicated"]):
        refused.append(("validation", reason))
        return {}
    try:
        found = validate(known["q"].to_numpy(dtype=float), known["adjudicated"] == WITHDRAWAL)
    except InvalidInput as invalid:
        refused += [("validation", problem.message) for problem in invalid.problems]
        return {}
    return {
        "validation": found.measures,
        "reliability": found.reliability,
        "decisions": found.decisions,
        "decision_curve": found.decision_curve,
    }


def _too_few(labels: pd.Series) -> str | None:
    """Why nothing can be validated with these labels, or None."""
    if len(labels) < FEWEST_LABELS:
        had = f"{len(labels)} events with a label of raters"
        return f"{had}, withdrawal or relapse; at least {FEWEST_LABELS} are needed"
    lacking = [cause for cause in (WITHDRAWAL, RELAPSE) if not (labels == cause).any()]
    if lacking:
        return (
            f"none of {len(labels)} events with a label of raters is labelled {lacking[0]}; "
            "both kinds are needed"
        )
    return None
