"""What effect do the means of two arms show, and what spread lies behind a printed mean?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from discontinuation.synthesis.effect import (
    Effect,
    Floats,
    bad_confidence,
    bad_values,
    floats,
    not_positive,
    not_probability,
    plain,
    refuse,
)


def mean_difference(
    mean_a: npt.ArrayLike,
    sd_a: npt.ArrayLike,
    n_a: npt.ArrayLike,
    mean_b: npt.ArrayLike,
    sd_b: npt.ArrayLike,
    n_b: npt.ArrayLike,
) -> Effect:
    """Difference of two means, standard deviations not assumed equal.

    Parameters
    ----------
    mean_a, mean_b
        Means, in the units of the instrument.
    sd_a, sd_b
        Standard deviations of people, not standard errors.
    n_a, n_b
        People measured.

    Returns
    -------
    Effect
        On the plain scale, variance ``sd_a**2 / n_a + sd_b**2 / n_b``.

    Raises
    ------
    ValueError
        Standard deviations or sizes that are not positive.

    References
    ----------
    Cochrane Handbook 6.5.1.1.
    """
    m1, s1, n1, m2, s2, n2 = floats(mean_a, sd_a, n_a, mean_b, sd_b, n_b)
    refuse(not_positive(sd_a=s1, n_a=n1, sd_b=s2, n_b=n2))
    variance = s1**2 / n1 + s2**2 / n2
    return Effect(plain(m1 - m2), plain(variance), "identity", "mean difference")


def standardised_mean_difference(
    mean_a: npt.ArrayLike,
    sd_a: npt.ArrayLike,
    n_a: npt.ArrayLike,
    mean_b: npt.ArrayLike,
    sd_b: npt.ArrayLike,
    n_b: npt.ArrayLike,
) -> Effect:
    """Hedges' g: difference of means over the pooled standard deviation, bias removed.

    Parameters
    ----------
    mean_a, sd_a, n_a, mean_b, sd_b, n_b
        As for `mean_difference`; at least four people in the two arms together.

    Returns
    -------
    Effect
        On the plain scale, in standard deviations, with the exact gamma-function correction
        and the large-sample variance ``1/n_a + 1/n_b + g**2 / (2 (n_a + n_b))``
        (metafor's ``escalc(measure="SMD", vtype="LS")``).

    Raises
    ------
    ValueError
        Standard deviations or sizes that are not positive, or fewer than four people.

    References
    ----------
    Hedges LV. J Educ Stat 1981;6:107-128.
    """
    m1, s1, n1, m2, s2, n2 = floats(mean_a, sd_a, n_a, mean_b, sd_b, n_b)
    df = n1 + n2 - 2
    refuse(
        not_positive(sd_a=s1, n_a=n1, sd_b=s2, n_b=n2)
        + bad_values("n_a + n_b", n1 + n2, df > 1, "at least 4")
    )
    pooled_sd = np.sqrt(((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / df)
    correction = np.exp(
        special.gammaln(df / 2) - np.log(np.sqrt(df / 2)) - special.gammaln((df - 1) / 2)
    )
    g = correction * ((m1 - m2) / pooled_sd)
    variance = 1 / n1 + 1 / n2 + g**2 / (2 * (n1 + n2))
    return Effect(plain(g), plain(variance), "identity", "standardised mean difference, Hedges g")


def sd_from_se(se: npt.ArrayLike, n: npt.ArrayLike) -> Floats:
    """Find the standard deviation of people from the standard error of their mean.

    Parameters
    ----------
    se, n
        Standard error of one arm's mean, and people measured.

    Returns
    -------
    float or array
        ``se * sqrt(n)``.

    Raises
    ------
    ValueError
        Values that are not positive.

    References
    ----------
    Cochrane Handbook 6.5.2.2.
    """
    error, size = floats(se, n)
    refuse(not_positive(se=error, n=size))
    return plain(error * np.sqrt(size))


def sd_from_interval(
    lower: npt.ArrayLike, upper: npt.ArrayLike, n: npt.ArrayLike, confidence: float = 0.95
) -> Floats:
    """Find the standard deviation of people from the confidence interval of one arm's mean.

    Parameters
    ----------
    lower, upper
        Limits of the mean.
    n
        People measured, at least 2.
    confidence
        Level of the interval.

    Returns
    -------
    float or array
        ``sqrt(n) * (upper - lower) / (2 t)``, with Student's t on n - 1 degrees of freedom
        whatever n is: for large arms it is the normal quantile anyway.

    Raises
    ------
    ValueError
        Limits in the wrong order, n below 2, a level outside (0, 1).

    References
    ----------
    Cochrane Handbook 6.5.2.2.
    """
    low, high, size = floats(lower, upper, n)
    refuse(
        bad_confidence(confidence)
        + bad_values("upper - lower", high - low, high > low, "greater than 0")
        + bad_values("n", size, np.isfinite(size) & (size >= 2), "at least 2")
    )
    quantile = stats.t.isf((1 - confidence) / 2, size - 1)
    return plain(np.sqrt(size) * (high - low) / (2 * quantile))


def sd_from_p(
    difference: npt.ArrayLike, p: npt.ArrayLike, n_a: npt.ArrayLike, n_b: npt.ArrayLike
) -> Floats:
    """Find the standard deviation common to two arms from the exact p-value of a t test.

    Parameters
    ----------
    difference
        Difference of the means, not 0.
    p
        Two-sided p-value of the unpaired t test, as printed with an equals sign.
    n_a, n_b
        People per arm, at least 3 together.

    Returns
    -------
    float or array
        ``(|difference| / t) / sqrt(1/n_a + 1/n_b)``, t on n_a + n_b - 2 degrees of freedom.

    Raises
    ------
    ValueError
        A difference of 0, p outside (0, 1), arms that are empty or too small.

    References
    ----------
    Cochrane Handbook 6.5.2.3.
    """
    delta, prob, n1, n2 = floats(difference, p, n_a, n_b)
    refuse(
        not_positive(n_a=n1, n_b=n2)
        + not_probability(p=prob)
        + bad_values("difference", delta, np.isfinite(delta) & (delta != 0), "finite and not 0")
        + bad_values("n_a + n_b", n1 + n2, n1 + n2 > 2, "at least 3")
    )
    se = np.abs(delta) / stats.t.isf(prob / 2, n1 + n2 - 2)
    return plain(se / np.sqrt(1 / n1 + 1 / n2))


def combine_arms_means(
    means: npt.ArrayLike, sds: npt.ArrayLike, n: npt.ArrayLike
) -> tuple[float, float, float]:
    """Join several arms of one trial into one with the mean and SD of all their people.

    Parameters
    ----------
    means, sds, n
        Mean, standard deviation and people per arm, shape (arms,).

    Returns
    -------
    tuple of float
        Mean, standard deviation and number of all people together. Exact: the sums of squares
        within and between arms are added, which for two arms is the Cochrane formula.

    Raises
    ------
    ValueError
        Standard deviations or sizes that are not positive, fewer than two people.

    References
    ----------
    Cochrane Handbook 6.5.2.10, table 6.5.a.
    """
    mean, sd, size = floats(means, sds, n)
    total = size.sum()
    refuse(
        not_positive(sds=sd, n=size)
        + bad_values("the sum of n", np.asarray(total), np.asarray(total > 1), "greater than 1")
    )
    grand = float((size * mean).sum() / total)
    squares = ((size - 1) * sd**2 + size * (mean - grand) ** 2).sum()
    return grand, float(np.sqrt(squares / (total - 1))), float(total)
