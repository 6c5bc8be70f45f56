"""How well do rules, or raters, agree beyond chance?"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from discontinuation.classify.arguments import share_problems, table_problems
from discontinuation.problems import Problem, allowed_values, refuse

FloatArray = npt.NDArray[np.float64]

COEFFICIENTS = {"cohen": "Cohen's kappa", "ac1": "Gwet's AC1", "fleiss": "Fleiss' kappa",
                "alpha": "Krippendorff's alpha"}  # fmt: skip


@dataclass(frozen=True)
class Agreement:
    """One coefficient of agreement.

    Attributes
    ----------
    coefficient
        Its name.
    n
        Cases on which it rests: those with two ratings or more.
    observed, expected
        Share of pairs that agree, and that would by chance as the coefficient sees it.
    estimate, standard_error, lower, upper
        The coefficient and its interval; NaN where it cannot be computed.
    confidence
        Level of the interval.
    reason
        Why there is no estimate; None if there is one.
    """

    coefficient: str
    n: int
    observed: float
    expected: float
    estimate: float
    standard_error: float
    lower: float
    upper: float
    confidence: float
    reason: str | None = None

    def __str__(self) -> str:
        if self.reason is not None:
            return f"{self.coefficient}: not computed ({self.reason})"
        return (
            f"{self.coefficient} {self.estimate:.3f} "
            f"({self.lower:.3f} to {self.upper:.3f}, {self.n} cases)"
        )


def agreement(
    ratings: pd.DataFrame,
    coefficient: str,
    categories: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> Agreement:
    """Compute one coefficient of agreement with its interval.

    Parameters
    ----------
    ratings
        One row per case, one column per rater (or rule set); blank: not rated.
    coefficient
        "cohen" (two raters), "ac1", "fleiss" or "alpha" (two or more; blanks allowed, cases with
        fewer than two ratings left out).
    categories
        What a rating can be; those that occur where it is left out. AC1 depends on it.
    confidence
        Level of the interval: t with one degree of freedom less than cases, cut at 1. Where all
        ratings agree the standard error is 0 and says nothing; the lower limit is then that of
        the share of cases that agree (exact, n of n), with chance agreement as estimated.

    Returns
    -------
    Agreement
        Without an estimate where fewer than two cases have two ratings; nor a kappa or alpha where
        only one category occurs, for it is then 0 over 0 (AC1 is 1, if `categories` names others
        that could have occurred); nor Cohen's kappa where one rater says the same of every case,
        for it is then 0 whatever the other says.

    Raises
    ------
    InvalidInput
        Ratings that are no table, unknown coefficients and categories, too few raters, a
        confidence outside 0 to 1.

    Notes
    -----
    Standard errors: Cohen's kappa and AC1 of two raters as Fleiss, Cohen and Everitt (1969) and
    Gwet (2008), large-sample; AC1 and Fleiss' kappa of several raters by Gwet's linearisation
    over cases; alpha by the jackknife over cases.

    References
    ----------
    Cohen. Educ Psychol Meas 1960;20:37-46. Fleiss. Psychol Bull 1971;76:378-382. Fleiss, Cohen,
    Everitt. Psychol Bull 1969;72:323-327. Gwet. Br J Math Stat Psychol 2008;61:29-48,
    doi:10.1348/000711006X126600. Gwet. Handbook of Inter-Rater Reliability, 4th edition, 2014.
    Krippendorff. Content Analysis, 3rd edition, 2013, chapter 12.
    """
    refuse([*table_problems("agreement", ratings), *share_problems("agreement", confidence)])
    known = _categories(ratings, categories)
    refuse(_problems(ratings, coefficient, known))
    counts = _counts(ratings, known)
    rated = counts.sum(axis=1)
    both = counts[rated >= 2]
    name = COEFFICIENTS[coefficient]
    if len(both) < 2:
        return _none(name, len(both), confidence, "fewer than two cases have two ratings")
    alike = (both.sum(axis=0) > 0).sum() < 2
    if alike and (coefficient != "ac1" or len(known) < 2):
        return _none(name, len(both), confidence, "only one category occurs")
    if coefficient == "cohen" and (ratings.loc[rated == 2].nunique() < 2).any():
        return _none(name, len(both), confidence, "one of the raters says the same of every case")
    freedom = len(both) - 1
    if coefficient == "alpha":
        found = _alpha(both)
    elif ratings.shape[1] == 2 and coefficient in ("cohen", "ac1"):
        found = _of_two(_table(ratings, known), coefficient)
    else:
        found = _of_several(counts[rated >= 1], coefficient)
        freedom = int((rated >= 1).sum()) - 1
    observed, expected, estimate, error = found
    half = stats.t.isf((1 - confidence) / 2, freedom) * error
    if observed > 1 - 1e-12:
        half = (1 - ((1 - confidence) / 2) ** (1 / len(both))) / (1 - expected)
    return Agreement(
        name, len(both), observed, expected, estimate, error,
        max(estimate - half, -1.0), min(estimate + half, 1.0), confidence,
    )  # fmt: skip


def _categories(
    ratings: pd.DataFrame, categories: Sequence[Hashable] | None
) -> tuple[Hashable, ...]:
    if categories is not None:
        return tuple(categories)
    values = pd.unique(ratings.to_numpy(dtype=object).ravel())
    return tuple(sorted((value for value in values if not pd.isna(value)), key=str))


def _problems(
    ratings: pd.DataFrame, coefficient: str, known: Sequence[Hashable]
) -> Iterator[Problem]:
    if coefficient not in COEFFICIENTS:
        said = allowed_values(list(COEFFICIENTS), coefficient)
        yield Problem("agreement", said, column="coefficient", value=coefficient)
    if ratings.shape[1] < 2 or (coefficient == "cohen" and ratings.shape[1] > 2):
        number = "two" if coefficient == "cohen" else "at least two"
        yield Problem("agreement", f"allowed: {number} raters, not {ratings.shape[1]}")
    for column in ratings:
        for value in pd.unique(ratings[column].dropna()):
            if value not in known:
                said = allowed_values([str(one) for one in known], str(value))
                yield Problem("agreement", said, None, str(column), str(value))


def _counts(ratings: pd.DataFrame, known: Sequence[Hashable]) -> FloatArray:
    """How many raters put each case into each category, shape (cases, categories)."""
    return np.column_stack([(ratings == one).sum(axis=1).to_numpy(dtype=float) for one in known])


def _table(ratings: pd.DataFrame, known: Sequence[Hashable]) -> FloatArray:
    """Cases by the category of the first and the second rater."""
    both = ratings.dropna()
    place = {category: number for number, category in enumerate(known)}
    table = np.zeros((len(known), len(known)))
    np.add.at(table, tuple(both.iloc[:, side].map(place).to_numpy(int) for side in (0, 1)), 1.0)
    return table


def _of_two(table: FloatArray, coefficient: str) -> tuple[float, float, float, float]:
    n, size = table.sum(), len(table)
    share = table / n
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    same = np.eye(size)
    observed = float(np.trace(share))
    if coefficient == "cohen":
        expected = float(rows @ columns)
        pull = columns[:, None] + rows[None, :]
    else:
        middle = (rows + columns) / 2
        expected = float((middle * (1 - middle)).sum() / (size - 1))
        pull = 2 * (1 - (middle[:, None] + middle[None, :]) / 2) / (size - 1)
    estimate = (observed - expected) / (1 - expected)
    spread = (share * (same - (1 - estimate) * pull) ** 2).sum()
    variance = spread - (observed - 2 * (1 - estimate) * expected) ** 2
    error = math.sqrt(max(variance, 0.0) / n) / (1 - expected)
    return observed, expected, float(estimate), error


def _of_several(counts: FloatArray, coefficient: str) -> tuple[float, float, float, float]:
    n, size = counts.shape
    rated = counts.sum(axis=1)
    twice = rated >= 2
    agree = (counts * (counts - 1)).sum(axis=1) / np.where(twice, rated * (rated - 1), 1.0)
    observed = float(agree[twice].mean())
    share = (counts / rated[:, None]).mean(axis=0)
    if coefficient == "fleiss":
        expected = float(share @ share)
        chance = counts @ share / rated
    else:
        expected = float((share * (1 - share)).sum() / (size - 1))
        chance = counts @ (1 - share) / rated / (size - 1)
    estimate = (observed - expected) / (1 - expected)
    own = n / twice.sum() * np.where(twice, agree - expected, 0.0) / (1 - expected)
    own = own - 2 * (1 - estimate) * (chance - expected) / (1 - expected)
    error = math.sqrt(((own - estimate) ** 2).sum() / n / (n - 1))
    return observed, expected, float(estimate), error


def _alpha(counts: FloatArray) -> tuple[float, float, float, float]:
    observed, expected, estimate = _alpha_of(counts)
    n = len(counts)
    left_out = np.array([_alpha_of(np.delete(counts, case, axis=0))[2] for case in range(n)])
    spread = np.where(np.isnan(left_out), estimate, left_out)
    error = math.sqrt((n - 1) / n * ((spread - spread.mean()) ** 2).sum())
    return observed, expected, estimate, error


def _alpha_of(counts: FloatArray) -> tuple[float, float, float]:
    """Alpha of nominal data: one less the disagreement within over that among all values."""
    rated = counts.sum(axis=1)
    values = rated.sum()
    each = counts.sum(axis=0)
    apart = ((rated**2 - (counts**2).sum(axis=1)) / (rated - 1)).sum() / values
    by_chance = (values**2 - (each**2).sum()) / (values * (values - 1))
    estimate = 1 - apart / by_chance if by_chance > 0 else math.nan
    return float(1 - apart), float(1 - by_chance), float(estimate)


def _none(name: str, n: int, confidence: float, reason: str) -> Agreement:
    nan = math.nan
    return Agreement(name, n, nan, nan, nan, nan, nan, nan, confidence, reason)


def pairwise_agreement(
    labels: pd.DataFrame,
    categories: Sequence[str],
    *,
    coefficients: Sequence[str] = ("cohen", "ac1"),
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Compare every pair of rule sets (or raters).

    Parameters
    ----------
    labels
        One row per case, one column per rule set, such as `Verdicts.labels`.
    categories
        Labels that are compared; any other label, such as "not assessable", counts as missing,
        so that a pair is compared on the cases that both could assess.
    coefficients
        "cohen" and "ac1".
    confidence
        Level of the intervals.

    Returns
    -------
    DataFrame
        One row per pair and coefficient: first, second, coefficient, n, cases, same (share of
        equal labels), estimate, standard_error, lower, upper, reason (why there is none).
    """
    kept = labels.where(labels.isin(list(categories)))
    rows = []
    for first, second in combinations(labels.columns, 2):
        pair = kept[[first, second]]
        for name in coefficients:
            found = agreement(pair, name, categories, confidence)
            rows.append(_as_row(found) | {"first": first, "second": second, "cases": len(labels)})
            both = pair.dropna()
            rows[-1]["same"] = float((both[first] == both[second]).mean()) if len(both) else np.nan
    return pd.DataFrame(rows, columns=["first", "second", "coefficient", "n", "cases", "same",
                                       *_NUMBERS, "reason"])  # fmt: skip


def overall_agreement(
    labels: pd.DataFrame,
    categories: Sequence[str],
    *,
    coefficients: Sequence[str] = ("ac1", "fleiss", "alpha"),
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Compare all rule sets (or raters) at once.

    Parameters
    ----------
    labels, categories, confidence
        As in `pairwise_agreement`.
    coefficients
        "ac1", "fleiss" and "alpha".

    Returns
    -------
    DataFrame
        One row per coefficient: coefficient, raters, n (cases with two labels or more), cases,
        observed, expected, estimate, standard_error, lower, upper, reason.
    """
    kept = labels.where(labels.isin(list(categories)))
    rows = [
        _as_row(agreement(kept, name, categories, confidence))
        | {"raters": labels.shape[1], "cases": len(labels)}
        for name in coefficients
    ]
    columns = ["coefficient", "raters", "n", "cases", "observed", "expected", *_NUMBERS, "reason"]
    return pd.DataFrame(rows, columns=columns)


_NUMBERS = ["estimate", "standard_error", "lower", "upper"]


def _as_row(found: Agreement) -> dict[str, object]:
    names = ["coefficient", "n", "observed", "expected", *_NUMBERS, "reason"]
    return {name: getattr(found, name) for name in names}


def confusion(
    labels: pd.DataFrame, first: str, second: str, categories: Sequence[str]
) -> pd.DataFrame:
    """Count cases by the labels of two rule sets.

    Parameters
    ----------
    labels
        As in `pairwise_agreement`.
    first, second
        Columns of it.
    categories
        Labels, in the order in which they are shown; one that is not named must not occur.

    Returns
    -------
    DataFrame
        Rows are labels of the first, columns of the second.

    Raises
    ------
    InvalidInput
        For a label that is not named.
    """
    unknown = sorted(
        {str(one) for name in (first, second) for one in labels[name].dropna()} - set(categories)
    )
    refuse(Problem("labels", allowed_values(list(categories), one), value=one) for one in unknown)
    table = pd.crosstab(labels[first], labels[second])
    return table.reindex(index=list(categories), columns=list(categories), fill_value=0)


def binary(labels: pd.DataFrame, label: str, others: Sequence[str]) -> pd.DataFrame:
    """Turn labels into one of them or not.

    Parameters
    ----------
    labels
        As in `pairwise_agreement`.
    label
        The label asked about.
    others
        Labels that count as not it; any further label becomes blank.

    Returns
    -------
    DataFrame
        Holding `label`, ``"not <label>"`` or blank.
    """
    words = {label: label, **dict.fromkeys(others, f"not {label}")}
    return pd.DataFrame({name: labels[name].map(words) for name in labels}, labels.index)
