"""How much must each person count so that groups, or those still followed, are comparable?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, refuse
from discontinuation.survival._multinomial import fit_multinomial
from discontinuation.survival._parametric_data import code_covariates
from discontinuation.survival._risk_sets import at_each, at_risk, step_at
from discontinuation.survival.follow_up import (
    PLACE,
    FloatArray,
    FollowUp,
    IntArray,
    column_of,
    follow_up,
    label_groups,
    missing_columns,
)
from discontinuation.survival.stored import storable

EXTREME = 10.0  # a weight that many times the mean weight is extreme
RARE = 0.01  # a probability below which nobody comparable can be expected
UNBALANCED = 0.1  # standardised difference usually taken as too large
MOST_ROWS = 20_000_000


@storable
@dataclass(frozen=True, eq=False)
class TreatmentWeights:
    """Weights of inverse probability of treatment.

    Attributes
    ----------
    treatment, formula
        Column of the groups, and what they were explained by.
    groups
        Labels, shape (g,); the first is the reference.
    group
        Number of each person's group, shape (n,).
    weights
        Shape (n,).
    probabilities
        Of each group given covariates, shape (n, g).
    terms
        Columns of the design, shape (p,).
    coef, se
        Log odds ratios of each group against the first and their standard errors, the intercept
        first, shape (p + 1, g - 1).
    before, after
        Standardised mean difference of each term from the first group, shape (g - 1, p): over
        the root of the mean of both unweighted variances.
    method, note
        What was done, and what to be careful about, in words.
    """

    treatment: str
    formula: str
    groups: tuple[str, ...]
    group: IntArray
    weights: FloatArray
    probabilities: FloatArray
    terms: tuple[str, ...]
    coef: FloatArray
    se: FloatArray
    before: FloatArray
    after: FloatArray
    method: str
    note: str

    @property
    def summary(self) -> pd.DataFrame:
        """Positivity: one row per group.

        people, smallest_probability (of getting any group, its own included), mean_weight,
        largest_weight, extreme_share (of people with more than ten times the mean weight),
        effective_size (squared sum of the weights over the sum of their squares).
        """
        rows = []
        for number, label in enumerate(self.groups):
            here = self.group == number
            counts = diagnose(self.weights[here], self.probabilities[here].min(axis=1))
            rows.append({"group": label, **counts})
        return pd.DataFrame(rows)

    @property
    def coefficients(self) -> pd.DataFrame:
        """One row per group and term: group, term, coef, se."""
        terms = ["Intercept", *self.terms]
        labels = np.repeat(np.array(self.groups[1:], dtype=object), len(terms))
        return pd.DataFrame(
            {
                "group": labels,
                "term": terms * (len(self.groups) - 1),
                "coef": self.coef.T.ravel(),
                "se": self.se.T.ravel(),
            }
        )

    @property
    def balance(self) -> pd.DataFrame:
        """One row per group but the first and term: standardised differences before and after."""
        return pd.DataFrame(
            {
                "group": np.repeat(np.array(self.groups[1:], dtype=object), len(self.terms)),
                "reference": self.groups[0],
                "term": list(self.terms) * (len(self.groups) - 1),
                "before": self.before.ravel(),
                "after": self.after.ravel(),
            }
        )

    def __str__(self) -> str:
        parts = [self.method, _table(self.summary), "standardised mean differences"]
        return "\n".join([*parts, _table(self.balance), *([self.note] if self.note else [])])


def treatment_weights(
    formula: str,
    data: pd.DataFrame,
    treatment: str,
    stabilised: bool = True,
    truncate: float | None = None,
) -> TreatmentWeights:
    """Weigh people by the inverse of the probability of the group they are in.

    Parameters
    ----------
    formula
        Covariates that the choice of group depended on.
    data
        One row per person.
    treatment
        Column of the groups, two or more; the levels of a categorical keep their order.
    stabilised
        Multiply by the share of the group, so that weights are about 1 on average.
    truncate
        Share at each end of all weights that is set to that quantile, such as 0.01.

    Returns
    -------
    TreatmentWeights
        By (multinomial) logistic regression. Whoever is in the data counts as having had a
        chance of every group: look at the smallest probabilities.

    Raises
    ------
    InvalidInput
        Columns, values or a formula that cannot be; one group; covariates that tell groups
        apart without error (separation).

    References
    ----------
    Robins JM, Hernan MA, Brumback B. Epidemiology 2000;11:550-560; Cole SR, Hernan MA. Am J
    Epidemiol 2008;168:656-664 (truncation); Austin PC, Stuart EA. Stat Med 2015;34:3661-3679
    (balance).
    """
    _check_truncate(truncate)
    codes, labels = label_groups(column_of(data, treatment, "treatment"), len(data), treatment, 2)
    x, coding = code_covariates(formula, data)
    design = np.column_stack([np.ones(len(x)), x])
    separated = (
        f"the covariates tell the groups of {treatment!r} apart without error for some people "
        "(separation), so that nobody comparable is in another group; leave a covariate out or "
        "merge levels"
    )
    fit = fit_multinomial(design, codes, len(labels), separated)
    probabilities = fit.probabilities(design)
    own = probabilities[np.arange(len(codes)), codes]
    share = np.bincount(codes) / len(codes) if stabilised else np.ones(len(labels))
    weights = _truncated(share[codes] / own, truncate)
    before = _differences(x, codes, len(labels), np.ones(len(codes)))
    after = _differences(x, codes, len(labels), weights)
    kind = "multinomial" if len(labels) > 2 else "binary"
    return TreatmentWeights(
        treatment=treatment,
        formula=formula,
        groups=tuple(map(str, labels)),
        group=codes,
        weights=weights,
        probabilities=probabilities,
        terms=coding.terms,
        coef=fit.coef,
        se=np.sqrt(np.diag(fit.covariance)).reshape(len(labels) - 1, -1).T,
        before=before,
        after=after,
        method=f"inverse probability of treatment, {kind} logistic regression, "
        + _words(stabilised, truncate),
        note=_careful(probabilities, after),
    )


def diagnose(weights: FloatArray, probabilities: FloatArray) -> dict[str, float]:
    """Describe weights and the probabilities behind them; see `TreatmentWeights.summary`."""
    return {
        "people": len(weights),
        "smallest_probability": float(probabilities.min()),
        "mean_weight": float(weights.mean()),
        "largest_weight": float(weights.max()),
        "extreme_share": float((weights > EXTREME * weights.mean()).mean()),
        "effective_size": float(weights.sum() ** 2 / (weights**2).sum()),
    }


def _check_truncate(truncate: float | None) -> None:
    if truncate is not None and not 0 <= truncate < 0.5:
        refuse([Problem("truncate", "allowed: from 0 to below 0.5", value=f"{truncate:g}")])


def _truncated(weights: FloatArray, truncate: float | None) -> FloatArray:
    if not truncate:
        return weights
    low, high = np.quantile(weights, [truncate, 1 - truncate])
    return np.clip(weights, low, high)


def _words(stabilised: bool, truncate: float | None) -> str:
    cut = f", truncated at {truncate:g} and {1 - truncate:g}" if truncate else ""
    return ("stabilised" if stabilised else "not stabilised") + cut


def _table(frame: pd.DataFrame) -> str:
    text: str = frame.to_string(index=False, float_format="{:.4g}".format, max_rows=20)
    return text


def _differences(x: FloatArray, codes: IntArray, groups: int, weights: FloatArray) -> FloatArray:
    """Standardised mean differences of each group from the first."""
    held = [codes == number for number in range(groups)]
    means = np.array([np.average(x[here], axis=0, weights=weights[here]) for here in held])
    spread = np.array([x[here].var(axis=0, ddof=min(1, here.sum() - 1)) for here in held])
    apart = means[1:] - means[0]
    size = np.sqrt((spread[1:] + spread[0]) / 2)
    with np.errstate(all="ignore"):
        return np.where(apart == 0, 0.0, apart / size)


def _careful(probabilities: FloatArray, after: FloatArray) -> str:
    parts = []
    if (few := int((probabilities.min(axis=1) < RARE).sum())) > 0:
        parts.append(f"{few} people have a group whose probability is below {RARE:g}")
    if (many := int((np.abs(after) > UNBALANCED).sum())) > 0:
        parts.append(f"{many} standardised differences are above {UNBALANCED:g} after weighting")
    return "careful: " + "; ".join(parts) if parts else ""


@storable
@dataclass(frozen=True, eq=False)
class CensoringWeights:
    """Weights of inverse probability of still being followed.

    Attributes
    ----------
    row
        Row of the data that each of m pieces of follow-up comes from, from 0, shape (m,).
    start, stop
        Piece of follow-up (start, stop], shape (m,).
    event
        What happened at its end; 0 in every piece but a person's last, shape (m,).
    weights
        Weight in the piece, shape (m,).
    probability
        Of still being followed at its start, given strata or covariates, shape (m,).
    method, note
        What was done, and what to be careful about, in words.
    """

    row: IntArray
    start: FloatArray
    stop: FloatArray
    event: IntArray
    weights: FloatArray
    probability: FloatArray
    method: str
    note: str

    @property
    def rows(self) -> pd.DataFrame:
        """One row per piece: row, start, stop, event, weight."""
        return pd.DataFrame(
            {
                "row": self.row,
                "start": self.start,
                "stop": self.stop,
                "event": self.event,
                "weight": self.weights,
            }
        )

    @property
    def summary(self) -> pd.DataFrame:
        """Positivity: one row per start of a piece, with the columns of `TreatmentWeights`."""
        order = np.argsort(self.start, kind="stable")
        starts, first = np.unique(self.start[order], return_index=True)
        parts = np.split(order, first[1:])
        return pd.DataFrame(
            [
                {"start": start, **diagnose(self.weights[part], self.probability[part])}
                for start, part in zip(starts, parts, strict=True)
            ]
        )

    def __str__(self) -> str:
        people = len(np.unique(self.row))
        text = f"{self.method}\n{people} rows of data in {len(self.row)} pieces\n"
        return text + _table(self.summary) + (f"\n{self.note}" if self.note else "")


def censoring_weights(
    data: pd.DataFrame,
    time: str = "time",
    event: str = "event",
    entry: str | None = None,
    strata: Sequence[str] | str | None = None,
    formula: str | None = None,
    cuts: Sequence[float] | None = None,
    person: str | None = None,
    stabilised: bool = True,
    truncate: float | None = None,
) -> CensoringWeights:
    """Weigh those still followed for those like them who are lost.

    Parameters
    ----------
    data
        One row per person, or with `person` one per stretch of a person's follow-up.
    time, event, entry
        Columns of follow-up; event 0 is the loss that is to be made up for, any other is not.
    strata
        Columns within which losses are at random: Kaplan-Meier of the losses, per stratum.
    formula
        Covariates instead of strata: pooled logistic regression of the losses, with a chance of
        its own in each interval between `cuts`.
    cuts
        Rising times at which weights change. Needed with `formula`; without it the default is
        every time at which somebody is lost.
    person
        Column of the person, if covariates change: rows of one person must follow each other
        without a gap, and an event of 0 is a loss in the last one only.
    stabilised
        Multiply by the probability of still being followed whatever the strata or covariates.
    truncate
        Share at each end of all weights that is set to that quantile.

    Returns
    -------
    CensoringWeights
        Pieces of follow-up. Events come before losses on the same day, so that the weight in a
        piece is 1 / P(still followed at its start); losses within an interval between cuts are
        taken to happen at its end.

    Raises
    ------
    InvalidInput
        Columns and values that cannot be; strata and formula both; covariates that predict the
        losses without error (separation); pieces beyond what fits in memory.

    References
    ----------
    Robins JM, Finkelstein DM. Biometrics 2000;56:779-788; Satten GA, Datta S. Am Stat
    2001;55:207-210.
    """
    _check_truncate(truncate)
    by = [strata] if isinstance(strata, str) else list(strata or [])
    ends_of = {"time": time, "event": event, "entry": entry, "person": person}
    refuse(missing_columns(data, {**ends_of, "strata": by}))
    refuse(_ways(by, formula, cuts))
    start = None if entry is None else data[entry]
    known = follow_up(data[time], data[event], start, causes=True)
    lost = (known.event == 0) & _is_last(data, known, person)
    if not lost.any():
        refuse([Problem(PLACE, "nobody is lost, so there is nothing to make up for")])
    ends = np.unique(known.time[lost]) if cuts is None else np.asarray(cuts, dtype=float)
    pieces = _split(known, ends)
    if formula is None:
        stay, usual_stay = _by_strata(data, known, lost, by, pieces)
    else:
        stay, usual_stay = _by_covariates(data, formula, known, lost, ends, pieces)
    people = pieces.row
    if person is not None:
        people = label_groups(data[person], len(data), person)[0][pieces.row]
    order = np.lexsort((pieces.start, people))
    probability = _product_before(stay, people, order)
    usual = _product_before(usual_stay, people, order)
    weights = (usual if stabilised else 1.0) / probability
    final = np.append(pieces.row[1:] != pieces.row[:-1], True)
    way = "Kaplan-Meier of losses" if formula is None else "pooled logistic regression"
    rare = int((probability < RARE).sum())
    return CensoringWeights(
        row=pieces.row,
        start=pieces.start,
        stop=pieces.stop,
        event=np.where(final, known.event[pieces.row], 0),
        weights=_truncated(weights, truncate),
        probability=probability,
        method=f"inverse probability of being followed, {way}, {_words(stabilised, truncate)}",
        note=f"careful: {rare} pieces have a probability below {RARE:g}" if rare else "",
    )


def _ways(by: list[str], formula: str | None, cuts: Sequence[float] | None) -> list[Problem]:
    problems = []
    if by and formula is not None:
        problems.append(Problem("censoring weights", "strata or a formula, not both"))
    if formula is not None and cuts is None:
        rule = "a formula needs cuts, between which each interval has a chance of its own"
        problems.append(Problem("censoring weights", rule, column="cuts"))
    ends = np.asarray([] if cuts is None else cuts, dtype=float)
    if not (np.isfinite(ends).all() and (np.diff(ends, prepend=0.0) > 0).all()):
        rule = "allowed: rising numbers above 0"
        problems.append(Problem("censoring weights", rule, column="cuts"))
    return problems


def _is_last(data: pd.DataFrame, known: FollowUp, person: str | None) -> npt.NDArray[np.bool_]:
    """Whether each row is the end of a person's follow-up; gaps and overlaps are refused."""
    if person is None:
        return np.ones(len(known.time), dtype=bool)
    codes, _ = label_groups(data[person], len(data), person)
    order = np.lexsort((known.time, codes))
    follows = codes[order][1:] == codes[order][:-1]
    entry = np.zeros(len(codes)) if known.entry is None else known.entry
    broken = follows & (entry[order][1:] != known.time[order][:-1])
    dead = follows & (known.event[order][:-1] != 0)
    refuse(
        Problem(PLACE, rule, int(order[place + 1]) + 2, person)
        for rule, wrong in (
            ("does not begin where the person's row before ends", broken),
            ("follows an event of the same person", dead),
        )
        for place in np.flatnonzero(wrong)[:5]
    )
    last = np.ones(len(codes), dtype=bool)
    last[order[:-1][follows]] = False
    return last


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Follow-up cut at times: the row each comes from, and its start, stop and interval."""

    row: IntArray
    start: FloatArray
    stop: FloatArray
    interval: IntArray


def _split(known: FollowUp, ends: FloatArray) -> _Pieces:
    entry = np.zeros(len(known.time)) if known.entry is None else known.entry
    first = np.searchsorted(ends, entry, side="right")
    count = np.searchsorted(ends, known.time, side="left") - first + 1
    if count.sum() > MOST_ROWS:
        rule = f"{count.sum()} pieces are more than {MOST_ROWS}; give fewer cuts"
        refuse([Problem("censoring weights", rule, column="cuts")])
    row = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    interval = first[row] + within
    begins, stops = np.append(0.0, ends), np.append(ends, np.inf)
    return _Pieces(
        row=row.astype(np.int64),
        start=np.maximum(begins[interval], entry[row]),
        stop=np.minimum(stops[interval], known.time[row]),
        interval=interval.astype(np.int64),
    )


def _still_followed(
    known: FollowUp, lost: npt.NDArray[np.bool_], here: npt.NDArray[np.bool_], asked: FloatArray
) -> FloatArray:
    """Kaplan-Meier of the losses of some people, at given times."""
    time, entry = known.time[here], None if known.entry is None else known.entry[here]
    ones, gone = np.ones(len(time)), lost[here]
    times = np.unique(time[gone])
    losses = at_each(times, time[gone], ones[gone])
    # Whoever has the event on a day can no longer be lost on it.
    event = known.event[here] != 0
    present = at_risk(times, time, entry, ones) - at_each(times, time[event], ones[event])
    return step_at(times, np.asarray(np.cumprod(1 - losses / present), float), 1.0, asked)


def _by_strata(
    data: pd.DataFrame,
    known: FollowUp,
    lost: npt.NDArray[np.bool_],
    by: list[str],
    pieces: _Pieces,
) -> tuple[FloatArray, FloatArray]:
    """Probability of staying to the end of each piece within strata, and in everybody."""
    refuse(
        Problem(PLACE, "is blank and must not be", column=name)
        for name in by
        if data[name].isna().any()
    )
    everybody = np.zeros(len(data), dtype=np.int64)
    usual = _stay(known, lost, everybody, pieces)
    if not by:
        return usual, usual
    codes = data.groupby(by, observed=True).ngroup().to_numpy().astype(np.int64)
    return _stay(known, lost, codes, pieces), usual


def _stay(
    known: FollowUp, lost: npt.NDArray[np.bool_], codes: IntArray, pieces: _Pieces
) -> FloatArray:
    """Probability of staying to the end of each piece, by Kaplan-Meier within codes."""
    found = np.empty(len(pieces.row))
    for code in range(int(codes.max()) + 1):
        inside = codes[pieces.row] == code
        begin = _still_followed(known, lost, codes == code, pieces.start[inside])
        if (begin == 0).any():
            rule = "everybody followed was lost at some time before others entered"
            refuse([Problem("censoring weights", rule)])
        found[inside] = _still_followed(known, lost, codes == code, pieces.stop[inside]) / begin
    return found


def _by_covariates(
    data: pd.DataFrame,
    formula: str,
    known: FollowUp,
    lost: npt.NDArray[np.bool_],
    ends: FloatArray,
    pieces: _Pieces,
) -> tuple[FloatArray, FloatArray]:
    """Probability of staying to the end of each piece given covariates, and without them."""
    x, _ = code_covariates(formula, data)
    final = np.append(pieces.row[1:] != pieces.row[:-1], True)
    gone = final & lost[pieces.row]
    count = np.bincount(pieces.interval, minlength=len(ends) + 1)
    losses = np.bincount(pieces.interval, gone, minlength=len(ends) + 1)
    share = losses / np.maximum(count, 1)
    chance = share[pieces.interval]
    # In an interval where nobody or everybody is lost covariates cannot matter.
    open_ = (losses > 0) & (losses < count)
    used = open_[pieces.interval]
    if used.any():
        dummies = np.eye(len(ends) + 1)[pieces.interval[used]][:, open_]
        design = np.column_stack([np.ones(int(used.sum())), dummies[:, 1:], x[pieces.row[used]]])
        separated = (
            "the covariates predict for some people without error who is lost (separation); "
            "leave a covariate out, merge levels, or give fewer cuts"
        )
        fit = fit_multinomial(design, gone[used].astype(np.int64), 2, separated)
        chance[used] = fit.probabilities(design)[:, 1]
    return 1 - chance, 1 - share[pieces.interval]


def _product_before(stay: FloatArray, people: IntArray, order: npt.NDArray[np.intp]) -> FloatArray:
    """Product of a person's earlier values, in a given order."""
    # Someone can be lost for certain only in a last piece, which nothing follows.
    logs = np.log(np.where(stay > 0, stay, 1.0))[order]
    total = np.cumsum(logs) - logs
    begins = np.append(True, people[order][1:] != people[order][:-1])
    base = total[begins][np.cumsum(begins) - 1]
    found = np.empty(len(stay))
    found[order] = np.exp(total - base)
    return found
