"""How often is each rater right, when nobody knows the truth?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.classify.arguments import (
    share_problems,
    table_problems,
    whole_number_problems,
)
from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.seeds import random_stream

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MOST_PATTERNS = 5000
# Smallest singular value over the largest, below which the likelihood has a flat direction.
STRUCTURE, NEARLY = 1e-9, 1e-3
EVERYBODY = "all"
ASSUMPTION = (
    "Given the true cause the raters err independently, and alike in every group; "
    "on the whole they are right more often than wrong."
)


@dataclass(frozen=True, eq=False)
class FallibleRaters:
    """Accuracy of raters and prevalence of causes without a known truth.

    Attributes
    ----------
    accuracy
        One row per rater, true category and what the rater says: rater, truth, says, estimate,
        lower, upper. With truth equal to says: sensitivity for that category.
    prevalence
        One row per group and category: group, category, n, estimate, lower, upper.
    posterior
        One row per case: probability of each category given all its ratings.
    log_likelihood, deviance, degrees_of_freedom
        Of the fit; the deviance is that from a table fitted without the assumption, with so many
        degrees of freedom (0: the assumption cannot be tested).
    reason
        Why nothing is estimated (the frames are then empty); None if it is.
    """

    accuracy: pd.DataFrame
    prevalence: pd.DataFrame
    posterior: pd.DataFrame
    log_likelihood: float
    deviance: float
    degrees_of_freedom: int
    reason: str | None = None

    def __str__(self) -> str:
        if self.reason is not None:
            return f"Not estimated: {self.reason}"
        right = self.accuracy.loc[self.accuracy["truth"] == self.accuracy["says"]]
        return f"{ASSUMPTION}\n{right.drop(columns='says').to_string(index=False)}"


@dataclass(frozen=True, eq=False)
class _Data:
    """Distinct patterns of ratings: `said` (patterns, raters, categories), group and cases."""

    said: FloatArray
    group: npt.NDArray[np.int64]
    cases: FloatArray
    pattern_of: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Fit:
    """Prevalence (groups, categories), error (raters, truth, says), posterior, log-likelihood."""

    prevalence: FloatArray
    error: FloatArray
    posterior: FloatArray
    log_likelihood: float


def fallible_raters(
    ratings: pd.DataFrame,
    categories: Sequence[str],
    groups: pd.Series | None = None,
    *,
    seed: int,
    resamples: int = 200,
    confidence: float = 0.95,
) -> FallibleRaters:
    """Estimate how often each rater is right, and the causes, by EM.

    Parameters
    ----------
    ratings
        One row per case, one column per rater, rule set or model decision; blank: not rated.
    categories
        What a rating can be.
    groups
        Population of each case, such as arm by window. Prevalences differ between groups,
        accuracies do not (Hui and Walter). None: one group (Dawid and Skene).
    seed, resamples
        Of the bootstrap of cases within groups that gives the intervals.
    confidence
        Level of the percentile intervals.

    Returns
    -------
    FallibleRaters
        Refused, with the reason, where the ratings cannot identify the accuracies: two raters and
        one group, or groups whose prevalences hardly differ. Three raters of one group suffice.

    Raises
    ------
    InvalidInput
        No cases, unknown categories, groups that do not match, cases without any rating, a seed,
        number of resamples or confidence that cannot be.

    References
    ----------
    Dawid, Skene. Appl Stat 1979;28:20-28. Hui, Walter. Biometrics 1980;36:167-171. Allman,
    Matias, Rhodes. Ann Stat 2009;37:3099-3132 (identifiability).
    """
    refuse(table_problems("ratings", ratings))
    refuse(
        [
            *_problems(ratings, categories, groups),
            *whole_number_problems("fallible raters", "seed", seed, 0),
            *whole_number_problems("fallible raters", "resamples", resamples, 2),
            *share_problems("fallible raters", confidence),
        ]
    )
    names = pd.Series(EVERYBODY, ratings.index) if groups is None else groups.astype(str)
    codes, known = pd.factorize(names, sort=True)
    data = _patterns(ratings, categories, np.asarray(codes, dtype=np.int64))
    reason = _not_identified(data, len(known), len(categories))
    if reason is not None:
        return _refusal(reason)
    fit = _best_fit(data, len(known), seed)
    if _smallest_singular(data, fit.prevalence, fit.error) < NEARLY:
        return _refusal(
            "the accuracies are all but unidentified at the estimate; more raters, or groups whose "
            "prevalences differ, are needed"
        )
    draws = _bootstrap(data, fit, seed, resamples)
    tail = 100 * (1 - confidence) / 2
    limits = [np.percentile(draw, [tail, 100 - tail], axis=0) for draw in draws]
    deviance, freedom = _deviance(data, fit)
    return FallibleRaters(
        accuracy=_accuracy_frame(fit, limits[1], list(ratings.columns), categories),
        prevalence=_prevalence_frame(fit, limits[0], list(known), codes, categories),
        posterior=pd.DataFrame(fit.posterior[data.pattern_of], ratings.index, list(categories)),
        log_likelihood=fit.log_likelihood,
        deviance=deviance,
        degrees_of_freedom=freedom,
    )


def _problems(
    ratings: pd.DataFrame, categories: Sequence[str], groups: pd.Series | None
) -> Iterator[Problem]:
    if not ratings.size:
        yield Problem("ratings", "there is no case, or no rater, so there is nothing to estimate")
    if len(set(categories)) < 2:
        yield Problem("ratings", "allowed: two categories or more")
    for column in ratings:
        for value in sorted({str(one) for one in ratings[column].dropna()} - set(categories)):
            said = allowed_values(list(categories), value)
            yield Problem("ratings", said, None, str(column), value)
    for row in np.flatnonzero(ratings.isna().all(axis=1)) if ratings.size else ():
        yield Problem("ratings", "nobody rated the case", int(row) + 2)
    if groups is not None and (not groups.index.equals(ratings.index) or groups.isna().any()):
        yield Problem("groups", "allowed: one for each case, none of them blank")


def _patterns(
    ratings: pd.DataFrame, categories: Sequence[str], group: npt.NDArray[np.int64]
) -> _Data:
    place = {category: number for number, category in enumerate(categories)}
    coded = ratings.apply(lambda column: column.map(place)).astype(float).fillna(-1)
    table = np.column_stack([group, coded.to_numpy(dtype=np.int64)])
    distinct, pattern_of, cases = np.unique(table, axis=0, return_inverse=True, return_counts=True)
    said = (distinct[:, 1:, None] == np.arange(len(categories))).astype(float)
    return _Data(said, distinct[:, 0], cases.astype(float), pattern_of.ravel())


def _joint(said: FloatArray, prevalence: FloatArray, error: FloatArray) -> FloatArray:
    """Log probability of each pattern together with each truth; shape (patterns, categories)."""
    with np.errstate(divide="ignore"):
        logs = np.maximum(np.log(error), -1e3)
        return np.asarray(np.log(prevalence) + np.einsum("prl,rkl->pk", said, logs))


def _expectation(
    data: _Data, prevalence: FloatArray, error: FloatArray
) -> tuple[FloatArray, float]:
    joint = _joint(data.said, prevalence[data.group], error)
    top = joint.max(axis=1, keepdims=True)
    weight = np.exp(joint - top)
    total = weight.sum(axis=1, keepdims=True)
    return weight / total, float(data.cases @ (top + np.log(total)).ravel())


def _maximisation(data: _Data, posterior: FloatArray, groups: int) -> tuple[FloatArray, FloatArray]:
    weighted = posterior * data.cases[:, None]
    prevalence = np.zeros((groups, posterior.shape[1]))
    np.add.at(prevalence, data.group, weighted)
    total = prevalence.sum(axis=1, keepdims=True)
    error = np.einsum("pk,prl->rkl", weighted, data.said)
    says = error.sum(axis=2, keepdims=True)
    even = np.full_like(error, 1 / error.shape[2])
    return prevalence / np.where(total > 0, total, 1), np.divide(
        error, says, out=even, where=says > 0
    )


def _climb(data: _Data, posterior: FloatArray, groups: int, steps: int = 5000) -> _Fit:
    """EM from a first posterior until the log-likelihood stands still."""
    before = -math.inf
    for _ in range(steps):
        prevalence, error = _maximisation(data, posterior, groups)
        posterior, log_likelihood = _expectation(data, prevalence, error)
        if log_likelihood - before < 1e-10 * (1 + abs(log_likelihood)):
            break
        before = log_likelihood
    return _Fit(prevalence, error, posterior, log_likelihood)


def _best_fit(data: _Data, groups: int, seed: int) -> _Fit:
    """Climb from the majority and from disturbed majorities; keep the highest."""
    votes = data.said.sum(axis=1)
    majority = votes / votes.sum(axis=1, keepdims=True)
    stream = random_stream(seed, "fallible raters", "starts")
    size = votes.shape[1]
    starts = [majority] + [
        0.6 * majority + 0.4 * stream.dirichlet(np.ones(size), len(votes)) for _ in range(9)
    ]
    fits = [_climb(data, start, groups) for start in starts]
    return _named(max(fits, key=lambda fit: fit.log_likelihood))


def _named(fit: _Fit) -> _Fit:
    """Give each class the name under which raters are right most often."""
    size = fit.error.shape[1]
    order = max(
        permutations(range(size)),
        key=lambda names: sum(fit.error[:, k, label].sum() for label, k in enumerate(names)),
    )
    kept = list(order)
    return _Fit(
        fit.prevalence[:, kept], fit.error[:, kept], fit.posterior[:, kept], fit.log_likelihood
    )


def _not_identified(data: _Data, groups: int, size: int) -> str | None:
    """Say why no amount of such ratings could identify the accuracies, or return None."""
    stream = random_stream(0, "fallible raters", "any point")
    prevalence = stream.dirichlet(np.full(size, 5.0), groups)
    raters = data.said.shape[1]
    error = 0.5 * np.eye(size) + 0.5 * stream.dirichlet(np.full(size, 5.0), (raters, size))
    if _smallest_singular(data, prevalence, error) > STRUCTURE:
        return None
    return (
        f"{raters} raters and {groups} group{'s' if groups > 1 else ''} leave the accuracies "
        "unidentified; three raters of the same cases, or two in groups of different prevalence, "
        "are the least"
    )


def _designs(data: _Data) -> dict[int, set[tuple[int, ...]]]:
    """Which raters rated the same cases, by group."""
    designs: dict[int, set[tuple[int, ...]]] = {}
    for group, rated in zip(data.group, np.asarray(data.said.any(axis=2)), strict=True):
        designs.setdefault(int(group), set()).add(tuple(np.flatnonzero(rated)))
    return designs


def _smallest_singular(data: _Data, prevalence: FloatArray, error: FloatArray) -> float:
    """Smallest over largest singular value of how pattern probabilities move with parameters."""
    size = prevalence.shape[1]
    prevalence = 0.98 * prevalence + 0.02 / size
    error = 0.98 * error + 0.02 / size
    designs = _designs(data)
    patterns = sum(float(size) ** len(one) for some in designs.values() for one in some)
    if patterns > MOST_PATTERNS:
        together = {rater for some in designs.values() for one in some if len(one) > 2
                    for rater in one}  # fmt: skip
        return 1.0 if len(together) == len(error) else 0.0
    rows = [
        _slopes(group, one, prevalence, error)
        for group, some in designs.items()
        for one in sorted(some)
    ]
    values = np.linalg.svd(np.vstack(rows), compute_uv=False)
    parameters = rows[0].shape[1]
    return float(values[-1] / values[0]) if len(values) == parameters else 0.0


def _slopes(
    group: int, raters: tuple[int, ...], prevalence: FloatArray, error: FloatArray
) -> FloatArray:
    """Derivative of every pattern's probability by each free probability."""
    size, everybody = prevalence.shape[1], len(error)
    rows = []
    for pattern in product(range(size), repeat=len(raters)):
        each = np.array([error[r, :, said] for r, said in zip(raters, pattern, strict=True)])
        alone = each.prod(axis=0)
        by_prevalence = np.zeros((len(prevalence), size - 1))
        by_prevalence[group] = alone[:-1] - alone[-1]
        by_error = np.zeros((everybody, size, size - 1))
        for place, (rater, said) in enumerate(zip(raters, pattern, strict=True)):
            others = prevalence[group] * np.delete(each, place, axis=0).prod(axis=0)
            if said < size - 1:
                by_error[rater, :, said] = others
            else:
                by_error[rater] = -others[:, None]
        rows.append(np.concatenate([by_prevalence.ravel(), by_error.ravel()]))
    return np.array(rows)


def _bootstrap(data: _Data, fit: _Fit, seed: int, resamples: int) -> tuple[FloatArray, FloatArray]:
    """Prevalences and errors of fits to resampled cases, from the estimate on."""
    stream = random_stream(seed, "fallible raters", "bootstrap")
    groups = len(fit.prevalence)
    prevalence, error = [], []
    for _ in range(resamples):
        cases = np.zeros(len(data.cases))
        for group in range(groups):
            own = np.flatnonzero(data.group == group)
            n = data.cases[own]
            cases[own] = stream.multinomial(int(n.sum()), n / n.sum())
        drawn = _Data(data.said, data.group, cases, data.pattern_of)
        # Away from the edge, from which EM never leaves.
        start = 0.9 * fit.posterior + 0.1 / fit.posterior.shape[1]
        again = _named(_climb(drawn, start, groups, 500))
        prevalence.append(again.prevalence)
        error.append(again.error)
    return np.array(prevalence), np.array(error)


def _deviance(data: _Data, fit: _Fit) -> tuple[float, int]:
    """Twice the log-likelihood gained by giving each pattern of a design its own share."""
    rated = data.said.any(axis=2)
    keys = [tuple(row) for row in np.column_stack([data.group, rated])]
    total = pd.Series(data.cases).groupby(pd.Series(keys)).transform("sum").to_numpy()
    saturated = float((data.cases * np.log(data.cases / total)).sum())
    groups, size = fit.prevalence.shape
    free = groups * (size - 1) + fit.error.shape[0] * size * (size - 1)
    cells = sum(size ** len(one) - 1 for some in _designs(data).values() for one in some)
    return 2 * (saturated - fit.log_likelihood), max(cells - free, 0)


def _accuracy_frame(
    fit: _Fit, limits: FloatArray, raters: Sequence[str], categories: Sequence[str]
) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([list(raters), list(categories), list(categories)])
    frame = index.to_frame(index=False, name=["rater", "truth", "says"])
    lower, upper = limits
    return frame.assign(estimate=fit.error.ravel(), lower=lower.ravel(), upper=upper.ravel())


def _prevalence_frame(
    fit: _Fit,
    limits: FloatArray,
    groups: Sequence[str],
    codes: npt.NDArray[np.int64],
    categories: Sequence[str],
) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([list(groups), list(categories)])
    frame = index.to_frame(index=False, name=["group", "category"])
    n = np.repeat(np.bincount(codes, minlength=len(groups)), len(categories))
    lower, upper = limits
    return frame.assign(
        n=n, estimate=fit.prevalence.ravel(), lower=lower.ravel(), upper=upper.ravel()
    )


def _refusal(reason: str) -> FallibleRaters:
    columns = ["estimate", "lower", "upper"]
    return FallibleRaters(
        accuracy=pd.DataFrame(columns=["rater", "truth", "says", *columns]),
        prevalence=pd.DataFrame(columns=["group", "category", "n", *columns]),
        posterior=pd.DataFrame(),
        log_likelihood=math.nan,
        deviance=math.nan,
        degrees_of_freedom=0,
        reason=reason,
    )
