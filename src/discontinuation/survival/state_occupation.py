"""How likely is each state at each time, and how long do people spend in it?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, refuse
from discontinuation.survival._incidence_counts import ROUNDING
from discontinuation.survival._incidence_frames import curve_frame
from discontinuation.survival._incidence_kernels import (
    BoolArray,
    squared_influences,
    value_of_states,
)
from discontinuation.survival._incidence_limits import (
    MEANING,
    Interval,
    chosen,
    normal_quantile,
    probability_limits,
    two_sided_p,
)
from discontinuation.survival.follow_up import (
    LISTED,
    PLACE,
    FloatArray,
    IntArray,
    as_numbers,
    asked_times,
    label_groups,
    missing_columns,
)
from discontinuation.survival.stored import storable

MOST_TIMES = 2000  # with standard errors, unless asked for: each costs a pass over the rows


@storable
@dataclass(frozen=True, eq=False)
class StateOccupation:
    """Aalen-Johansen estimate of state occupation; g groups, k states, t times.

    Attributes
    ----------
    states
        Labels, the initial one first.
    groups
        Labels, or None.
    time
        Times of the estimate, increasing, shape (t,).
    probability, se
        Probability of being in each state and its standard error, shape (g, k, t).
    initial, initial_se
        Share in each state among those at risk just before the first transition, shape (g, k).
    mean_time, mean_time_se
        Mean time spent in each state from `origin` to `horizon`, shape (g, k); adds up to the
        length of that window.
    origin, horizon
        Earliest start of any row, and end of the window.
    transitions
        Number of transitions from a state to another, shape (g, k, k).
    people, events
        Number of people and of transitions per group, shape (g,).
    last
        Largest follow-up time per group, shape (g,).
    conf_type, confidence
        Kind and level of the limits of probabilities.
    note
        What a reader must know; empty: nothing.
    """

    states: tuple[object, ...]
    groups: tuple[object, ...] | None
    time: FloatArray
    probability: FloatArray
    se: FloatArray
    initial: FloatArray
    initial_se: FloatArray
    mean_time: FloatArray
    mean_time_se: FloatArray
    origin: float
    horizon: float
    transitions: IntArray
    people: IntArray
    events: IntArray
    last: FloatArray
    conf_type: Interval
    confidence: float
    note: str

    def at(self, times: npt.ArrayLike) -> pd.DataFrame:
        """Give the probabilities at some times, as of the latest time of the estimate before.

        Parameters
        ----------
        times
            Finite numbers.

        Returns
        -------
        pd.DataFrame
            time, state, probability, se, lower, upper, with the group before them if there are
            groups; NaN before the origin and after the last follow-up of a group.

        Raises
        ------
        InvalidInput
            Times that are not finite numbers.
        """
        asked = asked_times(times)
        position = np.searchsorted(self.time, asked, side="right")
        known = (self.origin <= asked) & (asked <= self.last[:, None])
        probability, se = (
            np.where(
                known[:, None, :],
                np.concatenate([first[:, :, None], curve], axis=2)[:, :, position],
                np.nan,
            )
            for first, curve in (
                (self.initial, self.probability),
                (self.initial_se, self.se),
            )
        )
        lower, upper = probability_limits(probability, se, self.conf_type, self.confidence)
        values = {"probability": probability, "se": se, "lower": lower, "upper": upper}
        return curve_frame(self.groups, asked, "state", self.states, values)

    @property
    def summary(self) -> pd.DataFrame:
        """The probabilities at every time of the estimate, as `at` gives them."""
        return self.at(self.time)

    @property
    def time_in_state(self) -> pd.DataFrame:
        """Columns state, mean_time, se, lower, upper, with the group before them if there are."""
        width = normal_quantile(self.confidence) * self.mean_time_se
        values = {
            "mean_time": self.mean_time,
            "se": self.mean_time_se,
            "lower": self.mean_time - width,
            "upper": self.mean_time + width,
        }
        frame = curve_frame(
            self.groups,
            np.array([self.horizon]),
            "state",
            self.states,
            {name: value[:, :, None] for name, value in values.items()},
        )
        return frame.drop(columns="time")

    @property
    def differences(self) -> pd.DataFrame:
        """Mean time in each state of every other group minus that of the first.

        Columns group, reference, state, difference, se, lower, upper, z, p_value; no rows if
        there is only one group.
        """
        others, width = len(self.mean_time) - 1, len(self.states)
        labels = pd.Series(list(self.groups or ("everybody",)))
        difference = (self.mean_time[1:] - self.mean_time[0]).ravel()
        se = np.sqrt(self.mean_time_se[1:] ** 2 + self.mean_time_se[0] ** 2).ravel()
        margin = normal_quantile(self.confidence) * se
        with np.errstate(divide="ignore", invalid="ignore"):
            z = difference / se
        return pd.DataFrame(
            {
                "group": labels[1:].repeat(width).to_numpy(),
                "reference": labels[:1].repeat(others * width).to_numpy(),
                "state": np.tile(np.asarray(self.states), others),
                "difference": difference,
                "se": se,
                "lower": difference - margin,
                "upper": difference + margin,
                "z": z,
                "p_value": two_sided_p(z),
            }
        )

    @property
    def transition_counts(self) -> pd.DataFrame:
        """Columns from_state, to_state, transitions of all that happened, by group if there are."""
        group, start, end = np.nonzero(self.transitions)
        columns: dict[str, object] = {}
        if self.groups is not None:
            columns["group"] = [self.groups[g] for g in group]
        columns |= {
            "from_state": [self.states[h] for h in start],
            "to_state": [self.states[j] for j in end],
            "transitions": self.transitions[group, start, end],
        }
        return pd.DataFrame(columns)

    def __str__(self) -> str:
        lines = [
            "State occupation (Aalen-Johansen)",
            f"{self.people.sum()} people, {self.events.sum()} transitions",
            self.transition_counts.to_string(index=False),
            f"Mean time in each state from {self.origin:g} to {self.horizon:g}:",
            self.time_in_state.to_string(index=False),
        ]
        if len(self.mean_time) > 1:
            lines += ["Differences:", self.differences.to_string(index=False)]
        lines.append(
            f"Infinitesimal-jackknife standard errors by person; {100 * self.confidence:g} % "
            f"intervals, normal for times and {self.conf_type} for probabilities "
            f"(symmetric for {MEANING[self.conf_type]})."
        )
        return "\n".join([*lines, f"{self.note}."] if self.note else lines)


def state_probabilities(
    data: pd.DataFrame,
    person: str = "person",
    start: str = "start",
    stop: str = "stop",
    state: str = "state",
    group: str | None = None,
    *,
    initial: object = "stable",
    entry_state: str | None = None,
    weights: str | None = None,
    times: npt.ArrayLike | None = None,
    horizon: float | None = None,
    conf_type: Interval = "complementary log-log",
    confidence: float = 0.95,
) -> StateOccupation:
    """Estimate the probability of each state over time from rows (start, stop, state].

    Parameters
    ----------
    data
        One row per stretch of follow-up of a person, in any order.
    person, start, stop
        Columns. Somebody is at risk at t in a row with start < t <= stop, so follow-up may begin
        late (left truncation) and have gaps, in which the state stays as it was.
    state
        Column with the state entered at stop; blank if the person stays in the same state.
    group
        Column with labels, the same in all rows of a person.
    initial
        State of everybody at the start of their first row.
    entry_state
        Column with the state of the person at the start of their first row instead, for people
        who enter in different states; later rows may repeat their state or be blank.
    weights
        Column of case weights, the same in all rows of a person. Weight w counts w times in
        every sum; in the variance a person adds w times their influence.
    times
        Times of the estimate; by default every time with a transition. The cost of the standard
        errors is rows x times x states.
    horizon
        End of the window for the mean time in each state; by default the smallest over groups of
        the largest follow-up time.
    conf_type
        Scale of the limits of probabilities, as for `aalen_johansen`.
    confidence
        Level of the limits.

    Raises
    ------
    InvalidInput
        Unknown columns; values that are not finite numbers; stop not after start; rows of a
        person that overlap; a state entered that the person is already in; labels or weights that
        differ within a person; no transition; a horizon beyond the follow-up of a group.

    Notes
    -----
    The product of I + dA(s) over transition times s, dA_hj = transitions / at risk in h; ties
    share one risk set. The initial distribution is that of people at risk just before the first
    transition of their group. Standard errors are infinitesimal-jackknife, people being
    independent, as R's survfit with id and influence = TRUE (without the latter R leaves the
    initial distribution out); they do not need the process to be Markov (Datta and Satten 2001).
    Written backwards in time the influence on one number is a sum over the rows of a person, so it
    needs no matrix of people by times.
    """
    chosen(conf_type, Interval, "conf_type")
    normal_quantile(confidence)
    roles = {"person": person, "start": start, "stop": stop, "state": state, "group": group}
    rows = _read_rows(data, {**roles, "entry": entry_state, "weights": weights}, initial)
    group_rows = [rows.of_group(number) for number in range(len(rows.groups or "1"))]
    changes = np.unique(rows.stop[rows.entered >= 0])
    if not len(changes):
        refuse([Problem(PLACE, "nobody changes state", column=state)])
    asked = _report_times(times, changes)
    origin = float(rows.start.min())
    last = np.array([part.stop.max() for part in group_rows])
    end = float(last.min() if horizon is None else horizon)
    refuse(_beyond(end, origin, last, rows.groups))
    estimates = [_estimate(part, asked, origin, end) for part in group_rows]
    transitions = np.array([_count_transitions(part) for part in group_rows])
    parts = (np.array(part) for part in zip(*estimates, strict=True))
    probability, se, first, first_se, mean_time, mean_time_se = parts
    return StateOccupation(
        rows.states,
        rows.groups,
        asked,
        probability,
        se,
        first,
        first_se,
        mean_time,
        mean_time_se,
        origin,
        end,
        transitions,
        np.array([int(part.first.sum()) for part in group_rows]),
        transitions.sum(axis=(1, 2)),
        last,
        conf_type,
        confidence,
        _note(group_rows, origin),
    )


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows in the order of person and time.

    Attributes
    ----------
    first
        Whether the row is the first of its person.
    start, stop, weight
        Per row.
    current, entered
        State in the row and that entered at its stop, -1: none.
    group
        Code per row.
    states, groups
        Labels.
    """

    first: BoolArray
    start: FloatArray
    stop: FloatArray
    weight: FloatArray
    current: IntArray
    entered: IntArray
    group: IntArray
    states: tuple[object, ...]
    groups: tuple[object, ...] | None

    def of_group(self, number: int) -> _Rows:
        """Rows of one group."""
        here = np.flatnonzero(self.group == number)
        return _Rows(
            self.first[here],
            self.start[here],
            self.stop[here],
            self.weight[here],
            self.current[here],
            self.entered[here],
            self.group[here],
            self.states,
            self.groups,
        )


def _read_rows(data: pd.DataFrame, roles: dict[str, str | None], initial: object) -> _Rows:
    """Check the rows and sort them; `roles` names the columns."""
    refuse(missing_columns(data, dict(roles)))
    if not len(data):
        refuse([Problem(PLACE, "there is nobody")])
    start, stop = (_numbers(data, roles[role], 0.0) for role in ("start", "stop"))
    weight = _numbers(data, roles["weights"], 1.0)
    refuse(_bad_rows(start, stop, weight, roles))
    people = label_groups(data[roles["person"]], len(data), str(roles["person"]))[0]
    order = np.lexsort((start, people))
    order = order[weight[order] > 0]
    if not len(order):
        refuse([Problem(PLACE, "nobody has a weight above 0", column=roles["weights"])])
    people = people[order]
    first = np.append(True, people[1:] != people[:-1])
    entered = data[roles["state"]].iloc[order]
    present = None if roles["entry"] is None else data[roles["entry"]].iloc[order]
    states = _states(entered, present, initial)
    entered_codes = _codes(entered, states)
    present_codes = np.where(first, 0, -1) if present is None else _codes(present, states)
    groups: tuple[object, ...] | None = None
    group_codes = np.zeros(len(order), dtype=np.int64)
    if roles["group"] is not None:
        column = data[roles["group"]].iloc[order]
        group_codes, labels = label_groups(column, len(order), roles["group"])
        groups = tuple(labels)
    rows = _Rows(
        first,
        start[order],
        stop[order],
        weight[order],
        _current_states(present_codes, entered_codes, first),
        entered_codes,
        group_codes,
        states,
        groups,
    )
    refuse(_inconsistent(rows, order, present_codes, roles))
    return rows


def _numbers(data: pd.DataFrame, name: str | None, default: float) -> FloatArray:
    """Read a column; what is not a number becomes NaN, which is refused with its row."""
    if name is None:
        return np.full(len(data), default)
    return as_numbers(pd.to_numeric(data[name], errors="coerce"))


def _bad_rows(
    start: FloatArray, stop: FloatArray, weight: FloatArray, roles: dict[str, str | None]
) -> list[Problem]:
    wrong = {
        roles["start"]: (~np.isfinite(start), "allowed: a finite number"),
        roles["stop"]: (~np.isfinite(stop), "allowed: a finite number"),
        roles["weights"]: (~(np.isfinite(weight) & (weight >= 0)), "allowed: 0 or more"),
    }
    problems = [
        problem for name, (bad, rule) in wrong.items() for problem in _first_rows(bad, name, rule)
    ]
    return problems or _first_rows(stop <= start, roles["stop"], "a row must end after its start")


def _first_rows(
    bad: BoolArray, column: str | None, rule: str, order: IntArray | None = None
) -> list[Problem]:
    """Name the first offending rows, and how many there are."""
    rows = np.flatnonzero(bad)
    others = f" ({len(rows)} such rows)" if len(rows) > LISTED else ""
    places = rows[:LISTED] if order is None else order[rows[:LISTED]]
    return [Problem(PLACE, rule + others, int(row) + 2, column) for row in places]


def _labels(column: pd.Series) -> list[object]:
    """Labels that occur: of a categorical in its order, else sorted; a blank is none."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        found = list(column.cat.remove_unused_categories().cat.categories)
    else:
        found = sorted(column.dropna().unique(), key=lambda label: (str(type(label)), label))
    return [label for label in found if label != ""]


def _states(entered: pd.Series, present: pd.Series | None, initial: object) -> tuple[object, ...]:
    labels = [*([] if present is None else _labels(present)), *_labels(entered)]
    first = [initial] if present is None or initial in labels else []
    return tuple(dict.fromkeys([*first, *labels]))


def _codes(column: pd.Series, states: tuple[object, ...]) -> IntArray:
    codes = pd.Categorical(column.to_numpy(dtype=object), categories=list(states)).codes
    return codes.astype(np.int64)


def _current_states(present: IntArray, entered: IntArray, first: BoolArray) -> IntArray:
    """State in each row: that entered last, before the first that of entry."""
    known = np.where(first, present, np.append(-1, entered[:-1]))
    known[first & (known < 0)] = 0  # refused later
    latest = np.maximum.accumulate(np.where(first | (known >= 0), np.arange(len(known)), 0))
    return np.asarray(known[latest], dtype=np.int64)


def _inconsistent(
    rows: _Rows, order: IntArray, present: IntArray, roles: dict[str, str | None]
) -> list[Problem]:
    later = ~rows.first
    overlap = later & (rows.start < np.append(-np.inf, rows.stop[:-1]))
    checks = [
        (overlap, roles["start"], "begins before the row before it of the same person ends"),
        (
            rows.entered == rows.current,
            roles["state"],
            "is the state in which the person is already; leave it blank",
        ),
        (rows.first & (present < 0), roles["entry"], "is blank in the first row of a person"),
        (
            later & (present >= 0) & (present != rows.current),
            roles["entry"],
            "differs from the state that the person entered last",
        ),
        (
            later & (rows.group != np.append(-1, rows.group[:-1])),
            roles["group"],
            "differs from an earlier row of the same person",
        ),
        (
            later & (rows.weight != np.append(-1, rows.weight[:-1])),
            roles["weights"],
            "differs from an earlier row of the same person",
        ),
    ]
    return [
        problem
        for bad, column, rule in checks
        if column is not None
        for problem in _first_rows(bad, column, rule, order)
    ]


def _report_times(times: npt.ArrayLike | None, changes: FloatArray) -> FloatArray:
    if times is not None:
        return np.unique(asked_times(times))
    if len(changes) > MOST_TIMES:
        rule = f"there are {len(changes)} transition times; name those to report in times"
        refuse([Problem("times", rule)])
    return changes


def _beyond(
    horizon: float, origin: float, last: FloatArray, groups: tuple[object, ...] | None
) -> list[Problem]:
    if not (np.isfinite(horizon) and horizon > origin):
        rule = f"allowed: a number above the earliest start, {origin:g}"
        return [Problem("horizon", rule, value=f"{horizon:g}")]
    rule = "group {} is followed up to {:g} only; allowed: a horizon up to there"
    return [
        Problem("horizon", rule.format(label, end), value=f"{horizon:g}")
        for label, end in zip(groups or ("of everybody",), last, strict=True)
        if end < horizon
    ]


def _count_transitions(rows: _Rows) -> IntArray:
    width = len(rows.states)
    moved = rows.entered >= 0
    cells = rows.current[moved] * width + rows.entered[moved]
    return np.bincount(cells, minlength=width**2).reshape(width, width)


@dataclass(frozen=True, eq=False)
class _Chain:
    """Transitions of one group; t times, k states.

    Attributes
    ----------
    time
        Transition times, shape (t,).
    begin, end
        Number of them up to the start and the stop of each row.
    counted
        Rows at risk just before the first of them.
    steps
        I + dA, shape (t, k, k).
    initial
        Distribution over states of the rows counted, shape (k,).
    probability
        After each time, shape (t, k).
    ratio
        Probability just before each time over number at risk, shape (t, k).
    """

    time: FloatArray
    begin: IntArray
    end: IntArray
    counted: BoolArray
    steps: FloatArray
    initial: FloatArray
    probability: FloatArray
    ratio: FloatArray


def _chain(rows: _Rows) -> _Chain:
    width = len(rows.states)
    time = np.unique(rows.stop[rows.entered >= 0])
    begin = np.searchsorted(time, rows.start, side="right")
    end = np.searchsorted(time, rows.stop, side="right")
    cells = (len(time) + 1) * width
    gone = np.bincount(end * width + rows.current, rows.weight, cells)
    come = np.bincount(begin * width + rows.current, rows.weight, cells)
    at_risk = np.cumsum((come - gone).reshape(-1, width), axis=0)[:-1]
    at_risk[at_risk <= ROUNDING * rows.weight.sum()] = 0.0
    moved = rows.entered >= 0
    moves = ((end[moved] - 1) * width + rows.current[moved]) * width + rows.entered[moved]
    size = (len(time), width, width)
    counts = np.bincount(moves, rows.weight[moved], int(np.prod(size)))
    steps = np.asarray(counts, dtype=float).reshape(size)
    stay = at_risk - steps.sum(axis=2)
    stay[stay <= ROUNDING * at_risk] = 0.0
    share = np.where(at_risk > 0, 1 / np.where(at_risk > 0, at_risk, 1.0), 0.0)
    steps *= share[:, :, None]
    each = np.arange(width)
    steps[:, each, each] = np.where(at_risk > 0, stay * share, 1.0)
    when = time[0] if len(time) else rows.stop.max()
    counted = (rows.start < when) & (when <= rows.stop)
    entered = np.bincount(rows.current[counted], rows.weight[counted], width)
    initial = np.asarray(entered / entered.sum(), dtype=float)
    before, after = np.empty((2, len(time), width))
    now = initial
    for j, step in enumerate(steps):
        before[j] = now
        now = now @ step
        after[j] = now
    return _Chain(time, begin, end, counted, steps, initial, after, before * share)


def _estimate(
    rows: _Rows, asked: FloatArray, origin: float, horizon: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Probabilities, initial distribution and mean times in state, each with standard errors."""
    chain = _chain(rows)
    width = len(rows.states)
    path = np.concatenate([chain.initial[None], chain.probability]).T
    reached = np.searchsorted(chain.time, np.append(-np.inf, asked), side="right")
    different, place = np.unique(reached, return_inverse=True)
    no_wait = np.zeros(len(chain.time))
    se = np.array(
        [
            [_expectation(rows, chain, m, no_wait, 1.0, k)[1] for m in different]
            for k in range(width)
        ]
    )[:, place]
    inside = int(np.searchsorted(chain.time, horizon, side="right"))
    edges = np.concatenate([[origin], chain.time[:inside]])
    waits, rest = np.diff(edges), horizon - edges[-1]
    times = np.array([_expectation(rows, chain, inside, waits, rest, k) for k in range(width)])
    return path[:, reached[1:]], se[:, 1:], chain.initial, se[:, 0], times[:, 0], times[:, 1]


def _expectation(
    rows: _Rows, chain: _Chain, count: int, waits: FloatArray, final: float, target: int
) -> tuple[float, float]:
    """Expected worth of being in a state, up to the first `count` times, and its standard error."""
    at_origin, before, after = value_of_states(
        chain.steps[:count], waits[:count], float(final), target
    )
    expected = float(chain.initial @ at_origin)
    variance = squared_influences(
        rows.first,
        chain.begin,
        chain.end,
        rows.current,
        rows.entered,
        rows.weight,
        chain.counted,
        chain.ratio[:count],
        before,
        after,
        (at_origin - expected) / rows.weight[chain.counted].sum(),
    )
    return expected, float(np.sqrt(variance))


def _note(groups: list[_Rows], origin: float) -> str:
    late = sum(int((part.first & (part.start > origin)).sum()) for part in groups)
    if not late:
        return ""
    people = sum(int(part.first.sum()) for part in groups)
    return (
        f"{late} of {people} people entered after {origin:g}; the initial distribution is that of "
        "people at risk just before the first transition"
    )
