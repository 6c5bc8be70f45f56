"""How does the hazard rise and fall, and how does the ratio of two hazards?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import chdtrc, ndtri

from discontinuation.problems import Problem, refuse
from discontinuation.survival._curve_tables import (
    RiskTable,
    arms,
    plain_labels,
    present,
    risk_table,
)
from discontinuation.survival.follow_up import (
    PLACE,
    FloatArray,
    FollowUp,
    IntArray,
    asked_times,
    follow_up,
    label_groups,
    missing_columns,
)
from discontinuation.survival.stored import storable

GRID = 101  # times at which results are given if none are asked for
# Where the knots are among the times of events (Harrell 2015, chapter 2; two are the ends).
KNOTS = {
    2: (0.10, 0.90),
    3: (0.10, 0.50, 0.90),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.50, 0.725, 0.95),
}
LEAST = 1 + 1e-9  # standard error over hazard where it rests on one event
EVENTS_PER_KNOT = 10
EVENTS_PER_ARM = 5


@storable
@dataclass(frozen=True, eq=False)
class SmoothedHazard:
    """Hazard of each group at k times.

    Attributes
    ----------
    groups
        Their labels, g of them.
    time
        Shape (k,).
    hazard, se, lower, upper
        Per unit of time, shape (g, k). NaN outside the follow-up of a group. There are no limits
        where the hazard rests on less than one event: its standard error is above it.
    bandwidth
        Half the width of the kernel: events as far as that from a time count there.
    chosen
        How the bandwidth was chosen.
    people, events
        Of each group (rows; sum of weights), shape (g,).
    confidence
        Level of the limits.
    notes
        What else is to be known.
    """

    groups: tuple[object, ...]
    time: FloatArray
    hazard: FloatArray
    se: FloatArray
    lower: FloatArray
    upper: FloatArray
    bandwidth: float
    chosen: str
    people: IntArray
    events: FloatArray
    confidence: float
    notes: tuple[str, ...]

    @property
    def method(self) -> str:
        """What was computed."""
        return (
            "Nelson-Aalen increments smoothed with Epanechnikov's kernel (Ramlau-Hansen), linear "
            f"boundary kernel, bandwidth {self.bandwidth:.4g} ({self.chosen}); pointwise "
            f"{self.confidence:.0%} log limits, of the smoothed hazard"
        )

    @property
    def summary(self) -> pd.DataFrame:
        """One row per group and time: ``group, time, hazard, se, lower, upper``."""
        number = len(self.time)
        table = {"group": np.repeat(np.array(self.groups, dtype=object), number)}
        table["time"] = np.tile(self.time, len(self.groups))
        for name in ("hazard", "se", "lower", "upper"):
            table[name] = getattr(self, name).ravel()
        return pd.DataFrame(table).infer_objects()

    def __str__(self) -> str:
        counted = zip(self.groups, self.people, self.events, strict=True)
        sizes = "; ".join(f"{name}: {n} people, {d:g} events" for name, n, d in counted)
        steps = np.linspace(0, len(self.time) - 1, min(5, len(self.time))).astype(int)
        some = self.summary.loc[lambda table: table["time"].isin(self.time[steps])]
        table = some.to_string(index=False, float_format=lambda value: f"{value:.4g}")
        return "\n".join([self.method, sizes, table, *self.notes])


def smoothed_hazard(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    group: npt.ArrayLike | None = None,
    *,
    entry: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    bandwidth: float | None = None,
    at: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> SmoothedHazard:
    """Estimate the hazard by smoothing the steps of the cumulative hazard.

    Parameters
    ----------
    time, event, entry, weights
        End of follow-up, 1 if the event happened then, its beginning, case weights, shape (n,). A
        person is at risk at t if entry < t <= time.
    group
        Labels, shape (n,); None: everybody in one group, "all".
    bandwidth
        In units of time, the same for all groups. By default the length of follow-up divided by
        4 d^(1/5), where d is the mean number of events of a group: the rate of the best bandwidth,
        and twice the pilot of R's muhaz.
    at
        Times, shape (k,); by default 101 from the first entry to the longest follow-up.
    confidence
        Level of the limits.

    Returns
    -------
    SmoothedHazard
        ``h(t) = sum K((t - T) / b) dN / Y / b`` over the event times T, with the variance
        ``sum K^2 dN / Y^2 / b^2`` and the limits ``h exp(+-z se / h)``. The limits are for what
        the smoothing makes of the hazard: they do not know of its bias.

    Raises
    ------
    InvalidInput
        What `follow_up` refuses; nobody with an event; a bandwidth that is not above 0; times
        that are not numbers.

    Notes
    -----
    Within a bandwidth of the beginning or the end of a group's follow-up the kernel is cut there
    and multiplied by a straight line, so that it has mass 1 and mean 0 again. It may then be
    negative; an estimate below 0 is set to 0.

    References
    ----------
    Ramlau-Hansen H. Ann Stat 1983;11:453-466; Andersen PK, Borgan O, Gill RD, Keiding N.
    Statistical models based on counting processes. Springer 1993, IV.2 (boundary);
    Mueller HG, Wang JL. Biometrics 1994;50:61-76 (muhaz).
    """
    refuse(_option_problems(bandwidth, confidence))
    follow, (labels,) = present(follow_up(time, event, entry, weights), group=group)
    codes, found = arms(labels, len(follow.time))
    table = risk_table(follow, codes, len(found))
    if not table.events.any():
        refuse([Problem(PLACE, "nobody has the event: there is no hazard to smooth")])
    each = codes if len(codes) else np.zeros(len(follow.time), dtype=np.int64)
    start = 0.0 if follow.entry is None else float(follow.entry.min())
    ends = np.array([follow.time[each == code].max() for code in range(len(found))])
    events = table.events.sum(axis=0)
    chosen = "as given"
    if bandwidth is None:
        bandwidth = float((ends.max() - start) / (4 * events.mean() ** 0.2))
        chosen = "length of follow-up / (4 events^(1/5)), events of a group on average"
    times = np.linspace(start, ends.max(), GRID) if at is None else asked_times(at)
    hazard, se = _smoothed(table, times, bandwidth, start, ends)
    below = hazard < 0
    hazard[below] = 0.0
    half = float(ndtri((1 + confidence) / 2)) * se
    known = (hazard > 0) & (se <= LEAST * hazard)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.exp(np.where(known, half / hazard, np.nan))
    return SmoothedHazard(
        groups=plain_labels(found),
        time=times,
        hazard=hazard,
        se=se,
        lower=hazard / factor,
        upper=hazard * factor,
        bandwidth=float(bandwidth),
        chosen=chosen,
        people=np.bincount(each, minlength=len(found)),
        events=events,
        confidence=confidence,
        notes=tuple(_notes(found, events, hazard, below, known)),
    )


def _smoothed(
    table: RiskTable, times: FloatArray, bandwidth: float, start: float, ends: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Hazard and standard error of each group, shape (groups, times)."""
    found = np.empty((2, len(ends), len(times)))
    for code, end in enumerate(ends):
        happened = table.events[:, code] > 0
        risk, deaths = table.at_risk[happened, code], table.events[happened, code]
        kernel = _kernel(times, table.time[happened], bandwidth, start, float(end))
        found[0, code] = kernel @ (deaths / risk)
        found[1, code] = np.sqrt(kernel**2 @ (deaths / risk**2))
    return found[0], found[1]


def _kernel(
    at: FloatArray, happened: FloatArray, bandwidth: float, start: float, end: float
) -> FloatArray:
    """Weight of each event at each time, shape (times, events); NaN outside follow-up."""
    low = np.maximum(-1.0, (at - end) / bandwidth)
    high = np.minimum(1.0, (at - start) / bandwidth)
    mass, first, second = (_moment(power, high) - _moment(power, low) for power in (0, 1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        level = second / (mass * second - first**2)
        slope = -first / (mass * second - first**2)
    level[(at < start) | (at > end)] = np.nan
    z = (at[:, None] - happened) / bandwidth
    inside = np.maximum(0.75 * (1 - z**2), 0)
    return (level[:, None] + slope[:, None] * z) * inside / bandwidth


def _moment(power: int, to: FloatArray) -> FloatArray:
    """Indefinite integral of z^power times Epanechnikov's kernel."""
    return 0.75 * (to ** (power + 1) / (power + 1) - to ** (power + 3) / (power + 3))


def _notes(
    groups: list[object],
    events: FloatArray,
    hazard: FloatArray,
    below: npt.NDArray[np.bool_],
    known: npt.NDArray[np.bool_],
) -> Iterator[str]:
    for name, number in zip(groups, events, strict=True):
        if not number:
            yield f"{name}: no event, so the hazard is 0 and has no limits"
    if (~known & np.isfinite(hazard) & (events[:, None] > 0)).any():
        yield "no limits where the hazard rests on less than one event"
    if below.any():
        yield "near an end of follow-up an estimate below 0 was set to 0"


@storable
@dataclass(frozen=True, eq=False)
class HazardRatioOverTime:
    """Ratio of the hazards of two arms as a function of time.

    Attributes
    ----------
    arm, reference
        The ratio is that of the first against the second.
    time
        Times of the summary, shape (k,).
    span
        First and last event that tells something: both arms have people at risk. Outside there is
        no estimate.
    knots
        Times at which the spline bends.
    coef, covariance
        Of the log ratio at time 0, of log(t + 1) and of the bends, shape (knots,).
    constant, constant_se
        Log ratio if it is the same at all times, and its standard error.
    statistic, df, p_value
        Likelihood-ratio test against that constant.
    people, events
        In each arm, the reference second; events that tell something.
    strata
        How many people were compared within.
    confidence
        Level of the band, at each time for itself.
    """

    arm: object
    reference: object
    time: FloatArray
    span: tuple[float, float]
    knots: FloatArray
    coef: FloatArray
    covariance: FloatArray
    constant: float
    constant_se: float
    statistic: float
    df: int
    p_value: float
    people: tuple[int, int]
    events: tuple[int, int]
    strata: int
    confidence: float

    @property
    def method(self) -> str:
        """What was computed."""
        knots = ", ".join(f"{knot:.4g}" for knot in self.knots)
        within = f", {self.strata} strata" if self.strata > 1 else ""
        return (
            f"Cox, Efron ties{within}; log hazard ratio a restricted cubic spline in log(t + 1), "
            f"knots at {knots}; pointwise {self.confidence:.0%} Wald band"
        )

    def at(self, times: npt.ArrayLike) -> pd.DataFrame:
        """Return ``time, log_hazard_ratio, se, hazard_ratio, lower, upper`` at some times.

        Parameters
        ----------
        times
            Shape (k,); outside `span` the rest is NaN. The limits are those of the ratio.
        """
        asked = asked_times(times)
        within = (asked >= self.span[0]) & (asked <= self.span[1])
        design = _spline(np.where(within, asked, self.span[0]), self.knots)
        log = np.where(within, design @ self.coef, np.nan)
        se = np.sqrt(np.einsum("ij,jk,ik->i", design, self.covariance, design))
        half = float(ndtri((1 + self.confidence) / 2)) * se
        return pd.DataFrame(
            {
                "time": asked,
                "log_hazard_ratio": log,
                "se": np.where(within, se, np.nan),
                "hazard_ratio": np.exp(log),
                "lower": np.exp(log - half),
                "upper": np.exp(log + half),
            }
        )

    @property
    def summary(self) -> pd.DataFrame:
        """What `at` gives at `time`."""
        return self.at(self.time)

    def __str__(self) -> str:
        steps = np.linspace(0, len(self.time) - 1, min(5, len(self.time))).astype(int)
        table = self.at(self.time[steps])
        return "\n".join(
            [
                f"{self.arm} against {self.reference}: {self.method}",
                f"{self.people[0]} and {self.people[1]} people, {self.events[0]} and "
                f"{self.events[1]} events while both are at risk",
                table.to_string(index=False, float_format=lambda value: f"{value:.4g}"),
                f"against a constant ratio ({np.exp(self.constant):.4g}): likelihood ratio "
                f"{self.statistic:.4g} on {self.df} df, p = {self.p_value:.3g}",
            ]
        )


def hazard_ratio_over_time(
    data: pd.DataFrame,
    time: str,
    event: str,
    arm: str,
    *,
    entry: str | None = None,
    strata: str | None = None,
    at: npt.ArrayLike | None = None,
    knots: int = 3,
    confidence: float = 0.95,
) -> HazardRatioOverTime:
    """Estimate how the ratio of two arms' hazards changes with time.

    Parameters
    ----------
    data
        One row per person.
    time, event, entry
        Columns: end of follow-up, 1 if the event happened then, its beginning.
    arm
        Column with two values. The first is the reference: of a categorical by its order, else as
        sorted.
    strata
        Column: people are compared within.
    at
        Times of the summary, shape (k,); by default 101 from the first to the last event that
        tells something.
    knots
        2 to 5, at quantiles of the times of events; 2: a straight line in log(t + 1).
    confidence
        Level of the band.

    Returns
    -------
    HazardRatioOverTime

    Raises
    ------
    InvalidInput
        Columns that are not there; what `follow_up` refuses; arms that are not two; fewer than 10
        events per knot, or than 5 in an arm, while people of both arms (of a stratum) are at
        risk; events that are separated by arm at some time.

    References
    ----------
    Cox DR. J R Stat Soc B 1972;34:187-220 (effects that change with time); Gray RJ. J Am Stat
    Assoc 1992;87:942-951 (splines for them); Harrell FE. Regression modeling strategies. 2nd ed.
    Springer 2015, chapter 2 (knots).
    """
    # Loaded here: whoever wants a smoothed hazard alone needs no model.
    from discontinuation.survival.cox_model import cox
    from discontinuation.survival.episodes import split_follow_up

    refuse(_option_problems(None, confidence))
    if knots not in KNOTS:
        refuse([Problem(PLACE, "allowed: 2, 3, 4 or 5", column="knots", value=str(knots))])
    named = {"time": time, "event": event, "arm": arm, "entry": entry, "strata": strata}
    refuse(missing_columns(data, named))
    follow = follow_up(data[time], data[event], None if entry is None else data[entry])
    codes, labels = _two_arms(data[arm])
    strata_labels: list[object] = []
    stratum = np.zeros(len(data), dtype=np.int64)
    if strata is not None:
        stratum, strata_labels = label_groups(data[strata], len(data), strata)
    telling = _telling(follow, codes, stratum)
    events = int((telling & (codes == 1)).sum()), int((telling & (codes == 0)).sum())
    refuse(_too_few(events, knots, labels))
    places = np.quantile(follow.time[telling], KNOTS[knots], method="inverted_cdf")
    if (np.diff(places) <= 0).any():
        rule = f"events at too few different times for {knots} knots; fewer can be asked for"
        refuse([Problem(PLACE, rule, column="knots")])
    frame = pd.DataFrame(
        {"time": follow.time, "event": follow.event, "arm": codes, "stratum": stratum}
    )
    frame["entry"] = 0.0 if follow.entry is None else follow.entry
    pieces = split_follow_up(frame, "events", entry="entry")
    bends = ["arm", "arm_by_log_time", *(f"arm_by_bend_{n}" for n in range(1, knots - 1))]
    design = _spline(pieces["time"].to_numpy(dtype=float), places)
    pieces[bends] = design * pieces[["arm"]].to_numpy(dtype=float)
    by: dict[str, Any] = {"entry": "entry", "strata": "stratum"}
    model = cox(" + ".join(bends), pieces, **by)
    same = cox("arm", frame, **by)
    gain = max(0.0, 2 * (model.log_likelihood - same.log_likelihood))
    span = float(follow.time[telling].min()), float(follow.time[telling].max())
    arm_label, reference = plain_labels([labels[1], labels[0]])
    return HazardRatioOverTime(
        arm=arm_label,
        reference=reference,
        time=np.linspace(*span, GRID) if at is None else asked_times(at),
        span=span,
        knots=places,
        coef=model.coef,
        covariance=model.covariance,
        constant=float(same.coef[0]),
        constant_se=float(np.sqrt(same.covariance[0, 0])),
        statistic=float(gain),
        df=knots - 1,
        p_value=float(chdtrc(knots - 1, gain)),
        people=(int((codes == 1).sum()), int((codes == 0).sum())),
        events=events,
        strata=max(1, len(strata_labels)),
        confidence=confidence,
    )


def _two_arms(column: pd.Series) -> tuple[IntArray, list[object]]:
    name = str(column.name)
    codes, labels = label_groups(column, len(column), name, at_least=2)
    if len(labels) > 2:
        rule = f"{len(labels)} groups; two can be compared over time"
        refuse([Problem(PLACE, rule, column=name, value=", ".join(map(str, labels)))])
    return codes, labels


def _spline(times: FloatArray, knots: FloatArray) -> FloatArray:
    """1, log(t + 1) and the bends of a spline that is straight beyond its outer knots.

    Bends are divided by the square of the distance of the outer knots, as is usual.
    """
    from discontinuation.survival.flexible import spline_basis

    log = np.log1p(knots)
    basis, _ = spline_basis(np.log1p(times), log)
    basis[:, 1:] /= (log[-1] - log[0]) ** 2
    return np.column_stack([np.ones(len(times)), basis])


def _telling(follow: FollowUp, arm: IntArray, stratum: IntArray) -> npt.NDArray[np.bool_]:
    """Find the events at which people of both arms of the stratum are at risk, shape (n,)."""
    telling: npt.NDArray[np.bool_] = follow.event == 1
    for one in np.unique(stratum):
        mine = stratum == one
        table = risk_table(
            FollowUp(
                follow.time[mine],
                follow.event[mine],
                None if follow.entry is None else follow.entry[mine],
            ),
            arm[mine],
            2,
        )
        both = table.time[(table.at_risk > 0).all(axis=1)]
        telling[mine] &= np.isin(follow.time[mine], both)
    return telling


def _too_few(events: tuple[int, int], knots: int, labels: list[object]) -> Iterator[Problem]:
    total, needed = sum(events), EVENTS_PER_KNOT * knots
    if total < needed:
        fewer = total // EVENTS_PER_KNOT
        hint = f"; enough for {fewer} knots" if fewer in KNOTS else ""
        yield Problem(
            PLACE,
            f"{total} events while both arms are at risk are too few for a hazard ratio over time "
            f"with {knots} knots: at least {needed} are needed{hint}",
        )
    for label, number in zip(labels, events[::-1], strict=True):
        if number < EVENTS_PER_ARM:
            yield Problem(
                PLACE,
                f"{number} events in {label} while both arms are at risk: at least "
                f"{EVENTS_PER_ARM} are needed for a hazard ratio over time",
            )


def _option_problems(bandwidth: float | None, confidence: float) -> Iterator[Problem]:
    if bandwidth is not None and not 0 < bandwidth < np.inf:
        yield Problem(PLACE, "allowed: above 0", column="bandwidth", value=str(bandwidth))
    if not 0 < confidence < 1:
        yield Problem(PLACE, "allowed: between 0 and 1", column="confidence", value=str(confidence))
