"""Sentences made from results; what is said of one direction is said alike of the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from discontinuation.report.numbers import (
    Writer,
    count,
    interval,
    is_number,
    of_a_hundred,
    percent,
    plain,
    probability,
    ratio,
    signed,
    whole_percent,
    written,
)

Record = Mapping[str, Any]

MEASURES = {
    "risk_ratio": "risk ratio",
    "odds_ratio": "odds ratio",
    "hazard_ratio": "hazard ratio, as published",
    "risk_difference": "risk difference",
    "ratio_of_times": "ratio of times",
    "restricted_mean_difference": "difference of restricted means, weeks",
    "mean_difference": "mean difference",
    "standardised_mean_difference": "standardised mean difference (Hedges)",
}
STRATEGIES = {
    "maintain": "continued",
    "abrupt": "abrupt",
    "taper": "taper",
    "unspecified": "not stated",
    "any": "several ways together",
}
TAGS = {
    "V": "read in the primary abstract, full text, guideline or registry",
    "V2": "read only in a secondary page or a transcription",
    "D": "derived by arithmetic from published numbers",
    "UM": "general knowledge, not found in a text",
    "P": "a proposal of this project, without published authority",
}
DOUBTFUL_TAGS = ("UM", "P")
DIRECTIONS = {
    "withdrawal": "Early deterioration is largely withdrawal",
    "relapse": "Early deterioration is largely the illness returning",
    "neither": "Limits both readings",
}
# Each phrase and its mirror image; a test swaps the arms and expects one for the other.
MIRROR = {
    "more": "fewer",
    "above": "below",
    "early excess": "early shortfall",
    "higher": "lower",
    "later": "sooner",
}
FIXED_STATEMENTS = (
    "This is a research tool.",
    "Nothing here advises anyone to stop or to reduce a drug.",
    "Stopping abruptly can be dangerous.",
)
CAUSE = "cause not identified"


def many(number: float, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun."""
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"


def joined(parts: Sequence[str]) -> str:
    """Join parts as a sentence does."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def level(confidence: float) -> str:
    """Name an interval by its level."""
    return f"{100 * confidence:g} % interval"


def direction(value: float, null: float, above: str) -> str:
    """Choose a word by the side of the null on which a number lies, or its mirror image."""
    mirrored = MIRROR | {below: word for word, below in MIRROR.items()}
    return above if value > null else mirrored[above]


def null_in_interval(lower: Any, upper: Any, null: float) -> str:
    """Say whether an interval includes no difference."""
    if not (is_number(lower) and is_number(upper)):
        return ""
    inside = float(lower) <= null <= float(upper)
    return (
        "the interval includes no difference" if inside else "the interval excludes no difference"
    )


def ratio_headline(row: Record, confidence: float) -> str:
    """Say how often relapse was counted after stopping, relative to continuing."""
    if not is_number(row["estimate"]):
        return f"{_unpooled(row)} No ratio over all trials can be given."
    limits = interval(row["lower"], row["upper"], ratio)
    return (
        f"Relapse, as the trials counted it, was {ratio(row['estimate'])} times as frequent after "
        f"stopping as after continuing ({level(confidence)} {limits}; "
        f"{null_in_interval(row['lower'], row['upper'], 1)}). {prediction(row, ratio)}"
    )


def difference_headline(row: Record, confidence: float) -> str:
    """Say how many more, or fewer, of a hundred people relapsed after stopping."""
    if not is_number(row["estimate"]):
        return f"{_unpooled(row)} No difference over all trials can be given."
    people = plain(round(abs(100 * float(row["estimate"])), 1))
    limits = interval(row["lower"], row["upper"], of_a_hundred)
    return (
        f"Of 100 people, {people} {direction(row['estimate'], 0, 'more')} were counted as relapsed "
        f"after stopping than after continuing ({level(confidence)} {limits}; "
        f"{null_in_interval(row['lower'], row['upper'], 0)}). {prediction(row, of_a_hundred)}"
    )


def prediction(row: Record, writer: Writer) -> str:
    """Say where a new trial would be expected."""
    lower, upper = row["prediction_lower"], row["prediction_upper"]
    if not (is_number(lower) and is_number(upper)):
        return "There are too few trials for a prediction interval."
    return f"A new trial would be expected between {writer(lower)} and {writer(upper)}."


def _unpooled(row: Record) -> str:
    trials = int(row["trials"])
    return "One trial is not pooled." if trials == 1 else "There is no trial to pool."


def stopping_stated(row: Record) -> str:
    """Say how many trials of a pool do not say how the drug was stopped."""
    trials = int(row["trials"])
    unknown = int(row["trials_unspecified"])
    several = int(row["trials_several"])
    parts = [
        f"{count(row['trials_abrupt'])} abruptly",
        f"{count(row['trials_taper'])} by a taper",
        *([f"{count(several)} in several ways"] if several else []),
    ]
    return (
        f"In {count(unknown)} of these {many(trials, 'trial')} the text that was read does not say "
        f"how the drug was stopped; it was stopped {joined(parts)}."
    )


def arms_stated(stopped: int, unspecified: int) -> str:
    """Say how many stopped arms do not say how."""
    share = whole_percent(unspecified / stopped) if stopped else "–"
    return (
        f"Of {many(stopped, 'arm')} in which the drug was stopped, {count(unspecified)} ({share}) "
        "do not say how."
    )


def answer_summary(none: int, questions: int) -> str:
    """Say how many questions no trial can answer."""
    if questions == 0:
        return "No question could be asked: there is no evidence."
    if none == 0:
        return f"Each of {many(questions, 'question')} can be answered by at least one trial."
    verb = "cannot be answered by any trial"
    return f"Of {many(questions, 'question')}, {count(none)} {verb}."


def answered(answering: int, asked: int) -> str:
    """Give the verdict on one question."""
    if asked == 0:
        return "cannot be answered: no trial could be asked"
    if answering == 0:
        return f"cannot be answered: in none of {many(asked, 'trial')}"
    return f"in {count(answering)} of {many(asked, 'trial')}"


def early_counts(above: int, below: int, either: int, unknown: int) -> str:
    """Sum up the early points inside the window, both directions in the same words."""
    total = above + below + either + unknown
    if total == 0:
        return (
            "No trial has an early point inside the withdrawal window, so nothing can be said here "
            "about withdrawal in either direction."
        )
    clauses = [
        f"{count(above)} {_lies(above)} above the benchmark (early excess, {CAUSE})",
        f"{count(below)} {_lies(below)} below the benchmark (early shortfall, {CAUSE})",
        f"{count(either)} {_is(either)} compatible with more and with less",
        f"for {count(unknown)} no interval can be given",
    ]
    return f"Of {many(total, 'early point')} inside the withdrawal window, {joined(clauses)}."


def _lies(number: int) -> str:
    return "lies" if number == 1 else "lie"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def outside_counts(outside: int) -> str:
    """Say how many early points cannot bear on withdrawal."""
    return (
        f"{many(outside, 'further early point').capitalize()} {_lies(outside)} past the window or "
        f"{'has' if outside == 1 else 'have'} none, and {_is(outside)} not informative about "
        "withdrawal."
    )


def pace_answer(answering: int, asked: int) -> str:
    """Say how many trials could compare paces."""
    if asked == 0:
        return "No trial in these data randomised the pace of stopping."
    randomised = f"{many(asked, 'trial')} randomised the pace of stopping"
    if answering == 0:
        return f"{randomised}; none of them counted relapse: cannot be answered."
    return f"{randomised}; {count(answering)} of them counted relapse."


def pace_pool(row: Record, confidence: float) -> str:
    """Say what trials of pace show together, or that one trial is not pooled."""
    kind = str(row["allocation"])
    if not is_number(row["estimate"]):
        return f"{_unpooled(row)} ({kind}; {MEASURES[str(row['measure'])]})"
    limits = interval(row["lower"], row["upper"], ratio)
    first, second = str(row["contrast"]).split(" vs ")
    return (
        f"Relapse was {ratio(row['estimate'])} times as frequent after {_pace(first)} as after "
        f"{_pace(second)} ({level(confidence)} {limits}; {many(int(row['trials']), 'trial')}, "
        f"{kind})."
    )


def _pace(name: str) -> str:
    return {
        "abrupt": "abrupt stopping",
        "taper": "tapering",
        "faster": "a faster taper",
        "slower taper": "a slower taper",
    }.get(name, name)


def left_out_range(lowest: float, highest: float, trials: int) -> str:
    """Say how far the estimate moves when one trial is left out."""
    return (
        f"Leaving out each of the {count(trials)} trials in turn, the risk ratio lies between "
        f"{ratio(lowest)} and {ratio(highest)}."
    )


def small_study(row: Record) -> str:
    """Say what the tests for small-study effects found."""
    if not is_number(row.get("egger_p")):
        return f"Small-study effects: {row['note']}."
    filled = many(int(row["trials_filled"]), "trial")
    p = probability(float(row["egger_p"]))
    return (
        f"Egger's test for small-study effects: t = {signed(row['egger_t'])} on "
        f"{count(row['egger_df'])} degrees of freedom, P {p if p.startswith('<') else '= ' + p}. "
        f"Trim and fill adds {filled}, which gives {written(row['filled_estimate'], ratio)} "
        f"({interval(row['filled_lower'], row['filled_upper'], ratio)})."
    )


def agreement(row: Record) -> str:
    """Say how far two readings agree."""
    pair = READING_PAIRS.get(str(row["reading_pair"]), str(row["reading_pair"]))
    if not int(row["compared"]):
        return f"{pair}: no field was read twice."
    limits = interval(row["lower"], row["upper"], percent)
    return (
        f"{pair}: {count(row['agree'])} of {count(row['compared'])} fields that both readings hold "
        f"agree ({percent(row['proportion'])}, 95 % interval {limits})."
    )


READING_PAIRS = {
    "second_reading": "Second reading (against the sources, not blind)",
    "separate_extraction": "Separate extraction (another reader, without sight of the first)",
}
METHODS = {
    "REML": "restricted maximum likelihood (REML)",
    "PM": "the Paule-Mandel estimator",
    "DL": "the DerSimonian-Laird estimator",
}
PREDICTIONS = {
    "t_k-1": "a t distribution with k − 1 degrees of freedom",
    "t_k-2": "a t distribution with k − 2 degrees of freedom",
    "z": "a normal distribution",
}
ZERO_CELLS = {
    "add_half_if_zero": "one half was added to all four cells of a table with an empty cell",
    "add_half_always": "one half was added to all four cells of every table",
    "none": "nothing was added to a table with an empty cell",
}


def methods(settings: Mapping[str, Any]) -> list[str]:
    """Describe the methods in the words of the settings that were used."""
    pooling = settings["pooling"]
    return [_pooling_methods(pooling, settings), _early_methods(settings)]


def _pooling_methods(pooling: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    hartung = "Hartung-Knapp intervals"
    if pooling["truncate"]:
        hartung += ", never narrower than without their factor"
    if not pooling["knapp_hartung"]:
        hartung = "normal intervals"
    bands = [plain(float(days)) for days in settings["taper_bands_days"]]
    return (
        "Effects of each trial were computed from counts, or from proportions with their "
        f"published intervals; {ZERO_CELLS[settings['zero_cells']]}. They were pooled with the "
        f"between-trial variance estimated by {METHODS[pooling['method']]} and {hartung}; "
        f"prediction intervals, from three trials on, use {PREDICTIONS[pooling['prediction']]}. "
        f"All intervals are {100 * settings['confidence']:g} % intervals. One row per independent "
        "cohort enters a pool. Randomised and other trials are never in one number, nor are "
        f"relapse and withdrawal, and one trial is not pooled. Taper lengths are banded at "
        f"{joined(bands)} days. A hazard ratio is only ever one that was published as such or "
        "follows from a published log-rank test; a risk ratio is never called one."
    )


def _early_methods(settings: Mapping[str, Any]) -> str:
    factors = [plain(float(factor)) for factor in settings["window_factors"]]
    others = f" (and, for comparison, by {joined(factors[1:])})" if factors[1:] else ""
    return (
        "The early share is the part of the difference at the last time point that is already "
        "there at an early one. Beside it stands the share that proportional hazards alone would "
        "give, without any withdrawal (the hazard ratio from the time after the early point where "
        "there are three or more times, from the whole follow-up where there are two), and the "
        "share if the difference grew in a straight line. The excess is the observed minus the "
        f"first of these; its interval rests on {count(settings['bootstrap_replicates'])} "
        "simulated trials. A time is inside the withdrawal window when it is no later than the end "
        f"of the taper plus the acute window of the drug times {factors[0]}{others}. These data "
        "are counts at fixed times: they show how much is early, not why."
    )
