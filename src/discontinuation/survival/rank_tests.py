"""Do groups differ in when the event happens?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import chdtrc, ndtr

from discontinuation.problems import InvalidInput, Problem, allowed_values, refuse
from discontinuation.survival._cox_kernels import solve_symmetric
from discontinuation.survival._curve_kernels import rank_scores, survival_before
from discontinuation.survival._curve_tables import (
    NO_GROUPS,
    RiskTable,
    plain_labels,
    present,
    risk_table,
    some_groups,
)
from discontinuation.survival.follow_up import (
    PLACE,
    FloatArray,
    FollowUp,
    IntArray,
    follow_up,
    label_groups,
)
from discontinuation.survival.stored import storable

Weighting = Literal["fleming-harrington", "tarone-ware", "gehan", "peto"]
Adjustment = Literal["holm", "bonferroni", "BH", "none"]

# Fleming-Harrington (rho, gamma): log-rank, late, middle, early.
COMBINATION = ((0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0))
RANK_TOLERANCE = 1e-10  # eigenvalues below this share of the largest are 0
SURE_PIVOT = 1e-4  # what others leave of a variance, above which a covariance is not singular
NODES = 32  # of Gauss and Legendre, per smooth piece
FAR = 9.0  # standard deviations beyond which nothing is left: 2e-19


@storable
@dataclass(frozen=True, eq=False)
class LogRank:
    """A weighted log-rank test.

    Attributes
    ----------
    groups
        Labels, in the order of the arrays.
    people, events
        Rows and (case-weighted) events per group, shape (groups,).
    observed, expected
        Events and what was expected if groups were alike, both weighted by the test's weights.
    covariance
        Hypergeometric covariance of observed - expected, shape (groups, groups).
    statistic, df, p_value
        Chi-square statistic, rank of the covariance, p-value.
    z
        With two groups the signed root of the statistic: above 0 if the second group has more
        events than expected; otherwise NaN.
    test
        Which weights.
    strata
        Number of strata; 1 if there are none.
    """

    groups: tuple[object, ...]
    people: IntArray
    events: FloatArray
    observed: FloatArray
    expected: FloatArray
    covariance: FloatArray
    statistic: float
    df: int
    p_value: float
    z: float
    test: str
    strata: int

    @property
    def summary(self) -> pd.DataFrame:
        """One row: test, statistic, df, p_value."""
        row = {"test": self.test, "statistic": self.statistic, "df": self.df}
        return pd.DataFrame([{**row, "p_value": self.p_value}])

    @property
    def by_group(self) -> pd.DataFrame:
        """One row per group: group, people, events, observed, expected."""
        names = ("people", "events", "observed", "expected")
        columns = {name: getattr(self, name) for name in names}
        return pd.DataFrame({"group": list(self.groups), **columns})

    def __str__(self) -> str:
        strata = f", {self.strata} strata" if self.strata > 1 else ""
        result = f"chi-square {self.statistic:.4f} on {self.df} df, p = {self.p_value:.4g}"
        return f"{self.test}{strata}: {result}\n{self.by_group.to_string(index=False)}"


@storable
@dataclass(frozen=True, eq=False)
class MaxCombo:
    """The largest of four Fleming-Harrington tests.

    Attributes
    ----------
    groups, people, events, strata
        As in `LogRank`.
    rho, gamma, z
        The tests, shape (4,); z above 0 if the second group has more events than expected, NaN if
        a test is not defined because all its weights are 0.
    correlation
        Of the four z if groups do not differ, shape (4, 4).
    statistic
        Largest absolute z.
    df
        Rank of the correlation (usually 3: two of the weights add up to a third).
    p_value
        Two-sided.
    """

    groups: tuple[object, ...]
    people: IntArray
    events: FloatArray
    rho: FloatArray
    gamma: FloatArray
    z: FloatArray
    correlation: FloatArray
    statistic: float
    df: int
    p_value: float
    strata: int

    @property
    def summary(self) -> pd.DataFrame:
        """One row: test, statistic, df, p_value."""
        row = {"test": "MaxCombo", "statistic": self.statistic, "df": self.df}
        return pd.DataFrame([{**row, "p_value": self.p_value}])

    @property
    def components(self) -> pd.DataFrame:
        """One row per test: rho, gamma, z and its own p_value, not adjusted."""
        columns = {"rho": self.rho, "gamma": self.gamma, "z": self.z}
        return pd.DataFrame({**columns, "p_value": 2 * ndtr(-np.abs(self.z))})

    def __str__(self) -> str:
        groups = " and ".join(map(str, self.groups))
        return (
            f"MaxCombo of {groups}: {self.people.sum()} people, {self.events.sum():g} events\n"
            f"largest |z| {self.statistic:.4f}, two-sided p = {self.p_value:.4g}; it says that "
            f"curves differ, not in which direction\n{self.components.to_string(index=False)}"
        )


@storable
@dataclass(frozen=True, eq=False)
class PairwiseTests:
    """Log-rank tests of all pairs of groups.

    Attributes
    ----------
    pairs
        Labels of the two groups.
    people, events
        In the two groups together, shape (pairs,).
    statistic, df, p_value
        Of each pair by itself; NaN where a pair has nothing to compare.
    adjusted_p_value
        After adjustment for the number of pairs that could be compared.
    test, adjust
        Which weights, which adjustment.
    notes
        Which pairs have nothing to compare, and why.
    """

    pairs: tuple[tuple[object, object], ...]
    people: IntArray
    events: FloatArray
    statistic: FloatArray
    df: FloatArray
    p_value: FloatArray
    adjusted_p_value: FloatArray
    test: str
    adjust: Adjustment
    notes: tuple[str, ...]

    @property
    def summary(self) -> pd.DataFrame:
        """One row per pair."""
        labels = {"group": [a for a, _ in self.pairs], "other": [b for _, b in self.pairs]}
        names = ("people", "events", "statistic", "df", "p_value", "adjusted_p_value")
        return pd.DataFrame({**labels, **{name: getattr(self, name) for name in names}})

    def __str__(self) -> str:
        heading = f"{self.test}, pairs of groups, p-values adjusted: {self.adjust}"
        return "\n".join([heading, self.summary.to_string(index=False), *self.notes])


@dataclass(frozen=True, eq=False)
class _Compared:
    """Checked input of a test."""

    table: RiskTable
    groups: tuple[object, ...]
    people: IntArray
    strata: int


def logrank(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    group: npt.ArrayLike,
    strata: npt.ArrayLike | None = None,
    rho: float = 0,
    gamma: float = 0,
    *,
    weighting: Weighting = "fleming-harrington",
    entry: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
) -> LogRank:
    """Compare two or more groups by a (weighted) log-rank test.

    Parameters
    ----------
    time, event, entry, weights
        As in `kaplan_meier`. Weights are counts of people.
    group
        Label per person, shape (n,).
    strata
        Label per person; people are compared within strata only.
    rho, gamma
        Fleming-Harrington weights ``S(t-)**rho (1 - S(t-))**gamma`` with the left-continuous
        Kaplan-Meier estimate of all groups together, per stratum. (0, 0) is the log-rank test,
        (1, 0) looks at early differences, (0, 1) at late ones.
    weighting
        Other weights instead, with n at risk: ``"tarone-ware"``: sqrt(n); ``"gehan"``: n;
        ``"peto"``: Peto and Peto's ``prod (1 - d / (n + 1))`` up to and including t.

    Returns
    -------
    LogRank

    Raises
    ------
    InvalidInput
        Follow-up that is none, one group, no event while two groups were at risk, negative rho or
        gamma, rho or gamma together with other weights.

    References
    ----------
    Mantel N. Cancer Chemother Rep 1966;50:163-170; Fleming TR, Harrington DP. Counting processes
    and survival analysis. Wiley 1991, 7.2; Tarone RE, Ware J. Biometrika 1977;64:156-160; Peto R,
    Peto J. J R Stat Soc A 1972;135:185-207; Klein JP, Moeschberger ML. Survival analysis. 2nd ed.
    Springer 2003, 7.3 (all weights).
    """
    refuse(_weight_problems(rho, gamma, weighting))
    follow = follow_up(time, event, entry, weights)
    return _logrank(_compared(follow, group, strata), rho, gamma, weighting)


def maxcombo(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    group: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
    entry: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
) -> MaxCombo:
    """Compare two groups by the largest of four Fleming-Harrington tests.

    The tests are (rho, gamma) = (0, 0), (0, 1), (1, 1) and (1, 0). Their correlation is singular,
    because the weights of the last and the second add up to that of the first; the p-value is
    computed from the three that remain by quadrature, to 1e-8 or better.

    Parameters
    ----------
    time, event, group, strata, entry, weights
        As in `logrank`; two groups.

    Returns
    -------
    MaxCombo
        It says that two curves differ, never in which direction: late weights can reward early
        harm (Magirr D, Burman CF. Stat Med 2019;38:3782-3790).

    Raises
    ------
    InvalidInput
        As `logrank`, and more than two groups.

    References
    ----------
    Lee JW. Biometrics 1996;52:721-725; Roychoudhury S et al. Stat Biopharm Res 2023;15:300-314.
    """
    compared = _compared(follow_up(time, event, entry, weights), group, strata)
    if len(compared.groups) > 2:
        message = "MaxCombo compares two groups; for more see pairwise tests"
        refuse([Problem(PLACE, message, None, "group", ", ".join(map(str, compared.groups)))])
    table = compared.table
    rho, gamma = np.array(COMBINATION).T
    sums, covariance = rank_scores(table.events, table.at_risk, _weights(table, rho, gamma))
    score = sums[0, :, 1] - sums[1, :, 1]
    variance = covariance[:, :, 1, 1]
    _refuse_nothing(variance)
    root = np.sqrt(np.diag(variance))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(root > 0, score / root, np.nan)
        correlation = variance / np.outer(root, root)
    statistic = float(np.nanmax(np.abs(z)))
    defined = correlation[np.ix_(root > 0, root > 0)]
    return MaxCombo(
        groups=compared.groups,
        people=compared.people,
        events=table.events.sum(axis=0),
        rho=rho,
        gamma=gamma,
        z=z,
        correlation=correlation,
        statistic=statistic,
        df=int(np.linalg.matrix_rank(defined, tol=1e-8, hermitian=True)),
        p_value=_max_p(statistic, root, correlation),
        strata=compared.strata,
    )


def pairwise(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    group: npt.ArrayLike,
    strata: npt.ArrayLike | None = None,
    rho: float = 0,
    gamma: float = 0,
    *,
    weighting: Weighting = "fleming-harrington",
    entry: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    adjust: Adjustment = "holm",
) -> PairwiseTests:
    """Compare every pair of groups by a log-rank test of the people in the two.

    Parameters
    ----------
    time, event, group, strata, rho, gamma, weighting, entry, weights
        As in `logrank`.
    adjust
        For multiplicity: ``"holm"``, ``"bonferroni"``, ``"BH"`` (false discovery rate) or
        ``"none"``.

    Returns
    -------
    PairwiseTests

    Raises
    ------
    InvalidInput
        As `logrank`, and an unknown adjustment.

    References
    ----------
    Holm S. Scand J Stat 1979;6:65-70; Benjamini Y, Hochberg Y. J R Stat Soc B 1995;57:289-300.
    """
    problems = _weight_problems(rho, gamma, weighting)
    if adjust not in get_args(Adjustment):
        rule = allowed_values(get_args(Adjustment), str(adjust))
        problems.append(Problem(PLACE, rule, None, "adjust", str(adjust)))
    refuse(problems)
    follow = follow_up(time, event, entry, weights)
    follow, (given, given_strata) = present(follow, group=group, strata=strata)
    codes, labels = some_groups(_given(given), len(follow.time), at_least=2)
    names = plain_labels(labels)
    found: list[LogRank | None] = []
    notes = []
    pairs = list(combinations(range(len(labels)), 2))
    for pair in pairs:
        who = np.isin(codes, pair)
        some = _rows_of(follow, who)
        stratum = None if given_strata is None else pd.Series(given_strata)[who]
        try:
            compared = _compared(some, codes[who], stratum)
            found.append(_logrank(compared, rho, gamma, weighting))
        except InvalidInput as refused:
            found.append(None)
            two = " and ".join(str(names[one]) for one in pair)
            notes.append(f"note: {two}: {refused.problems[0].message}")
    p_value = np.array([np.nan if one is None else one.p_value for one in found])
    events = np.bincount(codes, follow.event * _weight(follow), minlength=len(labels))
    people = np.bincount(codes, minlength=len(labels))
    return PairwiseTests(
        pairs=tuple((names[a], names[b]) for a, b in pairs),
        people=np.array([people[a] + people[b] for a, b in pairs]),
        events=np.array([events[a] + events[b] for a, b in pairs]),
        statistic=np.array([np.nan if one is None else one.statistic for one in found]),
        df=np.array([np.nan if one is None else one.df for one in found]),
        p_value=p_value,
        adjusted_p_value=adjusted(p_value, adjust),
        test=_name(rho, gamma, weighting),
        adjust=adjust,
        notes=tuple(notes),
    )


def adjusted(p_values: npt.ArrayLike, adjust: Adjustment) -> FloatArray:
    """Adjust p-values for their number; NaN do not count and stay NaN. Shape (k,)."""
    given = np.asarray(p_values, dtype=float)
    out = np.full(given.shape, np.nan)
    known = np.flatnonzero(np.isfinite(given))
    order = known[np.argsort(given[known], kind="stable")]
    p, count = given[order], len(order)
    rank = np.arange(1, count + 1)
    if adjust == "bonferroni":
        p = p * count
    elif adjust == "holm":
        p = np.maximum.accumulate(p * (count + 1 - rank))
    elif adjust == "BH":
        p = np.minimum.accumulate((p * count / rank)[::-1])[::-1]
    out[order] = np.minimum(p, 1)
    return out


def _logrank(compared: _Compared, rho: float, gamma: float, weighting: Weighting) -> LogRank:
    table = compared.table
    if weighting == "fleming-harrington":
        weight = _weights(table, np.array([rho]), np.array([gamma]))
    else:
        weight = _other_weights(table, weighting)
    sums, covariances = rank_scores(table.events, table.at_risk, weight)
    (observed, expected), covariance = sums[:, 0], covariances[0, 0]
    statistic, df = quadratic(observed - expected, covariance)
    _refuse_nothing(covariance)
    two = len(compared.groups) == 2
    z = float(np.copysign(np.sqrt(statistic), observed[1] - expected[1])) if two else np.nan
    return LogRank(
        groups=compared.groups,
        people=compared.people,
        events=table.events.sum(axis=0),
        observed=observed,
        expected=expected,
        covariance=covariance,
        statistic=statistic,
        df=df,
        p_value=float(chdtrc(df, statistic)),
        z=z,
        test=_name(rho, gamma, weighting),
        strata=compared.strata,
    )


def quadratic(score: FloatArray, covariance: FloatArray) -> tuple[float, int]:
    """Compute U' V^- U with the generalised inverse, and the rank of V."""
    if len(score) == 2:
        variance = covariance[1, 1]
        return (float(score[1] ** 2 / variance), 1) if variance > 0 else (np.nan, 0)
    step, free = np.empty(len(score) - 1), covariance[1:, 1:]
    least = SURE_PIVOT * free.diagonal()
    if solve_symmetric(free, score[1:], least, np.zeros(free.shape), step):
        return float(score[1:] @ step), len(step)  # the usual case, sooner than by eigenvalues
    values, vectors = np.linalg.eigh(covariance)
    kept = values > RANK_TOLERANCE * max(values[-1], 0)
    along = vectors.T @ score
    return float((along[kept] ** 2 / values[kept]).sum()), int(kept.sum())


def _compared(follow: FollowUp, group: npt.ArrayLike, strata: npt.ArrayLike | None) -> _Compared:
    follow, (labels, stratum_labels) = present(follow, group=group, strata=strata)
    people = len(follow.time)
    codes, groups = some_groups(_given(labels), people, at_least=2)
    stratum, count = NO_GROUPS, 1
    if stratum_labels is not None:
        stratum, found = label_groups(stratum_labels, people, "strata")
        count = len(found)
    table = risk_table(follow, codes, len(groups), stratum, count)
    if follow.weights is None:  # already counted
        size = table.leaving.sum(axis=0).astype(np.int64)
    else:
        size = np.bincount(codes, minlength=len(groups))
    return _Compared(table, plain_labels(groups), size, count)


def _given(labels: npt.ArrayLike | None) -> npt.ArrayLike:
    if labels is None:
        refuse([Problem(PLACE, "is missing: one label per person", column="group")])
    return labels  # type: ignore[return-value]


def _rows_of(follow: FollowUp, who: npt.NDArray[np.bool_]) -> FollowUp:
    entry = None if follow.entry is None else follow.entry[who]
    weights = None if follow.weights is None else follow.weights[who]
    return FollowUp(follow.time[who], follow.event[who], entry, weights)


def _weight(follow: FollowUp) -> FloatArray:
    return np.ones(len(follow.time)) if follow.weights is None else follow.weights


def _weights(table: RiskTable, rho: FloatArray, gamma: FloatArray) -> FloatArray:
    """Fleming-Harrington weights, shape (rows, tests)."""
    if not rho.any() and not gamma.any():
        return np.ones((len(table.time), len(rho)))
    events, at_risk = table.events.sum(axis=1), table.at_risk.sum(axis=1)
    before = survival_before(table.stratum, events, at_risk, 0.0)[:, None]
    return np.asarray(before**rho * (1 - before) ** gamma)


def _other_weights(table: RiskTable, weighting: Weighting) -> FloatArray:
    events, at_risk = table.events.sum(axis=1), table.at_risk.sum(axis=1)
    if weighting == "gehan":
        weight = at_risk
    elif weighting == "tarone-ware":
        weight = np.sqrt(at_risk)
    else:
        before = survival_before(table.stratum, events, at_risk, 1.0)
        weight = before * (1 - events / (at_risk + 1))
    return np.asarray(weight[:, None])


def _name(rho: float, gamma: float, weighting: Weighting) -> str:
    if weighting != "fleming-harrington":
        return {"tarone-ware": "Tarone-Ware", "gehan": "Gehan", "peto": "Peto-Peto"}[weighting]
    if rho == gamma == 0:
        return "log-rank"
    return f"Fleming-Harrington({rho:g}, {gamma:g})"


def _weight_problems(rho: float, gamma: float, weighting: str) -> list[Problem]:
    problems = [
        Problem(PLACE, "allowed: a number of 0 or more", None, name, str(value))
        for name, value in (("rho", rho), ("gamma", gamma))
        if not 0 <= value < np.inf
    ]
    if weighting not in get_args(Weighting):
        rule = allowed_values(get_args(Weighting), str(weighting))
        problems.append(Problem(PLACE, rule, None, "weighting", str(weighting)))
    elif weighting != "fleming-harrington" and (rho or gamma):
        rule = "rho and gamma belong to fleming-harrington weights"
        problems.append(Problem(PLACE, rule, None, "weighting", weighting))
    return problems


def _refuse_nothing(covariance: FloatArray) -> None:
    if not np.diag(covariance).any():
        message = "no event happened while two groups were at risk: nothing to compare"
        refuse([Problem(PLACE, message, column="event")])


def _max_p(limit: float, root: FloatArray, correlation: FloatArray) -> float:
    """Probability that any of the four tests is beyond +-limit if groups do not differ.

    With x = z(0, 1) and y = z(1, 0) the log-rank z is (root[1] x + root[3] y) / root[0], and
    z(1, 1) given x and y is normal. So what is inside is an integral over a polygon in the plane:
    y = r x + sqrt(1 - r**2) u, outer over x, inner over u, cut where anything has a kink.
    """
    late, middle, early = 1, 2, 3
    r = correlation[late, early]
    if not root[late] > 0 or not 1 - r**2 > 1e-12:
        return float(2 * ndtr(-limit))  # all events at one time: the tests are one test
    spread = np.sqrt(1 - r**2)
    overall = np.array([root[late] + root[early] * r, root[early] * spread]) / root[0]
    along = correlation[middle, late]
    across = (correlation[middle, early] - r * along) / spread
    rest = 1 - along**2 - across**2
    # |a x + b u| <= limit for each; without a rest the fourth is one of them.
    lines = np.array([[1.0, 0.0], [r, spread], overall, [along, across]])
    sharp = lines if rest < 1e-12 else lines[:3]
    cuts = _crossings(lines, limit)
    x, outer = _pieces(np.array([0.0, *cuts, min(limit, FAR)]))
    lower, upper = _polygon(x, sharp[1:], limit)
    if rest < 1e-12:
        inside = np.maximum(ndtr(upper) - ndtr(lower), 0)
    else:
        inside = _inner(x, lower, upper, limit, lines[3], np.sqrt(rest))
    p_value = 1 - 2 * (outer * _density(x) * inside).sum()  # x and -x alike
    return float(max(p_value, 2 * ndtr(-limit)))


def _crossings(lines: FloatArray, limit: float) -> list[float]:
    """Find x above 0 where two of the lines a x + b u = +-limit meet."""
    found = []
    for one, other in combinations(lines, 2):
        matrix = np.array([one, other])
        if abs(np.linalg.det(matrix)) > 1e-9:
            for side in (limit, -limit):
                found.append(abs(np.linalg.solve(matrix, [limit, side])[0]))
    return [x for x in found if x < min(limit, FAR)]


def _pieces(edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Place Gauss-Legendre nodes and weights on the pieces between edges along the last axis."""
    node, weight = np.polynomial.legendre.leggauss(NODES)
    edges = np.sort(edges, axis=-1)
    middle, half = (edges[..., 1:] + edges[..., :-1]) / 2, np.diff(edges, axis=-1) / 2
    nodes = middle[..., None] + half[..., None] * node
    weights = half[..., None] * weight
    shape = (*edges.shape[:-1], -1)
    return nodes.reshape(shape), weights.reshape(shape)


def _polygon(x: FloatArray, lines: FloatArray, limit: float) -> tuple[FloatArray, FloatArray]:
    """Limits of u at each x, cut to where the normal density is."""
    lower, upper = np.full(x.shape, -FAR), np.full(x.shape, FAR)
    for a, b in lines:
        if abs(b) > 1e-12:
            ends = np.sort([(-limit - a * x) / b, (limit - a * x) / b], axis=0)
            lower, upper = np.maximum(lower, ends[0]), np.minimum(upper, ends[1])
    return lower, upper


def _inner(
    x: FloatArray, lower: FloatArray, upper: FloatArray, limit: float, line: FloatArray, sd: float
) -> FloatArray:
    """Integrate over u the density times the probability that the fourth test is inside too."""
    along, across = line
    edges = [lower, upper]
    if abs(across) > 1e-12:
        for side in (-limit, limit):  # around here that probability falls from 1 to 0
            for apart in (-8.0, 0.0, 8.0):
                edges.append((side + apart * sd - along * x) / across)
    upper = np.maximum(lower, upper)
    u, weight = _pieces(np.clip(np.array(edges), lower, upper).T)
    mean = along * x[:, None] + across * u
    inside = ndtr((limit - mean) / sd) - ndtr((-limit - mean) / sd)
    return np.asarray((weight * _density(u) * inside).sum(axis=-1))


def _density(x: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi))
