"""What can be said about one trial: how the drug left, what is early, what would overturn it?

From a figure or a few counts to an audit card. The cause of what is early is never named: on the
tiers that a publication reaches (3 to 5) it is not identified.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.audit.decision import NO_INFORMATION
from discontinuation.audit.removal import answer_published_arm, facts_of_pace
from discontinuation.audit.study import ARMS, Study, StudyArm
from discontinuation.audit.tools import domain_w
from discontinuation.audit.withdrawal import (
    ExcessFacts,
    answer_excess,
    answer_pace,
    judge_withdrawal,
    read_either_way,
)
from discontinuation.bias.closed_form import differential_error_bounds
from discontinuation.bias.depletion import Depletion, frailty_adjusted_excess
from discontinuation.bias.early_share import (
    Interval,
    binomial_covariance,
    excess_share,
    expected_share,
    gap_share,
    late_hazard_ratio,
    overall_hazard_ratio,
)
from discontinuation.bias.early_share_curves import EarlyShare, early_share
from discontinuation.bias.late_anchored import (
    EarlyExcess,
    OverReconstructions,
    late_anchored_excess,
    over_reconstructions,
)
from discontinuation.bias.tiers import tier
from discontinuation.bias.tipping import TippingPoints, tipping_points
from discontinuation.bias.verdict_words import early_verdict
from discontinuation.bias.windows_effects import WindowEffects, window_effects
from discontinuation.exposure.drugs import Drug, Drugs
from discontinuation.exposure.pace import Pace, pace_of
from discontinuation.exposure.parameters import Parameters, parameters_of
from discontinuation.exposure.published_pace import plausible_pace
from discontinuation.exposure.strategy import label_pace, read_strategies
from discontinuation.problems import InvalidInput, Problem, refuse
from discontinuation.seeds import random_stream
from discontinuation.synthesis.curve_quality import judge_contrast
from discontinuation.synthesis.reconstruct import RepeatedReconstruction, reconstruct_repeatedly

TAU_DAYS = 14.0  # median of its prior (P)
UNKNOWN = "not stated in what was read"


@dataclass(frozen=True)
class Removal:
    """How fast the drug left the stopped arm.

    Attributes
    ----------
    known
        "steps", "length" or "nothing": what is stated of the taper.
    taper_days
        Length in days, if stated.
    labels
        By doses and at the receptor; of a length alone every label it allows.
    quantities
        quantity, lowest, highest: the same where the steps are known.
    answer, reason
        Of W1.
    doubtful
        Numbers of the drug that rest on memory (UM) or a proposal (P).
    """

    known: str
    taper_days: float | None
    labels: Mapping[str, str]
    quantities: pd.DataFrame
    answer: str
    reason: str
    doubtful: str


@dataclass(frozen=True, eq=False)
class AuditCard:
    """Everything an audit card shows.

    Attributes
    ----------
    study
        What was read.
    tier
        Evidence tier, 3 to 5.
    removal
        How fast the drug left.
    early, end
        End of the withdrawal window and of the comparison, days since randomisation; the early
        point is the last time with counts within the window on tier 4.
    window_rule
        Where the window's end comes from.
    measures
        measure, estimate, lower, upper, method: what is early, beside what no withdrawal at all
        would give.
    verdict
        Of the early excess, in words; the cause is never named.
    tipping
        Sentences on what would overturn the conclusion, in both directions.
    quality
        arm, check, verdict, sentence of each reconstruction.
    answers
        question, answer, reason, source, computed: W1 to W8.
    judgement, either_way
        Of domain W, and with every open answer read as yes and as no.
    would_change
        What would change the judgement.
    notes
        What could not be computed, and why.
    people
        time, event and arm of the reconstructed people; empty on other tiers.
    """

    study: Study
    tier: int
    removal: Removal
    early: float
    end: float
    window_rule: str
    measures: pd.DataFrame
    verdict: str
    tipping: tuple[str, ...]
    quality: pd.DataFrame
    answers: pd.DataFrame
    judgement: str
    either_way: tuple[str, str]
    would_change: tuple[str, ...]
    notes: tuple[str, ...]
    people: pd.DataFrame

    @property
    def claim(self) -> str:
        """What may be claimed at most on this tier."""
        return tier(self.tier).claim


@dataclass(eq=False)
class _Found:
    """What is collected about the early excess."""

    measures: list[tuple[str, Interval, str]] = field(default_factory=list)
    verdict: str = "cannot be judged"
    excess: Interval = field(default_factory=lambda: Interval(math.nan, math.nan, math.nan))
    tipping: list[str] = field(default_factory=list)
    quality: list[pd.DataFrame] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    people: list[pd.DataFrame] = field(default_factory=list)


def audit_card(study: Study, drugs: Drugs, seed: int = 0) -> AuditCard:
    """Audit one trial.

    Parameters
    ----------
    study
        From `read_study`.
    drugs
        From `read_drugs`.
    seed
        Of click noise, bootstrap and permutations.

    Returns
    -------
    AuditCard

    Raises
    ------
    InvalidInput
        Curves that no people can be reconstructed from; a window past the end of follow-up; an
        occupancy curve that does not exist.
    """
    reference = _find(drugs, study)
    drug = parameters_of(reference, study.content["curve"])
    removal = _removal(study, drug, drugs)
    window, rule = _window(study, removal, drug)
    found = _Found()
    if reference is None:
        found.notes.append(f"{study.content['drug']} is not in the reference tables: no occupancy")
    level, early, end = study.tier, window, _end(study)
    if window >= end:
        found.notes.append(
            f"the withdrawal window (to day {window:g}) reaches past the end of follow-up (day "
            f"{end:g}), so nothing after it can be compared"
        )
    elif level == 3:
        level = _from_curves(study, early, end, seed, found)
    if level == 4 and window < end:
        early = _from_counts(study, window, end, seed, found)
    if level == 5 or study.shared_counts.shape[0]:
        _from_endpoint(study, found)
    answers = _answers(study, removal, found.excess)
    given = dict(zip(answers["question"], answers["answer"], strict=True))
    judgement = judge_withdrawal(given)
    rows = [(name, *_cells(interval), method) for name, interval, method in found.measures]
    columns = ["measure", "estimate", "lower", "upper", "method"]
    return AuditCard(
        study=study,
        tier=level,
        removal=removal,
        early=early,
        end=end,
        window_rule=rule,
        measures=pd.DataFrame(rows, columns=columns),
        verdict=found.verdict,
        tipping=tuple(found.tipping),
        quality=pd.concat(found.quality, ignore_index=True) if found.quality else pd.DataFrame(),
        answers=answers,
        judgement=judgement,
        either_way=read_either_way(given),
        would_change=tuple(_would_change(given, judgement, level)),
        notes=tuple(found.notes),
        people=pd.concat(found.people, ignore_index=True) if found.people else pd.DataFrame(),
    )


def _cells(interval: Interval) -> tuple[float, float, float]:
    return interval.estimate, interval.lower, interval.upper


def _find(drugs: Drugs, study: Study) -> Drug | None:
    try:
        return drugs.find(study.content["drug"], study.file)
    except InvalidInput:
        return None


def _removal(study: Study, drug: Parameters, drugs: Drugs) -> Removal:
    steps, days = study.content["taper"], study.content["taper_days"]
    strategies = read_strategies()
    if steps:
        pace = pace_of(_doses(study), drug, gaps="carried", stable_days=0)
        labels = label_pace(pace.table, strategies).iloc[0]
        return _known_steps(pace, labels, drug)
    start = study.content["starting_dose"]
    if days == 0 and start is not None:
        stop = [{"day": 0.0, "dose": 0.0}]
        return _removal(_with_steps(study, stop), drug, drugs)
    arm: dict[Hashable, Any] = {
        "study": study.content["study"], "arm": "stopped",
        "strategy": "unspecified" if days is None else "abrupt" if days == 0 else "taper",
        "taper_days": np.nan if days is None else days, "taper_days_lower": np.nan,
        "taper_days_upper": np.nan, "formulation": drug.formulation, "note": "",
    }  # fmt: skip
    names = pd.DataFrame({"study": [study.content["study"]], "drug": [drug.name]})
    published = plausible_pace(pd.DataFrame([arm]), names, drugs, strategies)
    answered = answer_published_arm(arm, published.schedules, drug.half_life_days)
    told = {} if published.labels.empty else published.labels.iloc[0].to_dict()
    return Removal(
        "nothing" if days is None else "length",
        days,
        {name: str(told.get(name, UNKNOWN)) for name in ("in_milligrams", "at_receptor")},
        _ranges(published.ranges),
        answered.answer,
        answered.reason,
        drug.doubtful,
    )


def _with_steps(study: Study, steps: list[dict[str, float]]) -> Study:
    return replace(study, content={**study.content, "taper": steps, "taper_days": None})


def _doses(study: Study) -> pd.DataFrame:
    """Doses of the stopped arm from long before to long after the taper."""
    steps = study.content["taper"]
    start = [-365.0, *(float(step["day"]) for step in steps)]
    dose = [float(study.content["starting_dose"]), *(float(step["dose"]) for step in steps)]
    stop = [*start[1:], start[-1] + 365.0]
    return pd.DataFrame({"person": "stopped", "start": start, "stop": stop, "dose": dose})


def _known_steps(pace: Pace, labels: pd.Series, drug: Parameters) -> Removal:
    row = pace.table.iloc[0]
    answer = answer_pace(facts_of_pace(pace.table))
    told = [
        f"{row['fall_90_10_days']:.0f} days from 90 to 10 % of the occupancy",
        f"largest step {100 * row['largest_step_occupancy']:.0f} points",
        f"last step from {100 * row['final_drop_occupancy']:.0f} %",
    ]
    lacking = row["occupancy_refused"] or row["fall_refused"]
    quantities = pd.DataFrame(
        [
            (name, float(row[name]), float(row[name]))
            for name in ("days_to_zero", "fall_90_10_days", "drop_7_days", "final_drop_occupancy")
        ],
        columns=["quantity", "lowest", "highest"],
    )
    return Removal(
        "steps",
        float(row["zero_day"]),
        {name: str(labels[name] or UNKNOWN) for name in ("in_milligrams", "at_receptor")},
        quantities,
        answer,
        str(lacking) if lacking else "; ".join(told),
        drug.doubtful,
    )


def _ranges(ranges: pd.DataFrame) -> pd.DataFrame:
    columns = ["quantity", "lowest", "highest"]
    if ranges.empty:
        return pd.DataFrame(columns=columns)
    shown = ["days_to_zero", "fall_90_10_days", "drop_7_days", "final_drop_occupancy"]
    return ranges.loc[ranges["quantity"].isin(shown), columns].reset_index(drop=True)


def _window(study: Study, removal: Removal, drug: Parameters) -> tuple[float, str]:
    """End of the withdrawal window since randomisation, days (methods C)."""
    stated = study.content["window_days"]
    if stated is not None:
        return float(stated), "as the study file says"
    half_life = drug.half_life_days or 0.0
    end = (removal.taper_days or 0.0) + math.ceil(5 * half_life + 3 * TAU_DAYS)
    parts = [
        f"taper of {removal.taper_days:g} days" if removal.taper_days is not None
        else "taper of unknown length, taken as none",
        f"5 half-lives of {half_life:.3g} days" if half_life else "half-life not known",
        "3 adaptation times of 14 days (P)",
    ]  # fmt: skip
    return float(end), " + ".join(parts)


def _end(study: Study) -> float:
    """End of the comparison: as far as both arms reach."""
    reached = []
    for name in ARMS:
        arm = study.arms[name]
        times = [frame["time"].max() for frame in (arm.clicks, arm.counts) if frame is not None]
        if arm.clicks is not None and arm.at_risk is not None:
            times = [max(float(arm.clicks["time"].max()), float(arm.at_risk["time"].max()))]
        reached.append(float(max(times)))
    horizon = study.content["horizon"]
    if horizon is None:
        return min(reached)
    from discontinuation.audit.study import DAYS

    asked = float(horizon) * DAYS[study.content["unit"]]
    if asked > min(reached):
        rule = f"past the end of follow-up, day {min(reached):g}"
        refuse([Problem(study.file, rule, None, "horizon", f"{horizon:g}")])
    return asked


def _from_curves(study: Study, early: float, end: float, seed: int, found: _Found) -> int:
    """Tier 3: reconstruct both arms, and look at them as if they were people; else tier 4."""
    arms = {name: _repeated(study.arms[name], early, seed) for name in ARMS}
    for name, arm in arms.items():
        found.quality.append(arm.as_read.quality.summary.assign(arm=name))
    if any(arm.as_read.quality.verdict == "reject" for arm in arms.values()):
        found.notes.append("a reconstruction was rejected: its people are not analysed")
        return 4 if len(study.shared_counts) > 1 else 5
    people = {name: arm.as_read.people for name, arm in arms.items()}
    found.people += [frame.assign(arm=name) for name, frame in people.items()]
    pair = (people["continued"], people["stopped"])
    contrast = judge_contrast(*pair, study.content["hazard_ratio"], study.content["p_value"])
    found.quality.append(contrast.summary.assign(arm="both arms"))
    if contrast.verdict == "reject":
        found.notes.append("the reconstructed contrast is far from the published one: see below")
    random = random_stream(seed, "audit card", str(study.content["study"]))
    parts: tuple[Callable[[], None], ...] = (
        lambda: _shares(early_share(*pair, early, end, random), found),
        lambda: _windows(window_effects(*pair, [early], end), found),
        lambda: _excess(
            late_anchored_excess(*pair, early, end),
            over_reconstructions(
                zip(*([run.people for run in arms[name].runs] for name in ARMS), strict=True),
                early, end,
            ),
            study.content["margin"], found,
        ),
        lambda: _depletion(frailty_adjusted_excess(*pair, early, end), found),
        lambda: _tipping(tipping_points(*pair, early, end, random), found),
    )  # fmt: skip
    for part in parts:
        try:
            part()
        except InvalidInput as refused:
            found.notes += [problem.message for problem in refused.problems]
    return 3


def _repeated(arm: StudyArm, early: float, seed: int) -> RepeatedReconstruction:
    assert arm.clicks is not None
    last = float(arm.clicks["time"].max())
    window = early if early < last else None
    return reconstruct_repeatedly(arm.clicks, arm.at_risk, arm.events, seed=seed, window=window)


def _shares(share: EarlyShare, found: _Found) -> None:
    method = "people reconstructed from the curves"
    found.measures += [
        ("early share of the difference at the end", share.share, f"{method}; Fieller"),
        (
            "expected with no withdrawal, hazard ratio of the late part",
            _point(share.expected_late),
            "proportional hazards",
        ),
        (
            "expected with no withdrawal, hazard ratio of the whole",
            _point(share.expected_overall),
            "proportional hazards",
        ),
        ("excess of the early share", share.excess_late, f"{method}; bootstrap over people"),
    ]
    found.notes += share.notes


def _point(value: float) -> Interval:
    return Interval(value, math.nan, math.nan)


def _windows(effects: WindowEffects, found: _Found) -> None:
    table = effects.hazard_ratios
    words = ("hazard ratio within the window", "hazard ratio after the window")
    for name, row in zip(words, table.to_dict("records"), strict=True):
        interval = Interval(row["estimate"], row["lower"], row["upper"])
        found.measures.append((name, interval, "Cox, piecewise"))
    found.measures.append(
        ("hazard ratio within over after the window", effects.early_to_late, "Wald")
    )
    first = effects.mean_time.iloc[0]
    days = Interval(first["estimate"], first["lower"], first["upper"])
    found.measures.append(("days without the event lost within the window", days, "RMST"))


def _excess(single: EarlyExcess, over: OverReconstructions, margin: float, found: _Found) -> None:
    note = f"Nelson-Aalen, late-anchored; {over.reconstructions} reconstructions with click noise"
    found.measures += [
        ("early excess of the cumulative hazard", over.excess, note),
        ("early excess as a share of the whole excess", over.share, note),
        ("late hazard ratio", single.theta, "Cox, after the window"),
    ]
    found.verdict = over.verdict(margin)
    found.excess = over.share


def _depletion(depletion: Depletion, found: _Found) -> None:
    found.tipping.append(depletion.sentence)


def _tipping(points: TippingPoints, found: _Found) -> None:
    found.tipping += [point.sentence for point in points.points]


def _from_counts(study: Study, window: float, end: float, seed: int, found: _Found) -> float:
    """Tier 4: event-free shares at the last time within the window and at the end."""
    table = study.shared_counts
    inside = table.loc[(table["time"] <= window) & (table["time"] < end), "time"]
    if inside.empty:
        found.notes.append(
            f"no counts of both arms lie within the withdrawal window (to day {window:g}), so "
            "nothing early can be judged"
        )
        return window
    early = float(inside.max())
    rows = table.set_index("time").loc[[early, float(table["time"].max())]]
    arms = []
    for name in ARMS:
        free = (1 - rows[f"events_{name}"] / rows[f"people_{name}"]).to_numpy(dtype=float)
        arms.append((free, binomial_covariance(free, float(rows[f"people_{name}"].min()))))
    late = len(table) > 2
    theta = (late_hazard_ratio if late else overall_hazard_ratio)(arms[0][0], arms[1][0])
    random = random_stream(seed, "audit card counts", str(study.content["study"]))
    continued, stopped = arms
    excess = excess_share(continued, stopped, late, random)
    method = "counts; binomial"
    found.measures += [
        (
            "early share of the difference at the end",
            gap_share(continued, stopped),
            f"{method}, Fieller",
        ),
        (
            "expected with no withdrawal",
            _point(float(expected_share(continued[0], theta))),
            f"proportional hazards, hazard ratio of the {'late part' if late else 'whole'}",
        ),
        ("excess of the early share", excess, f"{method}, simulated trials"),
    ]
    limits = (excess.lower, excess.upper)
    if continued[0][1] < stopped[0][1]:  # more events in the continued arm: the other way round
        limits = (-excess.upper, -excess.lower)
    found.verdict = early_verdict(*limits, study.content["margin"])
    found.excess = excess
    return early


def _from_endpoint(study: Study, found: _Found) -> None:
    """Risk ratio at the last shared count, and what differential error would explain it."""
    table = study.shared_counts
    if table.empty:
        found.notes.append("no counts of both arms at one time, so no risk ratio")
        return
    last = table.iloc[-1]
    events = [float(last[f"events_{name}"]) for name in reversed(ARMS)]
    people = [float(last[f"people_{name}"]) for name in reversed(ARMS)]
    if min(events) == 0:
        found.notes.append("an arm without events has no risk ratio")
        return
    ratio = (events[0] / people[0]) / (events[1] / people[1])
    se = math.sqrt(sum(1 / e - 1 / n for e, n in zip(events, people, strict=True)))
    width = 1.959963984540054 * se
    limits = (ratio * math.exp(-width), ratio * math.exp(width))
    found.measures.append(
        ("risk ratio, stopped over continued", Interval(ratio, *limits), "counts; log scale")
    )
    found.tipping.append(differential_error_bounds(ratio, *limits).sentence)


def _answers(study: Study, removal: Removal, excess: Interval) -> pd.DataFrame:
    margin = study.content["margin"]
    computed = {
        "W1": (removal.answer, removal.reason),
        "W8": (
            answer_excess(ExcessFacts(excess.lower, excess.upper), margin),
            "no interval of the early excess"
            if math.isnan(excess.lower)
            else f"excess share {excess.lower:.2f} to {excess.upper:.2f}, margin {margin:g}",
        ),
    }
    rows = []
    for question in domain_w().questions:
        number = question.number
        given = study.content["answers"].get(number)
        if number in computed:
            answer, reason = computed[number]
            rows.append((number, question.prompt, answer, reason, "computed", True))
        elif given is None:
            rows.append((number, question.prompt, NO_INFORMATION, "not answered", "", False))
        else:
            cells = (given["answer"], given["reason"], given.get("source", ""))
            rows.append((number, question.prompt, *cells, False))
    columns = ["question", "prompt", "answer", "reason", "source", "computed"]
    return pd.DataFrame(rows, columns=columns)


def _would_change(given: Mapping[str, str], judgement: str, level: int) -> Iterator[str]:
    """Which single answers would change the judgement, and which data would tell more."""
    for number, answer in given.items():
        for other in ("Y", "N"):
            if answer == NO_INFORMATION:
                then = judge_withdrawal({**given, number: other})
                if then != judgement:
                    word = "yes" if other == "Y" else "no"
                    yield f"{number} answered {word}: {then}."
    wanted: dict[int, str] = {
        5: "Counts of both arms at a time within the withdrawal window (tier 4).",
        4: "The curve with its risk table, digitised (tier 3).",
        3: "Individual data with symptoms and dose dates (tier 1): only they tell causes apart.",
    }
    yield wanted[level]


def card_as_data(card: AuditCard) -> dict[str, Any]:
    """Every number and sentence of a card, for JSON; missing numbers are None."""

    def plain(value: Any) -> Any:
        if isinstance(value, float | np.floating):
            return None if not math.isfinite(value) else float(value)
        return value.item() if isinstance(value, np.generic) else value

    def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
        return [{str(k): plain(v) for k, v in row.items()} for row in table.to_dict("records")]

    return {
        "study": card.study.content["study"],
        "title": card.study.content["title"],
        "tier": card.tier,
        "claim": card.claim,
        "removal": {
            "known": card.removal.known,
            "taper_days": card.removal.taper_days,
            **card.removal.labels,
            "quantities": rows(card.removal.quantities),
            "doubtful": card.removal.doubtful,
        },
        "window_end_day": card.early,
        "window_rule": card.window_rule,
        "end_day": card.end,
        "measures": rows(card.measures),
        "verdict": card.verdict,
        "tipping": list(card.tipping),
        "reconstruction": rows(card.quality),
        "answers": rows(card.answers),
        "domain_w": card.judgement,
        "domain_w_if_open_answers_were_yes": card.either_way[0],
        "domain_w_if_open_answers_were_no": card.either_way[1],
        "would_change": list(card.would_change),
        "notes": list(card.notes),
    }
