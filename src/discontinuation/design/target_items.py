"""Which items of the TARGET statement does an emulation answer, and which must its authors?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd

from discontinuation.design.strategies import Strategy, TargetTrial
from discontinuation.design.target_trial import Emulation
from discontinuation.problems import Problem, allowed_values, refuse

Section = Literal["abstract", "introduction", "methods", "results", "discussion", "other"]
SOURCE = (
    "TARGET 2025: Cashin AG et al., doi:10.1136/bmj-2025-087179, doi:10.1001/jama.2025.13350 (V: "
    "abstract). Numbers and topics of the items from a third-party transcription in other words "
    "that was checked against the published table (V2)."
)
TO_BE_WRITTEN = "to be written by the authors"


@dataclass(frozen=True)
class TargetItem:
    """One item of the checklist and its answer.

    Attributes
    ----------
    item
        Number; of a pair, that of the target trial (6) and of its emulation (7).
    section, topic
        Where it belongs and what it asks for.
    target_trial
        What the trial would do; blank where the item is not about the trial.
    emulation
        What was done with the data, or that the authors must say it.
    """

    item: str
    section: Section
    topic: str
    target_trial: str
    emulation: str


# Item, section and topic of what only the authors of a study can say.
_AUTHORS: tuple[tuple[str, Section, str], ...] = (
    ("1a", "abstract", "says that a target trial is emulated with observational data"),
    ("1b", "abstract", "data sources"),
    ("1c", "abstract", "assumptions, methods, findings and conclusions"),
    ("2", "introduction", "background and gap in knowledge"),
    ("3", "introduction", "causal question"),
    ("4", "introduction", "why a target trial is emulated with these data"),
    ("5", "methods", "data sources: purpose, type, place, setting, period"),
    ("15", "discussion", "interpretation in view of the causal question"),
    ("16", "discussion", "limitations and differences from the target trial"),
    ("17", "other", "ethics approval"),
    ("18", "other", "registration of the protocol"),
    ("19", "other", "access to data, code and materials"),
    ("20", "other", "funding and role of the funders"),
    ("21", "other", "conflicts of interest"),
)


def target_table(emulation: Emulation, written: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Fill in the checklist as far as the analysis can.

    Parameters
    ----------
    emulation
        What was done.
    written
        The authors' words by number of the item, for items that the analysis cannot answer.

    Returns
    -------
    DataFrame
        One row per item, in order: item, section, topic, target_trial, emulation.

    Raises
    ------
    InvalidInput
        Words for an item that there is not, or that the analysis answers itself.
    """
    words = dict(written or {})
    open_items = [item for item, _, _ in _AUTHORS]
    refuse(
        Problem("TARGET items", allowed_values(open_items, item), None, "item", item)
        for item in words
        if item not in open_items
    )
    authors = [
        TargetItem(item, section, topic, "", words.get(item, TO_BE_WRITTEN))
        for item, section, topic in _AUTHORS
    ]
    before = [one for one in authors if int(one.item.rstrip("abc")) <= 5]
    after = authors[len(before) :]
    items = [*before, *_methods(emulation), *_results(emulation), *after]
    return pd.DataFrame([asdict(one) for one in items])


def _methods(done: Emulation) -> list[TargetItem]:
    trial = done.trial
    named = "; ".join(f"{one.name}: {_in_words(one, trial)}" for one in trial.strategies)
    covariates = ", ".join(done.covariates) or "none"
    answers = {
        "a": (
            "eligibility",
            f"people on one dose for at least {trial.stable_days} days without the outcome",
            "people with a supply of one dose in hand just before time zero and for at least "
            f"{trial.stable_days} days without a gap of more than {trial.gap_weeks} weeks",
        ),
        "b": ("strategies", named, "dose in hand at the start of each week, from dispensings"),
        "c": (
            "assignment",
            "at random; people know their allocation",
            f"everybody is cloned to every strategy; taken as random given {covariates}",
        ),
        "d": (
            "follow-up",
            f"from allocation to the outcome, loss or {trial.weeks} weeks",
            "from time zero, the same for all clones, to the outcome, the end of the record, "
            f"deviation from the strategy, or {trial.weeks} weeks",
        ),
        "e": ("outcome", f"first {done.definition!r}", "first record of it after time zero"),
        "f": (
            "contrasts",
            "per-protocol risk difference, risk ratio and restricted mean time of every pair",
            "the same, under the strategies followed throughout",
        ),
        "g": (
            "assumptions",
            "loss to follow-up without regard to the outcome",
            "no other reason than the covariates, as known week by week, for which people who "
            "fare differently go on differently; somebody alike follows each strategy "
            "(positivity); dispensed is taken; loss from the registry is as in the target trial",
        ),
        "h": (
            "analysis",
            "Kaplan-Meier of those who follow their strategy, weighted for deviations",
            "cloning, artificial censoring, weights from pooled logistic regressions by state, "
            f"{done.resampling.in_words()}; unweighted results beside them",
        ),
    }  # fmt: skip
    return [
        TargetItem(f"6{letter}, 7{letter}", "methods", topic, planned, emulated)
        for letter, (topic, planned, emulated) in answers.items()
    ]


def _results(done: Emulation) -> list[TargetItem]:
    flow = "; ".join(f"{step}: {people}" for step, people in done.flow.to_numpy())
    followed = "; ".join(
        f"{row['strategy']}: {row['compatible']} beyond the grace period, "
        f"{row['to_end']} to the end"
        for row in done.risks.to_dict("records")
    )
    events = "; ".join(
        f"{row['strategy']}: {row['events']}" for row in done.risks.to_dict("records")
    )
    effects = "; ".join(_effect(row) for row in done.contrasts.to_dict("records"))
    largest = done.balance["after"].abs().max() if len(done.balance) else 0.0
    answers = {
        "8": ("selection of people", flow),
        "9": ("baseline", f"largest difference after weighting {largest:.2f} SD, see `balance`"),
        "10": ("follow-up", followed),
        "11": ("missing data", "none: blanks in a covariate at time zero are refused"),
        "12": ("outcomes among those who follow", events),
        "13": ("effects", effects),
        "14": ("further analyses", "; ".join(done.notes) or "see `unweighted`, `e_value`, `naive`"),
    }
    return [TargetItem(item, "results", topic, "", text) for item, (topic, text) in answers.items()]


def _in_words(strategy: Strategy, trial: TargetTrial) -> str:
    if strategy.kind == "continue":
        return f"the full dose throughout, gaps of up to {trial.gap_weeks} weeks allowed"
    begin = f"begun in weeks 0 to {trial.grace_weeks}"
    if strategy.kind == "stop":
        return f"from the full dose to none within 7 days, {begin}"
    return f"a taper over at least {len(strategy.lowest)} weeks, {begin}"


def _effect(row: Mapping[Hashable, Any]) -> str:
    return (
        f"{row['strategy']} against {row['reference']}, {row['measure']}: {row['estimate']:.3g} "
        f"({row['lower']:.3g} to {row['upper']:.3g})"
    )
