"""What do several imputations say together?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import fdtrc, stdtr, stdtrit

from discontinuation.problems import Problem, refuse
from discontinuation.survival.follow_up import FloatArray
from discontinuation.survival.stored import storable

PLACE = "imputed results"


@storable
@dataclass(frozen=True, eq=False)
class Combined:
    """Results of several imputations, combined. All arrays have shape (parameters,).

    Attributes
    ----------
    estimate, se, lower, upper
        Mean estimate, root of the total variance, confidence limits.
    df
        Degrees of freedom of t; infinite if imputations agree and the data are not small.
    statistic, p_value
        estimate / se and its two-sided p-value; NaN if se is 0.
    within, between
        Mean variance, and variance of the estimates.
    missing_information
        Estimated share of the information that is missing.
    covariance
        Total covariance, shape (parameters, parameters); empty if only variances were given.
    joint_statistic, joint_df, joint_p_value
        F test that all parameters are 0, its two degrees of freedom; NaN without covariances.
    imputations
        Their number.
    complete_df
        Degrees of freedom if nothing were missing; infinite if not given.
    confidence
        Level of the limits.
    """

    estimate: FloatArray
    se: FloatArray
    lower: FloatArray
    upper: FloatArray
    df: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    within: FloatArray
    between: FloatArray
    missing_information: FloatArray
    covariance: FloatArray
    joint_statistic: float
    joint_df: tuple[float, float]
    joint_p_value: float
    imputations: int
    complete_df: float
    confidence: float

    @property
    def summary(self) -> pd.DataFrame:
        """One row per parameter."""
        names = ("estimate", "se", "lower", "upper", "df", "statistic", "p_value")
        columns = {name: getattr(self, name) for name in names}
        columns["missing_information"] = self.missing_information
        return pd.DataFrame(columns)

    def __str__(self) -> str:
        heading = f"{self.imputations} imputations by Rubin's rules, {self.confidence:.0%} limits"
        lines = [heading, self.summary.to_string(index=False)]
        if np.isfinite(self.joint_statistic):
            first, second = self.joint_df
            lines.append(
                f"all 0: F = {self.joint_statistic:.4f} on {first:g} and {second:.1f} df, "
                f"p = {self.joint_p_value:.4g}"
            )
        return "\n".join(lines)


@storable
@dataclass(frozen=True, eq=False)
class CombinedProbabilities:
    """Probabilities from several imputations, combined. All arrays have shape (probabilities,).

    Attributes
    ----------
    probability, se, lower, upper
        Estimate, its standard error (delta method) and limits, all carried back from the
        complementary log-log scale.
    df
        Degrees of freedom on that scale.
    missing_information
        Estimated share of the information that is missing.
    imputations, confidence
        As in `Combined`.
    notes
        Where nothing could be combined.
    """

    probability: FloatArray
    se: FloatArray
    lower: FloatArray
    upper: FloatArray
    df: FloatArray
    missing_information: FloatArray
    imputations: int
    confidence: float
    notes: tuple[str, ...]

    @property
    def summary(self) -> pd.DataFrame:
        """One row per probability."""
        names = ("probability", "se", "lower", "upper", "df", "missing_information")
        return pd.DataFrame({name: getattr(self, name) for name in names})

    def __str__(self) -> str:
        heading = (
            f"{self.imputations} imputations by Rubin's rules on the complementary log-log scale, "
            f"{self.confidence:.0%} limits"
        )
        return "\n".join([heading, self.summary.to_string(index=False), *self.notes])


def combine(
    estimates: npt.ArrayLike,
    variances: npt.ArrayLike,
    complete_df: float | None = None,
    *,
    confidence: float = 0.95,
) -> Combined:
    """Combine estimates from imputed datasets by Rubin's rules.

    Parameters
    ----------
    estimates
        One per imputation, shape (m,), or several, shape (m, parameters); on the scale on which
        they are normal.
    variances
        Their squared standard errors, of the same shape; or covariances, shape
        (m, parameters, parameters), which give a joint test too.
    complete_df
        Degrees of freedom if nothing were missing (Barnard and Rubin). None: a large sample.
    confidence
        Level of the limits.

    Returns
    -------
    Combined

    Raises
    ------
    InvalidInput
        Fewer than two imputations, shapes that do not belong together, values that are not finite,
        negative variances.

    References
    ----------
    Rubin DB. Multiple imputation for nonresponse in surveys. Wiley 1987, 3.1; Barnard J, Rubin DB.
    Biometrika 1999;86:948-955 (equation 3); Li KH, Raghunathan TE, Rubin DB. J Am Stat Assoc
    1991;86:1065-1073 (joint test).
    """
    values, spreads = _arrays(estimates, variances, complete_df, confidence)
    covariances = spreads if spreads.ndim == 3 else None
    count, parameters = values.shape
    own = spreads if covariances is None else np.diagonal(covariances, axis1=1, axis2=2)
    estimate, within = values.mean(axis=0), own.mean(axis=0)
    between = values.var(axis=0, ddof=1)
    total = within + (1 + 1 / count) * between
    known = np.inf if complete_df is None else float(complete_df)
    df, missing = _degrees(count, within, between, known)
    se = np.sqrt(total)
    half = stdtrit(df, (1 + confidence) / 2) * se
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(se > 0, estimate / se, np.nan)
    covariance = np.empty((0, 0))
    joint = np.nan, (float(parameters), np.nan), np.nan
    if covariances is not None:
        deviation = values - estimate
        scatter = deviation.T @ deviation / (count - 1)
        mean = covariances.mean(axis=0)
        covariance = mean + (1 + 1 / count) * scatter
        joint = _joint(estimate, mean, scatter, count)
    return Combined(
        estimate=estimate,
        se=se,
        lower=estimate - half,
        upper=estimate + half,
        df=df,
        statistic=statistic,
        p_value=2 * stdtr(df, -np.abs(statistic)),
        within=within,
        between=between,
        missing_information=missing,
        covariance=covariance,
        joint_statistic=joint[0],
        joint_df=joint[1],
        joint_p_value=joint[2],
        imputations=count,
        complete_df=known,
        confidence=confidence,
    )


def combine_probabilities(
    probabilities: npt.ArrayLike,
    variances: npt.ArrayLike,
    complete_df: float | None = None,
    *,
    confidence: float = 0.95,
) -> CombinedProbabilities:
    """Combine probabilities of the event from imputed datasets on the scale log(-log(1 - F)).

    Parameters
    ----------
    probabilities
        Cumulative incidences (or 1 - S), shape (m,) or (m, probabilities).
    variances
        Squared standard errors of the probabilities themselves, of the same shape.
    complete_df, confidence
        As in `combine`.

    Returns
    -------
    CombinedProbabilities
        Where every imputation has the same 0 or the same 1, that is the probability and its limits
        are NaN; where only some have 0 or 1, all is NaN. Both with a note.

    Raises
    ------
    InvalidInput
        As `combine`, and values outside 0 to 1.

    References
    ----------
    Marshall A, Altman DG, Holder RL, Royston P. BMC Med Res Methodol 2009;9:57.
    """
    values, spreads = _arrays(probabilities, variances, complete_df, confidence)
    if spreads.ndim == 3:
        refuse([Problem(PLACE, "one variance per probability", column="variances")])
    if ((values < 0) | (values > 1)).any():
        refuse([Problem(PLACE, "allowed: 0 to 1", column="probabilities")])
    inside = ((values > 0) & (values < 1) & (spreads > 0)).all(axis=0)
    size = values.shape[1]
    probability = np.where((values == values[0]).all(axis=0), values[0], np.nan)
    parts = {name: np.full(size, np.nan) for name in ("se", "lower", "upper", "df", "missing")}
    if inside.any():
        some = values[:, inside]
        log = np.log1p(-some)  # log(1 - F)
        scaled = spreads[:, inside] / ((1 - some) * log) ** 2
        result = combine(np.log(-log), scaled, complete_df, confidence=confidence)
        back = -np.expm1(-np.exp([result.estimate, result.lower, result.upper]))
        probability[inside], parts["lower"][inside], parts["upper"][inside] = back
        slope = (1 - back[0]) * np.exp(result.estimate)
        parts["se"][inside] = slope * result.se
        parts["df"][inside] = result.df
        parts["missing"][inside] = result.missing_information
    notes: tuple[str, ...] = ()
    if outside := int((~inside).sum()):
        notes = (
            f"note: {outside} of {size} are 0 or 1, or without variance, in some imputation; no "
            "limits there",
        )
    missing = parts.pop("missing")
    return CombinedProbabilities(
        probability=probability,
        **parts,
        missing_information=missing,
        imputations=len(values),
        confidence=confidence,
        notes=notes,
    )


def _arrays(
    estimates: npt.ArrayLike,
    variances: npt.ArrayLike,
    complete_df: float | None,
    confidence: float,
) -> tuple[FloatArray, FloatArray]:
    """Check and bring to shapes (m, parameters) and the same or (m, parameters, parameters)."""
    try:
        values = np.array(estimates, dtype=float)
        spreads = np.array(variances, dtype=float)
    except (TypeError, ValueError):
        refuse([Problem(PLACE, "allowed: numbers, as many for every imputation")])
    if values.ndim == 1:
        values = values[:, None]
        spreads = spreads[:, None] if spreads.ndim == 1 else spreads
    problems = []
    if values.ndim != 2 or values.shape[0] < 2 or not values.size:
        problems.append(Problem(PLACE, "at least two imputations are needed", column="estimates"))
    elif spreads.shape not in (values.shape, (*values.shape, values.shape[1])):
        message = f"shape {spreads.shape} does not belong to estimates of shape {values.shape}"
        problems.append(Problem(PLACE, message, column="variances"))
    refuse(problems)
    own = spreads if spreads.ndim == 2 else np.diagonal(spreads, axis1=1, axis2=2)
    if not (np.isfinite(values).all() and np.isfinite(spreads).all()):
        problems.append(Problem(PLACE, "allowed: finite numbers"))
    if (own < 0).any():
        problems.append(Problem(PLACE, "allowed: 0 or more", column="variances"))
    if complete_df is not None and not complete_df > 0:
        problems.append(Problem(PLACE, "allowed: above 0", None, "complete_df", str(complete_df)))
    if not 0 < confidence < 1:
        message = "allowed: a number between 0 and 1"
        problems.append(Problem(PLACE, message, None, "confidence", str(confidence)))
    refuse(problems)
    return values, spreads


def _degrees(
    count: int, within: FloatArray, between: FloatArray, complete_df: float
) -> tuple[FloatArray, FloatArray]:
    """Degrees of freedom and share of missing information."""
    extra = (1 + 1 / count) * between
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(extra > 0, extra / (within + extra), 0.0)
        increase = np.where(extra > 0, extra / within, 0.0)
        df = (count - 1) / share**2
        if np.isfinite(complete_df):
            observed = (complete_df + 1) / (complete_df + 3) * complete_df * (1 - share)
            df = 1 / (1 / df + 1 / observed)
        missing = (increase + 2 / (df + 3)) / (increase + 1)
    missing = np.where(extra > 0, np.where(within > 0, missing, 1.0), 0.0)
    return df, missing


def _joint(
    estimate: FloatArray, within: FloatArray, between: FloatArray, count: int
) -> tuple[float, tuple[float, float], float]:
    """Test that all are 0 (the statistic D1)."""
    size = len(estimate)
    if np.linalg.matrix_rank(within, hermitian=True) < size:
        return np.nan, (float(size), np.nan), np.nan
    increase = (1 + 1 / count) * float(np.trace(np.linalg.solve(within, between))) / size
    distance = float(estimate @ np.linalg.solve(within, estimate))
    statistic = distance / (size * (1 + increase))
    freedom = size * (count - 1)
    if increase == 0:
        second = np.inf
    elif freedom > 4:
        second = 4 + (freedom - 4) * (1 + (1 - 2 / freedom) / increase) ** 2
    else:
        second = freedom * (1 + 1 / size) * (1 + 1 / increase) ** 2 / 2
    # F on infinitely many degrees of freedom is chi-square / size.
    p_value = float(fdtrc(size, min(second, 1e12), statistic))
    return statistic, (float(size), float(second)), p_value
