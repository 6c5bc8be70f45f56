"""How do level and drive move along thousands of dose histories? The loops, compiled.

One history is a chain of intervals, each with a constant inflow (`dose`, mg per day) and perhaps
an injection at its start (`bolus`, mg). Its state at a moment is

release
    What the depot releases, mg per day; without a depot it is the dose itself.
level
    Level at the site of action, in mg per day (in steady state it equals the dose).
drive
    Signed drive A - o: the adapted set-point minus the retained occupancy. It is followed itself,
    as ``d(A - o)/dt = -(A - o)/tau - do/dt``, so that it keeps its relative precision when A and o
    come close, and stays exactly 0 while the dose does not change.

Release and level have closed forms within an interval. The drive is a quadrature of do/dt, which is
known too, on the 7 points of Gauss. A step is halved until these points reproduce the fall of
occupancy over it, which is known exactly: the error is controlled against the truth, not against a
guess. The integral of a power of the drive uses these 7 points and the 15 of Kronrod that contain
them, and a step is halved until the two agree.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

inner = njit(nogil=True, error_model="numpy")
compiled = njit(cache=True, nogil=True, error_model="numpy")  # with all that it calls

# Piessens R et al. QUADPACK. Springer 1983: nodes and weights of qk15, on (-1, 1).
_HALF = [
    0.991455371120812639206854697526329,
    0.949107912342758524526189684047851,
    0.864864423359769072789712788640926,
    0.741531185599394439863864773280788,
    0.586087235467691130294144691693391,
    0.405845151377397166906606412076961,
    0.207784955007898467600689403773245,
]
_KRONROD_HALF = [
    0.022935322010529224963732008058970,
    0.063092092629978553290700663189204,
    0.104790010322250183839876322541518,
    0.140653259715525918745189590510238,
    0.169004726639267902826583426598550,
    0.190350578064785409913256402421014,
    0.204432940075298892414161999234649,
]
_GAUSS_HALF = [
    0.129484966168869693270611432679082,
    0.279705391489276667901467771423780,
    0.381830050505118944950369775488975,
]
_POINTS = 15
_GAUSS_POINTS = 7
# The points of Gauss, which are every second one of Kronrod, come first.
_ORDER = np.r_[1:_POINTS:2, 0:_POINTS:2]
_SYMMETRIC = np.array([-x for x in _HALF] + [0.0] + _HALF[::-1])[_ORDER]
_NODES = np.append((1 + _SYMMETRIC) / 2, 1.0)  # on (0, 1); the end of the step stands last
_MIDDLE = 0.209482141084727828012999174891714
_KRONROD = np.array([*_KRONROD_HALF, _MIDDLE, *_KRONROD_HALF[::-1]])[_ORDER] / 2
_GAUSS = np.array([*_GAUSS_HALF, 0.417959183673469387755102040816327, *_GAUSS_HALF[::-1]]) / 2


def _partial_weights() -> FloatArray:
    """Weights of the integral from the start of the step to each node, shape (15, 15)."""
    legendre = np.polynomial.legendre.legvander(_SYMMETRIC, _POINTS)
    degree = np.arange(1, _POINTS)
    integrals = np.empty((_POINTS, _POINTS))
    integrals[:, 0] = 1 + _SYMMETRIC
    integrals[:, 1:] = (legendre[:, 2:] - legendre[:, :-2]) / (2 * degree + 1)
    weights: FloatArray = np.linalg.solve(legendre[:, :_POINTS].T, integrals.T).T / 2
    return np.ascontiguousarray(weights)


_PARTIAL = _partial_weights()

_DEPTH = 60  # times that a step may be halved
_FALL_ERROR = 1e-11  # of a step, relative to its fall of occupancy and to the drive
_POWER_ERROR = 1e-9  # of a step, relative to the integral of w^kappa
_ROUNDING = 1e-14
_FADING = 50.0  # time constants in which the drive stays a number
_SOON, _TERMS = 0.5, 18  # until when a series of so many terms holds all digits
_NEAR = 2e-15  # relative to the dose: nothing but rounding
_TINY = 1e-290  # from about there on numbers lose their digits


class Drug(NamedTuple):
    """What the loops know about a drug.

    Attributes
    ----------
    elimination, release
        Speeds per day; release 0: no depot.
    emax, k, hill
        Occupancy ``emax x^hill / (k^hill + x^hill)``; k NaN: unknown.
    tau
        Time constant of adaptation, days.
    """

    elimination: float
    release: float
    emax: float
    k: float
    hill: float
    tau: float


class Histories(NamedTuple):
    """Dose histories of n people, their intervals one after another.

    Attributes
    ----------
    first
        Where each person's intervals begin, shape (n + 1,).
    start, stop, dose, bolus
        The intervals: days, mg per day, mg at the start.
    before
        Steady dose before the first interval, mg per day, shape (n,).
    period
        Days between the equal injections before the first interval; 0: none, shape (n,).
    """

    first: IntArray
    start: FloatArray
    stop: FloatArray
    dose: FloatArray
    bolus: FloatArray
    before: FloatArray
    period: FloatArray


# Work space of one thread, shape (_DEPTH + 2, 6, 16). For each halving of a step, what its nodes
# need: the shares of the level that is kept, of the release that is left, of the dose that is
# released, of the release and of the dose that have become level, and of the drive that has not
# faded. The last layer says which step that is. One array, because handing over several to every
# step would cost more than it.
_KEPT, _LEFT, _RELEASED, _FED, _HELD, _FADED = range(6)
_STEP = _DEPTH + 1
_LENGTH, _FALLS, _GROWN = 0, 1, 2


@inner
def _new_tables() -> FloatArray:
    return np.full((_DEPTH + 2, 6, _POINTS + 1), np.nan)


@inner
def _fed(time: float, drug: Drug) -> float:
    """Share of the depot's excess that is in the level after some time."""
    slow = min(drug.elimination, drug.release)
    apart = max(drug.elimination, drug.release) - slow
    spread = time if apart == 0.0 else -math.expm1(-apart * time) / apart
    return drug.elimination * math.exp(-slow * time) * spread


@inner
def _held(time: float, drug: Drug) -> float:
    """Share of the dose that is in the level after some time, by way of the depot if there is one.

    Soon after the start the two shares of which it is the difference are nearly equal; there its
    series is summed: ``k r t^2/2 - k r (k + r) t^3/6 + ...``.
    """
    direct = -math.expm1(-drug.elimination * time)
    if drug.release == 0.0:
        return direct
    if time * (drug.elimination + drug.release) > _SOON:
        return direct - _fed(time, drug)
    term, released, symmetric, total = drug.elimination * drug.release * time, 1.0, 1.0, 0.0
    for degree in range(2, _TERMS):
        term *= time / degree
        total += term * symmetric
        term = -term
        released *= drug.release
        symmetric = drug.elimination * symmetric + released
    return total


@inner
def _fill(tables: FloatArray, depth: int, step: float, drug: Drug) -> None:
    for node in range(_POINTS + 1):
        time = step * _NODES[node]
        tables[depth, _KEPT, node] = math.exp(-drug.elimination * time)
        tables[depth, _FADED, node] = math.exp(-time / drug.tau)
        depot = drug.release > 0.0
        tables[depth, _LEFT, node] = math.exp(-drug.release * time) if depot else 0.0
        tables[depth, _RELEASED, node] = -math.expm1(-drug.release * time) if depot else 1.0
        tables[depth, _FED, node] = _fed(time, drug) if depot else 0.0
        tables[depth, _HELD, node] = _held(time, drug)


@inner
def _look_up(tables: FloatArray, length: float, depth: int, drug: Drug) -> float:
    """Have the exponentials of a step at hand; return its length."""
    if tables[_STEP, _LENGTH, 0] != length:
        tables[_STEP, _LENGTH, 0] = length
        tables[:_STEP, _KEPT, 0] = np.nan
    step = length / (1 << depth)
    if math.isnan(tables[depth, _KEPT, 0]):
        _fill(tables, depth, step, drug)
    return step


@inner
def _bound(level: float, drug: Drug) -> float:
    """Occupancy as a share of emax."""
    if drug.hill == 1.0:
        return level / (drug.k + level)
    power: float = (level / drug.k) ** drug.hill
    return power / (1.0 + power)


@inner
def _steepness(level: float, drug: Drug) -> float:
    """Slope of `_bound`."""
    if drug.hill == 1.0:
        return drug.k / (drug.k + level) ** 2
    if level <= 0.0:
        return 0.0
    power: float = (level / drug.k) ** drug.hill
    return drug.hill * power / (level * (1.0 + power) ** 2)


@inner
def _move(
    time: float, dose: float, release: float, level: float, drug: Drug
) -> tuple[float, float]:
    """Release and level after some time at one dose: the closed form."""
    kept, held = math.exp(-drug.elimination * time), _held(time, drug)
    if drug.release == 0.0:
        return dose, level * kept + dose * held
    moved = level * kept + release * _fed(time, drug) + dose * held
    left = math.exp(-drug.release * time)
    return release * left - dose * math.expm1(-drug.release * time), moved


@inner
def _node_level(
    depth: int, node: int, dose: float, release: float, level: float, tables: FloatArray
) -> float:
    """Level at a node: a sum of positive parts, so that a small level keeps its precision."""
    moved: float = (
        level * tables[depth, _KEPT, node]
        + release * tables[depth, _FED, node]
        + dose * tables[depth, _HELD, node]
    )
    return moved


@inner
def _node_release(depth: int, node: int, dose: float, release: float, tables: FloatArray) -> float:
    """Release at a node; without a depot the dose."""
    moved: float = release * tables[depth, _LEFT, node] + dose * tables[depth, _RELEASED, node]
    return moved


@inner
def _settled(amount: float, dose: float) -> float:
    """Call the way to the dose done where only rounding is left of it."""
    return dose if abs(amount - dose) <= _NEAR * dose + _TINY else amount


@inner
def _fall(level: float, ended: float, drug: Drug) -> float:
    """Fall of the bound share between two levels, without the loss of digits of a difference."""
    if drug.hill == 1.0:
        return drug.k * (level - ended) / ((drug.k + level) * (drug.k + ended))
    first: float = (level / drug.k) ** drug.hill
    last: float = (ended / drug.k) ** drug.hill
    return (first - last) / ((1.0 + first) * (1.0 + last))


@inner
def _fall_speeds(
    points: int,
    depth: int,
    dose: float,
    release: float,
    level: float,
    per_level: float,
    drug: Drug,
    tables: FloatArray,
) -> None:
    """Write -do/dt at the first nodes."""
    over, above = release - dose, level - dose
    factor = per_level * drug.elimination
    if over == 0.0 and drug.hill == 1.0:
        factor *= drug.k
        for node in range(points):
            excess = above * tables[depth, _KEPT, node]
            span = drug.k + dose + excess
            tables[_STEP, _FALLS, node] = factor * excess / (span * span)
        return
    for node in range(points):
        here = _node_level(depth, node, dose, release, level, tables)
        if level + release < dose:  # of the two forms, the one that keeps more digits
            excess = here - _node_release(depth, node, dose, release, tables)
        else:
            released = over * (tables[depth, _FED, node] - tables[depth, _LEFT, node])
            excess = above * tables[depth, _KEPT, node] + released
        tables[_STEP, _FALLS, node] = factor * excess * _steepness(here, drug)


@inner
def _resolved(
    step: float,
    dose: float,
    level: float,
    ended: float,
    drive: float,
    per_level: float,
    drug: Drug,
    tables: FloatArray,
) -> bool:
    """Whether the Gauss points see all of the fall of occupancy over the step."""
    seen, size = 0.0, 0.0
    for point in range(_GAUSS_POINTS):
        part = _GAUSS[point] * tables[_STEP, _FALLS, point]
        seen += part
        size += abs(part)
    error = abs(step * seen - per_level * _fall(level, ended, drug))
    if error <= _FALL_ERROR * (step * size + abs(drive)) + _TINY:
        return True
    # What is left may be rounding. Later on the digits of a level out of a depot are the dose's.
    late = drug.release > 0.0 and step * (drug.elimination + drug.release) > _SOON
    digits = ended + dose if late else ended
    rounding = _steepness(level, drug) * level + _steepness(ended, drug) * digits
    return error <= _ROUNDING * per_level * rounding


@inner
def _end_drive(step: float, depth: int, drive: float, tables: FloatArray) -> float:
    """Drive at the end of a resolved step."""
    risen = 0.0
    for point in range(_GAUSS_POINTS):
        fades = tables[depth, _FADED, _GAUSS_POINTS - 1 - point]  # the rest of the step
        risen += _GAUSS[point] * tables[_STEP, _FALLS, point] * fades
    moved: float = drive * tables[depth, _FADED, _POINTS] + step * risen
    return moved


@inner
def _advance(
    length: float,
    dose: float,
    release: float,
    level: float,
    drive: float,
    per_level: float,
    drug: Drug,
    tables: FloatArray,
) -> tuple[float, float, float]:
    """State after some time at one dose.

    `per_level` turns bound shares into retained occupancy: 1 over the bound share at the reference.
    """
    if length <= 0.0:
        return release, level, drive
    if math.isnan(drug.k):
        release, level = _move(length, dose, release, level, drug)
        return release, level, np.nan
    if release == dose and level == dose:
        return release, level, drive * math.exp(-length / drug.tau)
    depth, place = 0, 0
    while True:
        step = _look_up(tables, length, depth, drug)
        ended = _node_level(depth, _POINTS, dose, release, level, tables)
        good = step <= 2.0 * drug.tau
        if good:
            _fall_speeds(_GAUSS_POINTS, depth, dose, release, level, per_level, drug, tables)
            good = _resolved(step, dose, level, ended, drive, per_level, drug, tables)
        if not good and depth < _DEPTH:
            depth, place = depth + 1, 2 * place
            continue
        drive = _end_drive(step, depth, drive, tables)
        release = _settled(_node_release(depth, _POINTS, dose, release, tables), dose)
        level = _settled(ended, dose)
        place += 1
        while depth > 0 and place % 2 == 0:
            depth, place = depth - 1, place // 2
        if depth == 0 and place == 1:
            return release, level, drive


@inner
def _power(drive: float, kappa: float) -> float:
    if drive <= 0.0:
        return 0.0
    if kappa == 1.0:
        return drive
    if kappa == 2.0:
        return drive * drive
    power: float = drive**kappa
    return power


@inner
def _step_integral(
    step: float, depth: int, drive: float, kappa: float, tables: FloatArray
) -> tuple[float, float]:
    """Integral of drive^kappa over a resolved step, by 15 points and by 7."""
    for node in range(_POINTS):
        fall = step * tables[_STEP, _FALLS, node]
        tables[_STEP, _GROWN, node] = fall / tables[depth, _FADED, node]
    fine, coarse = 0.0, 0.0
    for node in range(_POINTS):
        here = drive
        for earlier in range(_POINTS):
            here += _PARTIAL[node, earlier] * tables[_STEP, _GROWN, earlier]
        value = _power(tables[depth, _FADED, node] * here, kappa)
        fine += _KRONROD[node] * value
        if node < _GAUSS_POINTS:
            coarse += _GAUSS[node] * value
    return step * fine, step * coarse


@inner
def _positive_integral(
    length: float,
    dose: float,
    release: float,
    level: float,
    drive: float,
    kappa: float,
    so_far: float,
    per_level: float,
    drug: Drug,
    tables: FloatArray,
) -> float:
    """Integral of drive^kappa over a time in which the drive does not change its sign from plus."""
    if release == dose and level == dose:
        return _power(drive, kappa) * drug.tau / kappa * -math.expm1(-kappa * length / drug.tau)
    total, size = 0.0, so_far
    depth, place = 0, 0
    while True:
        step = _look_up(tables, length, depth, drug)
        ended = _node_level(depth, _POINTS, dose, release, level, tables)
        good = step <= 2.0 * drug.tau
        if good:
            _fall_speeds(_POINTS, depth, dose, release, level, per_level, drug, tables)
            good = _resolved(step, dose, level, ended, drive, per_level, drug, tables)
        fine = 0.0
        if good or depth == _DEPTH:
            fine, coarse = _step_integral(step, depth, drive, kappa, tables)
            size = max(size, so_far + total + fine)
            good = abs(fine - coarse) <= _POWER_ERROR * size + _TINY
        if not good and depth < _DEPTH:
            depth, place = depth + 1, 2 * place
            continue
        total += fine
        drive = _end_drive(step, depth, drive, tables)
        release = _settled(_node_release(depth, _POINTS, dose, release, tables), dose)
        level = _settled(ended, dose)
        place += 1
        while depth > 0 and place % 2 == 0:
            depth, place = depth - 1, place // 2
        if depth == 0 and place == 1:
            return total


@inner
def _turning_time(dose: float, release: float, level: float, drug: Drug) -> float:
    """When the level stops rising or falling: where it meets the release; infinite if never."""
    if drug.release == 0.0 or release == dose:
        return math.inf
    ratio = (release - level) / (drug.release * (release - dose))
    apart = drug.elimination - drug.release
    if apart == 0.0:
        return ratio
    return math.log1p(apart * ratio) / apart if apart * ratio > -1.0 else math.inf


@inner
def _crossing_time(
    length: float,
    dose: float,
    release: float,
    level: float,
    drive: float,
    per_level: float,
    drug: Drug,
    tables: FloatArray,
) -> float:
    """When the drive crosses 0, which it does once: Newton's steps within a bracket."""
    low, high, time = 0.0, length, 0.5 * length
    for _ in range(200):
        flow, there, here = _advance(time, dose, release, level, drive, per_level, drug, tables)
        if (here > 0.0) == (drive > 0.0):
            low = time
        else:
            high = time
        fall = per_level * drug.elimination * (there - flow) * _steepness(there, drug)
        speed = fall - here / drug.tau
        new = time - here / speed if speed != 0.0 else low
        if not low < new < high:
            new = 0.5 * (low + high)
        if abs(new - time) <= 4e-16 * length or not low < new < high:
            break
        time = new
    return time


@inner
def _monotone_integral(
    length: float,
    dose: float,
    release: float,
    level: float,
    drive: float,
    kappa: float,
    so_far: float,
    per_level: float,
    drug: Drug,
    tables: FloatArray,
) -> tuple[float, float, float, float]:
    """Integral of max(0, drive)^kappa over a time in which the level only rises or only falls.

    Where the drive is 0 its slope is the fall of occupancy, so it crosses 0 at most once: upwards
    while occupancy falls, downwards while it rises. Returns the integral and the state at the end.
    """
    flow, ended, after = _advance(length, dose, release, level, drive, per_level, drug, tables)
    total = 0.0
    if drive > 0.0 and after < 0.0:
        cross = _crossing_time(length, dose, release, level, drive, per_level, drug, tables)
        total = _positive_integral(
            cross, dose, release, level, drive, kappa, so_far, per_level, drug, tables
        )
    elif drive < 0.0 and after > 0.0:
        cross = _crossing_time(length, dose, release, level, drive, per_level, drug, tables)
        at, there, _ = _advance(cross, dose, release, level, drive, per_level, drug, tables)
        total = _positive_integral(
            length - cross, dose, at, there, 0.0, kappa, so_far, per_level, drug, tables
        )
    elif drive > 0.0 or after > 0.0:
        total = _positive_integral(
            length, dose, release, level, drive, kappa, so_far, per_level, drug, tables
        )
    return total, flow, ended, after


@inner
def _before(person: int, histories: Histories, drug: Drug) -> tuple[float, float]:
    """Release and level at the start of the record: steady, or just before the next injection."""
    period = histories.period[person]
    if period == 0.0:
        return histories.before[person], histories.before[person]
    jump = drug.release * histories.bolus[histories.first[person]]
    release = jump / math.expm1(drug.release * period)
    level = (release + jump) * _fed(period, drug) / -math.expm1(-drug.elimination * period)
    return release, level


@inner
def _at_interval(interval: int, release: float, histories: Histories, drug: Drug) -> float:
    """Release once the interval has begun."""
    injected: float = release + drug.release * histories.bolus[interval]
    taken: float = histories.dose[interval]
    return injected if drug.release > 0.0 else taken


@inner
def _level_at(person: int, time: float, histories: Histories, drug: Drug) -> float:
    """Level of a person at a time within the record."""
    release, level = _before(person, histories, drug)
    for interval in range(histories.first[person], histories.first[person + 1]):
        start, stop = histories.start[interval], histories.stop[interval]
        if start >= time:
            break
        release = _at_interval(interval, release, histories, drug)
        lasts = min(stop, time) - start
        release, level = _move(lasts, histories.dose[interval], release, level, drug)
    return level


@inner
def _begin(
    person: int, per_level: float, histories: Histories, drug: Drug, tables: FloatArray
) -> tuple[float, float, float]:
    """State at the start of the record; the drive is that of having been there for long."""
    release, level = _before(person, histories, drug)
    period = histories.period[person]
    if math.isnan(drug.k):
        return release, level, np.nan
    if period == 0.0:
        return release, level, 0.0
    jump = drug.release * histories.bolus[histories.first[person]]
    _, _, drive = _advance(period, 0.0, release + jump, level, 0.0, per_level, drug, tables)
    return release, level, drive / -math.expm1(-period / drug.tau)


@compiled
def levels(
    low: int, high: int, times: FloatArray, histories: Histories, drug: Drug, out: FloatArray
) -> None:
    """Write the level of the people from `low` to `high` at one time each into `out`, shape (n,).

    NaN outside the person's record.
    """
    for person in range(low, high):
        begin = histories.start[histories.first[person]]
        end = histories.stop[histories.first[person + 1] - 1]
        inside = begin <= times[person] <= end
        out[person] = _level_at(person, times[person], histories, drug) if inside else np.nan


@inner
def _write(
    person: int,
    column: int,
    state: tuple[float, float, float],
    per_level: float,
    drug: Drug,
    out: FloatArray,
) -> None:
    dose, level, drive = state
    bound = _bound(level, drug)
    retained = per_level * bound
    out[0, person, column] = dose
    out[1, person, column] = level
    out[2, person, column] = drug.emax * bound
    out[3, person, column] = retained
    out[4, person, column] = retained + drive
    out[5, person, column] = 0.0 if drive < 0.0 else drive  # NaN stays


@compiled
def states(
    low: int,
    high: int,
    times: FloatArray,
    mean_dose: FloatArray,
    reference: FloatArray,
    histories: Histories,
    drug: Drug,
    out: FloatArray,
) -> None:
    """Write the states of the people from `low` to `high`.

    Parameters
    ----------
    low, high
        Which people.
    times
        Rising times, shape (1, m) for all people alike or (n, m).
    mean_dose
        Dose of each interval as shown, mg per day.
    reference
        Level at which retained occupancy is 1, shape (n,).
    histories, drug
        What was taken.
    out
        Written: dose up to that moment, level, occupancy, retained occupancy, set-point and drive
        at each time, shape (6, n, m). NaN outside the person's record.
    """
    tables = _new_tables()
    columns = times.shape[1]
    for person in range(low, high):
        row = times[person if times.shape[0] > 1 else 0]
        per_level = 1.0 / _bound(reference[person], drug)
        interval, end = histories.first[person], histories.first[person + 1]
        now, column = histories.start[interval], 0
        release, level, drive = _begin(person, per_level, histories, drug, tables)
        out[:, person, :] = np.nan
        while column < columns and row[column] < now:
            column += 1
        while column < columns and row[column] == now:
            state = (histories.before[person], level, drive)
            _write(person, column, state, per_level, drug, out)
            column += 1
        while interval < end and column < columns:
            dose, stop = histories.dose[interval], histories.stop[interval]
            release = _at_interval(interval, release, histories, drug)
            while column < columns and row[column] <= stop:
                lasts = row[column] - now
                release, level, drive = _advance(
                    lasts, dose, release, level, drive, per_level, drug, tables
                )
                now = row[column]
                state = (mean_dose[interval], level, drive)
                _write(person, column, state, per_level, drug, out)
                column += 1
            if column < columns:
                release, level, drive = _advance(
                    stop - now, dose, release, level, drive, per_level, drug, tables
                )
                now = stop
            interval += 1


@compiled
def integrals(
    low: int,
    high: int,
    kappa: float,
    start: FloatArray,
    stop: FloatArray,
    reference: FloatArray,
    histories: Histories,
    drug: Drug,
    out: FloatArray,
) -> None:
    """Write the integral of drive^kappa of the people from `low` to `high`.

    Parameters
    ----------
    low, high
        Which people.
    kappa
        Exponent, greater than 0.
    start, stop
        Limits, shape (n,).
    reference
        Level at which retained occupancy is 1, shape (n,).
    histories, drug
        What was taken.
    out
        Written: the integral, shape (n,). NaN where a limit lies outside the person's record.
    """
    tables = _new_tables()
    for person in range(low, high):
        first, end = histories.first[person], histories.first[person + 1]
        out[person] = np.nan
        if start[person] >= histories.start[first] and stop[person] <= histories.stop[end - 1]:
            out[person] = _person_integral(
                person, kappa, start[person], stop[person], reference, histories, drug, tables
            )


@inner
def _person_integral(
    person: int,
    kappa: float,
    start: float,
    stop: float,
    reference: FloatArray,
    histories: Histories,
    drug: Drug,
    tables: FloatArray,
) -> float:
    per_level = 1.0 / _bound(reference[person], drug)
    release, level, drive = _begin(person, per_level, histories, drug, tables)
    total = 0.0
    for interval in range(histories.first[person], histories.first[person + 1]):
        now, last = histories.start[interval], min(histories.stop[interval], stop)
        if now >= stop:
            break
        dose = histories.dose[interval]
        release = _at_interval(interval, release, histories, drug)
        if now < start:
            until = min(start, last)
            release, level, drive = _advance(
                until - now, dose, release, level, drive, per_level, drug, tables
            )
            now = until
        left = last - now
        turn = _turning_time(dose, release, level, drug)
        for lasts in (turn, left - turn) if 0.0 < turn < left else (left, 0.0):
            # In shorter pieces the drive at the end is not yet rounded to nothing.
            pieces = math.ceil(lasts / (_FADING * drug.tau))
            for _ in range(pieces):
                part, release, level, drive = _monotone_integral(
                    lasts / pieces,
                    dose,
                    release,
                    level,
                    drive,
                    kappa,
                    total,
                    per_level,
                    drug,
                    tables,
                )
                total += part
    return total


@inner
def _walk_days(
    person: int,
    day: float,
    days: int,
    per_level: float,
    mean_dose: FloatArray,
    histories: Histories,
    drug: Drug,
    tables: FloatArray,
    out: FloatArray,
) -> int:
    """Write dose, level and signed drive at the end of each day, shape (3, days or more).

    `day` is the day in which the record begins. Returns how many days are known to their end.
    """
    release, level, drive = _begin(person, per_level, histories, drug, tables)
    adapted = per_level * _bound(level, drug) + drive
    keep = math.exp(-1.0 / drug.tau)
    interval, end = histories.first[person], histories.first[person + 1]
    now = histories.start[interval]
    for column in range(days):
        until, taken, known = day + column + 1.0, 0.0, 0.0
        while interval < end and now < until:
            if now == histories.start[interval]:
                release = _at_interval(interval, release, histories, drug)
            lasts = min(histories.stop[interval], until) - now
            release, level = _move(lasts, histories.dose[interval], release, level, drug)
            taken += lasts * mean_dose[interval]
            known += lasts
            now += lasts
            if now >= histories.stop[interval]:
                now, interval = histories.stop[interval], interval + 1
        if now < until:
            return column
        retained = per_level * _bound(level, drug)
        adapted = retained + (adapted - retained) * keep
        out[0, column], out[1, column], out[2, column] = taken / known, level, adapted - retained
    return days


@compiled
def daily_states(
    low: int,
    high: int,
    times: FloatArray,
    mean_dose: FloatArray,
    reference: FloatArray,
    histories: Histories,
    drug: Drug,
    out: FloatArray,
) -> None:
    """Write what `states` writes, on the daily grid: at the end of the day that holds each time."""
    tables = _new_tables()
    columns = times.shape[1]
    walked = np.empty((3, _most_days(low, high, histories)))
    for person in range(low, high):
        row = times[person if times.shape[0] > 1 else 0]
        per_level = 1.0 / _bound(reference[person], drug)
        begin = histories.start[histories.first[person]]
        day = math.floor(begin)
        known = _walk_days(
            person, day, walked.shape[1], per_level, mean_dose, histories, drug, tables, walked
        )
        _, level, drive = _begin(person, per_level, histories, drug, tables)
        for column in range(columns):
            out[:, person, column] = np.nan
            ended = math.ceil(row[column]) - day
            if row[column] == begin:
                state = (histories.before[person], level, drive)
                _write(person, column, state, per_level, drug, out)
            elif row[column] > begin and ended <= known:
                at = int(ended) - 1
                state = (walked[0, at], walked[1, at], walked[2, at])
                _write(person, column, state, per_level, drug, out)


@compiled
def daily_integrals(
    low: int,
    high: int,
    kappa: float,
    start: FloatArray,
    stop: FloatArray,
    reference: FloatArray,
    histories: Histories,
    drug: Drug,
    out: FloatArray,
) -> None:
    """Write what `integrals` writes, on the daily grid: drive at the end of a day, for that day."""
    tables = _new_tables()
    walked = np.empty((3, _most_days(low, high, histories)))
    for person in range(low, high):
        per_level = 1.0 / _bound(reference[person], drug)
        begin = histories.start[histories.first[person]]
        day = math.floor(begin)
        known = _walk_days(
            person, day, walked.shape[1], per_level, histories.dose, histories, drug, tables, walked
        )
        out[person] = np.nan
        if start[person] < begin or stop[person] > day + known:
            continue
        total = 0.0
        for column in range(known):
            lasts = min(day + column + 1.0, stop[person]) - max(day + column, start[person])
            if lasts > 0.0:
                total += lasts * _power(walked[2, column], kappa)
        out[person] = total


@inner
def _most_days(low: int, high: int, histories: Histories) -> int:
    most = 0
    for person in range(low, high):
        begin = math.floor(histories.start[histories.first[person]])
        end = histories.stop[histories.first[person + 1] - 1]
        most = max(most, math.ceil(end - begin))
    return most
