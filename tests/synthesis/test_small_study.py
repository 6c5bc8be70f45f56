"""Small-study effects and influence against metafor and by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from compare import Columns, assert_as_metafor, datasets, effects_of
from discontinuation.synthesis import egger, influence, leave_one_out, pool, trim_and_fill


def small_study(y: np.ndarray, v: np.ndarray) -> Iterator[tuple[str, float]]:
    test = egger(y, v)
    yield from (("Egger t", test.t), ("Egger p", test.p), ("Egger intercept", test.intercept))
    for side in (None, "left", "right"):
        result = trim_and_fill(y, v, side=side)
        name = f"trim and fill {side or 'any'}"
        yield f"{name} k0", result.k0
        yield f"{name} mu", result.pooled.estimate
        yield f"{name} se", result.pooled.se
        yield f"{name} right", result.side == "right"
        yield f"{name} fill sum", result.filled_estimates.sum()
        yield f"{name} fill variance sum", result.filled_variances.sum()


def leave_out(y: np.ndarray, v: np.ndarray) -> Iterator[tuple[str, float]]:
    for i, rest in enumerate(leave_one_out(y, v, knapp_hartung=False), 1):
        yield f"leave-one-out mu {i}", rest.estimate
        yield f"leave-one-out se {i}", rest.se
        yield f"leave-one-out tau2 {i}", rest.tau2
        yield f"leave-one-out Q {i}", rest.q
    hit = influence(y, v)
    for name, values in {
        "studentised": hit.studentised,
        "dffits": hit.dffits,
        "Cook": hit.cooks_distance,
        "hat": hit.hat,
        "q_share": hit.q_share,
        "shift": hit.shift,
    }.items():
        for i, value in enumerate(values, 1):
            yield f"influence {name} {i}", value


@pytest.mark.parametrize("dataset", datasets("small study"))
def test_as_by_metafor(dataset: str) -> None:
    y, v = effects_of(dataset)
    got = dict(small_study(y, v)) if len(y) >= 10 else {}
    got |= leave_out(y, v)
    got |= {name.replace("any", "default"): got[name] for name in got if " any " in name}
    assert_as_metafor("small study", dataset, got)


def test_egger_of_bcg() -> None:
    test = egger(*effects_of("dat.bcg"))
    assert (test.t, test.p) == pytest.approx((-1.401282002, 0.1887069951), rel=1e-9)
    assert (test.df, test.k) == (11, 13)


def funnel(k: int, slope: float) -> Columns:
    """Make effects that rise with their standard errors, with a symmetric scatter around that."""
    se = np.linspace(0.1, 0.6, k)
    return slope * se + np.where(np.arange(k) % 2, 1, -1) * 0.3 * se, se**2


def test_egger_is_the_regression_on_precision() -> None:
    y, v = funnel(12, 1.5)
    se = np.sqrt(v)
    x = np.column_stack([np.ones(12), 1 / se])
    (bias, effect), squares, *_ = np.linalg.lstsq(x, y / se)
    covariance = squares[0] / 10 * np.linalg.inv(x.T @ x)
    test = egger(y, v)
    assert (test.slope, test.intercept) == pytest.approx((bias, effect), rel=1e-10)
    assert test.slope_se == pytest.approx(math.sqrt(covariance[0, 0]), rel=1e-10)
    assert test.intercept_se == pytest.approx(math.sqrt(covariance[1, 1]), rel=1e-10)
    assert test.t == pytest.approx(bias / math.sqrt(covariance[0, 0]), rel=1e-10)
    assert test.df == 10


def test_egger_wants_ten_trials_of_different_size() -> None:
    y, v = funnel(9, 1)
    with pytest.raises(ValueError, match=r"Egger's test needs at least 10 trials, but there are 9"):
        egger(y, v)
    assert egger(y, v, minimum=5).df == 7
    with pytest.raises(ValueError, match="Egger's test needs at least 3 trials"):
        egger(y[:2], v[:2], minimum=0)
    with pytest.raises(ValueError, match="equally precise"):
        egger(y, np.full(9, 0.2), minimum=3)
    with pytest.raises(ValueError, match=r"variances\[0\] = -1"):
        egger(y, [-1, *v[1:]], minimum=3)


def test_a_symmetric_funnel_is_not_filled() -> None:
    y = np.array([-1, 2, 3, -4, -5, 6, 7, -8]) / 10  # rank sums 18 on either side
    v = np.full(8, 0.05)
    result = trim_and_fill(y, v, side="left")
    whole = pool(y, v, knapp_hartung=False)
    assert result.k0 == 0
    assert len(result.filled_estimates) == 0
    assert result.pooled.estimate == whole.estimate


def test_filled_trials_mirror_the_extreme_ones() -> None:
    y, v = effects_of("made_up 1")
    for side in ("left", "right"):
        result = trim_and_fill(y, v, "DL", side)
        other = trim_and_fill(-y, v, "DL", "right" if side == "left" else "left")
        assert result.k0 == other.k0
        np.testing.assert_array_equal(result.filled_estimates, -other.filled_estimates)
        assert result.pooled.k == len(y) + result.k0
    lopsided = funnel(12, 2.5)
    result = trim_and_fill(*lopsided)
    assert result.side == "left"
    assert result.k0 > 0
    assert result.pooled.estimate < pool(*lopsided).estimate
    # Each filled trial lies as far left of the trimmed centre as its original lies right of it.
    largest = np.sort(lopsided[0])[-result.k0 :]
    middles = (np.sort(result.filled_estimates)[::-1] + largest) / 2
    assert middles == pytest.approx(middles[0], abs=1e-12)


def test_trimming_that_goes_round_in_circles_is_an_error() -> None:
    y = [-0.545, -0.356, -0.187, 0.057, 0.162, 0.235, 0.3, 1.174]
    v = [0.0102, 0.12, 0.0457, 0.49, 0.466, 0.148, 0.118, 0.198]
    with pytest.raises(ArithmeticError, match="did not settle"):
        trim_and_fill(y, v, "DL", "left")


def test_trim_and_fill_refusals() -> None:
    y, v = funnel(5, 1)
    with pytest.raises(ValueError, match=r"needs at least 3 trials.*side must be one of left"):
        trim_and_fill(y[:2], v[:2], side="top")
    with pytest.raises(ValueError, match="equally precise"):
        trim_and_fill(y, np.ones(5))


def test_leaving_one_out_is_pooling_the_rest() -> None:
    y, v = funnel(5, 1)
    without = leave_one_out(y, v, method="PM", confidence=0.9)
    assert len(without) == 5
    assert without[0].estimate == pool(y[1:], v[1:], "PM", confidence=0.9).estimate
    assert without[4].upper == pool(y[:4], v[:4], "PM", confidence=0.9).upper
    with pytest.raises(ValueError, match=r"estimates\[1\] = nan.*variances\[0\] = 0"):
        leave_one_out([1, math.nan, 2], [0, 1, 1])
    with pytest.raises(ValueError, match="leaving one out needs at least 3 trials"):
        leave_one_out(y[:2], v[:2])


def test_an_outlier_stands_out() -> None:
    y, v = np.array([0.1, 0.2, 0.0, 0.15, 2.5]), np.full(5, 0.02)
    hit = influence(y, v)
    for values in (hit.studentised, hit.dffits, hit.cooks_distance, hit.q_share, hit.shift):
        assert np.argmax(values) == 4
    assert np.argmin(hit.tau2_without) == np.argmin(hit.q_without) == 4
    assert hit.hat.sum() == pytest.approx(1)
