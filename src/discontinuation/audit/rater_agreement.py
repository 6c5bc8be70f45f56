"""How well do two readers agree, beyond what chance would give?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.audit.agreement import cohens_kappa
from discontinuation.audit.answers import Audit
from discontinuation.audit.decision import LEVEL, NO_INFORMATION, NOT_ASKED
from discontinuation.audit.judgements import W
from discontinuation.audit.tools import ROBINS_I, domain_w, rob2, robins_i

LEVELS = ("Y", "N", NO_INFORMATION, NOT_ASKED)
ORDERED = ("Y", "PY", "PN", "N")
ALL = "all"
PAIRED = ["study", "outcome", "time", "tool", "question"]
TABLE = [
    "tool", "question", "pairs", "agree", "percent", "percent_lower", "percent_upper", "kappa",
    "kappa_lower", "kappa_upper", "weighted_pairs", "weighted_kappa", "weighted_lower",
    "weighted_upper", "ac1", "ac1_lower", "ac1_upper",
]  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """A statistic of agreement with its interval; NaN where it is not defined."""

    value: float = math.nan
    lower: float = math.nan
    upper: float = math.nan


def percent_agreement(
    first: Sequence[str], second: Sequence[str], confidence: float = 0.95
) -> Estimate:
    """Share of pairs that agree, with Wilson's interval.

    Parameters
    ----------
    first, second
        Of the same length.
    confidence
        Level of the interval.
    """
    from statsmodels.stats.proportion import proportion_confint

    if not len(first):
        return Estimate()
    agree = sum(a == b for a, b in zip(first, second, strict=True))
    limits = proportion_confint(agree, len(first), alpha=1 - confidence, method="wilson")
    return Estimate(agree / len(first), float(limits[0]), float(limits[1]))


def kappa(
    first: Sequence[str],
    second: Sequence[str],
    categories: Sequence[str],
    *,
    weighted: bool = False,
    confidence: float = 0.95,
) -> Estimate:
    """Cohen's kappa, with the large-sample interval of Fleiss, Cohen and Everitt (1969).

    Parameters
    ----------
    first, second
        Of the same length.
    categories
        In their order.
    weighted
        Whether disagreement counts by how many categories lie between (linear weights).
    confidence
        Level of the interval.

    Returns
    -------
    Estimate
        NaN where both readers used one and the same category throughout; no limits where the
        error is 0, as under full agreement.
    """
    from scipy.stats import norm
    from statsmodels.stats.inter_rater import cohens_kappa as of_table

    used = [each for each in categories if each in first or each in second]
    if len(used) < 2:
        return Estimate()
    # Linear weights depend on the distance, so unused categories in between are kept.
    kept = list(categories) if weighted else used
    a, b = (pd.Categorical(list(reader), kept) for reader in (first, second))
    table = pd.crosstab(a, b, dropna=False).to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        result = of_table(table, wt="linear" if weighted else None)
    value, error = float(result.kappa), float(result.std_kappa)
    if not weighted:
        pair = pd.DataFrame({"first_value": list(first), "second_value": list(second)})
        value = cohens_kappa(pair.assign(agreement="disagree"))
    # The large-sample error is 0 at the edges, where it says nothing.
    half = norm.ppf((1 + confidence) / 2) * error if error > 0 else math.nan
    return Estimate(value, value - half, float(np.minimum(1.0, value + half)))


def gwet_ac1(
    first: Sequence[str],
    second: Sequence[str],
    categories: Sequence[str],
    confidence: float = 0.95,
) -> Estimate:
    """Gwet's AC1 of two readers, with its t interval.

    Parameters
    ----------
    first, second
        Of the same length, at least two pairs for an interval.
    categories
        All that could have been chosen, at least two: chance agreement depends on their number.
    confidence
        Level of the interval.

    Returns
    -------
    Estimate
        ``(pa - pe) / (1 - pe)`` with ``pe = sum pi_k (1 - pi_k) / (q - 1)``, pi_k being the mean
        share of category k, and the variance over subjects (Gwet 2008, Br J Math Stat Psychol
        61:29-48, doi:10.1348/000711006X126600).
    """
    from scipy.stats import t

    n, q = len(first), len(categories)
    if not n:
        return Estimate()
    shares = _shares(first, second, categories)
    pi = shares.mean(axis=0)
    agree = np.array([a == b for a, b in zip(first, second, strict=True)], dtype=float)
    chance = float((pi * (1 - pi)).sum() / (q - 1))
    value = (float(agree.mean()) - chance) / (1 - chance)
    if n < 2:
        return Estimate(value)
    each_chance = (shares * (1 - pi)).sum(axis=1) / (q - 1)
    each = (agree - chance) / (1 - chance)
    each -= 2 * (1 - value) * (each_chance - chance) / (1 - chance)
    error = math.sqrt(float(((each - value) ** 2).sum()) / (n * (n - 1)))
    half = float(t.ppf((1 + confidence) / 2, n - 1)) * error
    return Estimate(value, value - half, float(np.minimum(1.0, value + half)))


def _shares(
    first: Sequence[str], second: Sequence[str], categories: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Share of the two readers in each category, one row per pair."""
    chosen = np.array(list(categories))
    one, other = (np.array(list(reader))[:, None] == chosen for reader in (first, second))
    return np.asarray((one.astype(float) + other.astype(float)) / 2)


def pair_answers(audits: Sequence[Audit]) -> pd.DataFrame:
    """Set the answers of two readers side by side.

    Parameters
    ----------
    audits
        From `read_audits`; those of one reader are left out.

    Returns
    -------
    DataFrame
        One row per result and question both answered: study, outcome, time, tool, question,
        first, second. Answers that were computed and given by nobody are not there.
    """
    both = [audit for audit in audits if len(audit.readers) == 2]
    return _merged(
        _answers(both, [audit.readers[0] for audit in both]),
        _answers(both, [audit.readers[1] for audit in both]),
    )


def pair_audits(first: Sequence[Audit], second: Sequence[Audit]) -> pd.DataFrame:
    """Set the answers of two readers side by side who each filled in files of their own.

    Parameters
    ----------
    first, second
        Audits of one reader each; results and questions that only one has are left out.

    Returns
    -------
    DataFrame
        As from `pair_answers`.
    """
    return _merged(
        _answers(first, [audit.readers[0] for audit in first]),
        _answers(second, [audit.readers[0] for audit in second]),
    )


def _answers(audits: Sequence[Audit], readers: Sequence[str]) -> pd.DataFrame:
    own = {question.number for question in domain_w().questions}
    rows = [
        (
            audit.study,
            result.outcome,
            result.time,
            "Domain W" if number in own else result.tool,
            number,
            answer.readings[reader].answer,
        )
        for audit, reader in zip(audits, readers, strict=True)
        for result in audit.results
        for number, answer in result.answers.items()
        if reader in answer.readings
    ]
    return pd.DataFrame(rows, columns=[*PAIRED, "answer"])


def _merged(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    both = first.merge(second, on=PAIRED, suffixes=("_first", "_second"), validate="one_to_one")
    return both.rename(columns={"answer_first": "first", "answer_second": "second"})


def agreement_of_answers(pairs: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Agreement question by question, and over all questions of a tool.

    Parameters
    ----------
    pairs
        From `pair_answers`.
    confidence
        Level of the intervals.

    Returns
    -------
    DataFrame
        percent, kappa and AC1 of yes (Y, PY), no (N, PN), NI and NA; weighted kappa of the four
        ordered answers, NI and NA left out (weighted_pairs are left). Questions of one trial
        are not independent, so the intervals over all questions are too narrow.
    """
    rows = []
    for tool, of_tool in pairs.groupby("tool", sort=False):
        for question, group in [(ALL, of_tool), *of_tool.groupby("question", sort=False)]:
            rows.append({"tool": tool, "question": question, **_statistics(group, confidence)})
    return pd.DataFrame(rows, columns=TABLE)


def _statistics(group: pd.DataFrame, confidence: float) -> dict[str, float]:
    first, second = ([LEVEL[each] for each in group[name]] for name in ("first", "second"))
    ordered = group.loc[group["first"].isin(ORDERED) & group["second"].isin(ORDERED)]
    scale = list(ordered["first"]), list(ordered["second"]), ORDERED
    return _row((first, second, _possible(group)), scale, confidence)


Pair = tuple[Sequence[str], Sequence[str], Sequence[str]]  # two readers, and the categories


def _row(named: Pair, ordered: Pair, confidence: float) -> dict[str, float]:
    """All statistics of one question; the weighted kappa is that of the ordered categories."""
    first, second, categories = named
    found = {
        "percent": percent_agreement(first, second, confidence),
        "kappa": kappa(first, second, categories, confidence=confidence),
        "weighted": kappa(*ordered, weighted=True, confidence=confidence),
        "ac1": gwet_ac1(first, second, categories, confidence),
    }
    row: dict[str, float] = {
        "pairs": len(first),
        "agree": sum(a == b for a, b in zip(first, second, strict=True)),
        "weighted_pairs": len(ordered[0]),
    }
    for name, estimate in found.items():
        row["weighted_kappa" if name == "weighted" else name] = estimate.value
        row[f"{name}_lower"], row[f"{name}_upper"] = estimate.lower, estimate.upper
    return row


def _possible(group: pd.DataFrame) -> tuple[str, ...]:
    """Answers that could have been given: NA is none in domain W."""
    return LEVELS[:3] if (group["tool"] == "Domain W").all() else LEVELS


def agreement_of_judgements(
    first: pd.DataFrame, second: pd.DataFrame, confidence: float = 0.95
) -> pd.DataFrame:
    """Agreement of two readers' judgements, domain by domain.

    Parameters
    ----------
    first, second
        Summaries of `judge_audits` of each reader's own audits.
    confidence
        Level of the intervals.

    Returns
    -------
    DataFrame
        One row per tool and domain, with the columns of `agreement_of_answers` (question is the
        domain; weights over the ordered judgements).
    """
    keys = ["study", "outcome", "time", "tool", "domain"]
    columns = [*keys, "judgement"]
    both = first[columns].merge(second[columns], on=keys, suffixes=("_first", "_second"))
    rows = []
    for (tool, domain), group in both.groupby(["tool", "domain"], sort=False):
        a, b = list(group["judgement_first"]), list(group["judgement_second"])
        levels = _levels_of(str(tool), str(domain))
        row = {"tool": tool, "question": domain, **_of_judgements(a, b, levels, confidence)}
        rows.append(row)
    return pd.DataFrame(rows, columns=TABLE)


def _levels_of(tool: str, domain: str) -> tuple[tuple[str, ...], str | None]:
    """Ordered judgements, and the one that stands outside the order."""
    if domain == W:
        return domain_w().levels, domain_w().cannot
    if tool == ROBINS_I:
        return robins_i().levels, robins_i().no_information
    return rob2().levels, None


def _of_judgements(
    first: list[str],
    second: list[str],
    levels: tuple[tuple[str, ...], str | None],
    confidence: float,
) -> dict[str, float]:
    ordered, outside = levels
    every = (*ordered, outside) if outside else ordered
    inside = [
        pair for pair in zip(first, second, strict=True) if all(each in ordered for each in pair)
    ]
    scale = [one for one, _ in inside], [other for _, other in inside], ordered
    return _row((first, second, every), scale, confidence)
