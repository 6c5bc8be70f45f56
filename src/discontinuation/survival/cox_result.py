"""What did a Cox model find, and what follows from it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival import cox_curves, cox_residuals, cox_tests
from discontinuation.survival._cox_kernels import FloatArray
from discontinuation.survival.cox_curves import CONF_TYPES, ConfType, CoxBaseline, CoxCurves
from discontinuation.survival.cox_fit import Fit, Ties, refit
from discontinuation.survival.cox_people import People, for_new_people
from discontinuation.survival.cox_tests import Clock, ProportionalHazards
from discontinuation.survival.stored import storable

Interval = Literal["wald", "profile"]
Residual = Literal["martingale", "deviance", "score", "dfbeta", "schoenfeld"]


@dataclass(frozen=True, eq=False)
class Fitted:
    """The people a model was fitted to, and the fit on the scale of `sets`.

    Attributes
    ----------
    people
        Checked and arranged.
    fit
        What the kernels found.
    variance
        Of the coefficients, shape (p, p): robust if that was asked for.
    penalty
        Ridge of each coefficient, shape (p,).
    frailty
        Relative hazard of each group by its label, if there is a frailty.
    """

    people: People
    fit: Fit
    variance: FloatArray
    penalty: FloatArray
    frailty: pd.Series | None

    def at(self, ties: Ties) -> cox_residuals.AtEstimate:
        """Sum up the risk sets at the estimate."""
        return cox_residuals.at_estimate(self.people.sets, ties, self.fit.beta)


@storable
@dataclass(frozen=True, eq=False)
class CoxModel:
    """A fitted Cox model.

    It can be stored and read back; the people it was fitted to are not stored with it, so that
    residuals, tests and predictions are there only as long as the model is.

    Attributes
    ----------
    formula
        As given.
    terms
        Names of the coefficients, p of them.
    coef
        Log hazard ratios, shape (p,).
    covariance
        Of `coef` if the model is right, shape (p, p).
    robust_covariance
        The sandwich, or NaN if it was not asked for, shape (p, p).
    lower, upper
        Limits of the log hazard ratios, shape (p,).
    p_value
        Shape (p,): of the Wald test, or of the likelihood ratio with profile intervals.
    interval, level
        Kind of the limits ("wald" with the robust standard error if there is one, or "profile")
        and their level.
    ties
        How tied events entered.
    log_likelihood_null, log_likelihood
        At 0 and at the estimate; with Firth's penalty if there is one.
    score_test
        Chi-square of the score at 0, on p degrees of freedom.
    n, events, clusters
        Rows of weight above 0, rows with an event, groups of rows that go together (the rows
        unless `cluster` was given).
    strata, eventless_strata
        How many strata, and how many of them tell nothing because they have no event.
    dropped
        Rows left out because something was blank.
    firth, penalty
        Whether Firth's penalty was added; factor of the ridge.
    theta
        Variance of the gamma frailty, NaN without one; the log-likelihood is then integrated over
        the frailty.
    frailty_test
        Twice what that likelihood gains over no frailty; NaN without one.
    steps
        Newton steps.
    """

    formula: str
    terms: tuple[str, ...]
    coef: FloatArray
    covariance: FloatArray
    robust_covariance: FloatArray
    lower: FloatArray
    upper: FloatArray
    p_value: FloatArray
    interval: Interval
    level: float
    ties: Ties
    log_likelihood_null: float
    log_likelihood: float
    score_test: float
    n: int
    events: int
    clusters: int
    strata: int
    eventless_strata: int
    dropped: int
    firth: bool
    penalty: float
    theta: float
    frailty_test: float
    steps: int

    # Not stored: see above.
    _fitted: ClassVar[Fitted | None] = None

    @property
    def robust(self) -> bool:
        """Whether the robust standard error is the one that counts."""
        return bool(np.isfinite(self.robust_covariance).all())

    @property
    def summary(self) -> pd.DataFrame:
        """One row per coefficient; `lower` and `upper` are limits of the hazard ratio."""
        se = np.sqrt(np.diag(self.covariance))
        robust = np.sqrt(np.diag(self.robust_covariance))
        return pd.DataFrame(
            {
                "term": self.terms,
                "coef": self.coef,
                "se": se,
                "robust_se": robust,
                "hazard_ratio": np.exp(self.coef),
                "lower": np.exp(self.lower),
                "upper": np.exp(self.upper),
                "z": self.coef / (robust if self.robust else se),
                "p_value": self.p_value,
            }
        )

    @property
    def tests(self) -> pd.DataFrame:
        """Tests of all coefficients at once: ``test, statistic, df, p_value``.

        With a frailty there is, instead of likelihood ratio and score, the likelihood ratio test
        of its variance (Self SG, Liang KY. J Am Stat Assoc 1987;82:605-610).
        """
        from scipy.special import chdtrc

        used = self.robust_covariance if self.robust else self.covariance
        name = "robust wald" if self.robust else "wald"
        df = len(self.coef)
        rows = [(name, float(self.coef @ np.linalg.lstsq(used, self.coef, rcond=None)[0]), df)]
        if not np.isnan(self.theta):
            rows.append(("frailty variance", self.frailty_test, 1))
        else:
            gain = 2 * (self.log_likelihood - self.log_likelihood_null)
            rows = [("likelihood ratio", gain, df), *rows, ("score", self.score_test, df)]
        table = pd.DataFrame(rows, columns=["test", "statistic", "df"])
        p_value = chdtrc(table["df"], table["statistic"])
        # A variance cannot be below 0: half of the time nothing is gained.
        half = np.where(table["test"] == "frailty variance", 0.5, 1.0)
        return table.assign(p_value=p_value * half)

    def __str__(self) -> str:
        kind = "Firth's penalised likelihood" if self.firth else "partial likelihood"
        lines = [
            f"Cox model, {self.ties} ties, {kind}: {self.formula}",
            f"{self.n} rows, {self.events} events"
            + (f", {self.clusters} clusters" if self.clusters != self.n else "")
            + (f", {self.strata} strata" if self.strata > 1 else "")
            + (f" ({self.eventless_strata} without an event)" if self.eventless_strata else "")
            + (f", {self.dropped} rows with blanks left out" if self.dropped else ""),
            self.summary.to_string(index=False, float_format=lambda value: f"{value:.4g}"),
            f"{self.level:.0%} {self.interval} limits of the hazard ratio"
            + (", robust standard errors" if self.robust and self.interval == "wald" else ""),
            f"log-likelihood {self.log_likelihood:.4f} (null {self.log_likelihood_null:.4f})",
        ]
        if self.penalty:
            lines.insert(2, f"ridge penalty {self.penalty:g}")
        if not np.isnan(self.theta):
            lines.append(f"gamma frailty of variance {self.theta:.4g}, integrated over")
        return "\n".join(lines)

    def proportional_hazards(self, transform: Clock = "km") -> ProportionalHazards:
        """Test whether effects stay the same over time.

        Parameters
        ----------
        transform
            Time against which they are tested: "km", "rank", "identity", "log", or a function.

        Raises
        ------
        InvalidInput
            Another transform; exact ties; a model that was stored and read back.
        """
        fitted = self._with_people("tests", frailty=False)
        people = fitted.people
        return cox_tests.proportional_hazards(
            people.sets, fitted.at(self.ties), people.follow, transform, fitted.fit.beta,
            people.names, people.term_of, fitted.penalty,
        )  # fmt: skip

    def residuals(self, kind: Residual = "martingale") -> pd.Series | pd.DataFrame:
        """Return residuals, by the index of the data.

        Parameters
        ----------
        kind
            "martingale" and "deviance": one per row; "score" (without the case weight) and
            "dfbeta" (approximate change of the coefficients if the row were left out): one column
            per coefficient; "schoenfeld": one row per event, in order of stratum and time. These
            are R's, with `weighted` as R has it by default.

        Raises
        ------
        InvalidInput
            Another kind; exact ties; a model that was stored and read back.
        """
        if kind not in get_args(Residual):
            refuse([Problem("residuals", allowed_values(get_args(Residual), kind), value=kind)])
        fitted = self._with_people("residuals")
        sets, index, at = fitted.people.sets, fitted.people.index, fitted.at(self.ties)
        if kind == "schoenfeld":
            rows, values = cox_residuals.schoenfeld(sets, at)
            place = index[sets.row[rows]]
            return pd.DataFrame(values * sets.scale, index=place, columns=list(self.terms))
        rows, own = np.unique(sets.row, return_inverse=True)
        if kind in ("martingale", "deviance"):
            pieces = np.column_stack([cox_residuals.martingale(sets, at), sets.event])
            each, events = cox_residuals.grouped_sums(pieces, own, len(rows)).T
            if kind == "deviance":
                each = cox_residuals.deviance(each, events)
            return pd.Series(each, index=index[rows], name=kind)
        score = cox_residuals.score(sets, at)
        if kind == "dfbeta":
            score = score * sets.weight[:, None]
        table = cox_residuals.grouped_sums(score, own, len(rows))
        if kind == "dfbeta":
            table = table @ fitted.fit.covariance / sets.scale
        else:
            table = table * sets.scale
        return pd.DataFrame(table, index=index[rows], columns=list(self.terms))

    def baseline(self, covariates: Literal["zero", "mean"] = "zero") -> CoxBaseline:
        """Return the cumulative hazard of each stratum, with covariates at 0 or at their mean.

        Efron's form with Efron's ties: its increments are sums over the tied of one over what is
        left at risk.
        """
        fitted = self._with_people("baseline hazards")
        if fitted.people.changing is not None:
            rule = "covariates that change with time have no baseline of their own; use predict"
            refuse([Problem("baseline", rule)])
        return cox_curves.baseline(
            fitted.people.sets, fitted.at(self.ties), fitted.fit.beta, covariates,
            fitted.people.stratum_labels, self.ties, self.n,
        )  # fmt: skip

    def predict(
        self, new_data: pd.DataFrame, conf_type: ConfType = "log-log", level: float = 0.95
    ) -> CoxCurves:
        """Predict survival of new people.

        Parameters
        ----------
        new_data
            One row per person, with the columns of the formula, and those of strata and offset
            if the model has them. Its index labels the curves.
        conf_type, level
            Scale on which the limits are symmetric, and their level.

        Raises
        ------
        InvalidInput
            Columns that are missing or blank, levels and strata the model does not know.

        References
        ----------
        Tsiatis AA. Ann Stat 1981;9:93-108 (variance, with that of the coefficients); R's
        survfit.coxph gives the same.
        """
        fitted = self._with_people("predictions", frailty=False)
        if conf_type not in CONF_TYPES:
            refuse([Problem("predict", allowed_values(CONF_TYPES, conf_type), value=conf_type)])
        if not 0 < level < 1:
            refuse([Problem("predict", "allowed: between 0 and 1", None, "level", str(level))])
        person, changing, offset, code = for_new_people(fitted.people, new_data)
        first, time, hazard, se = cox_curves.curves(
            fitted.people.sets, fitted.at(self.ties), fitted.fit.beta, fitted.variance, person,
            changing, offset, code,
        )  # fmt: skip
        return CoxCurves(
            curve=tuple(map(str, new_data.index)),
            stratum=tuple(fitted.people.stratum_labels[one] for one in code),
            first=first,
            time=time,
            cumulative_hazard=hazard,
            se_hazard=se,
            conf_type=conf_type,
            level=level,
            ties=self.ties,
            people=self.n,
            events=self.events,
        )

    def refit(self, multiplicities: npt.ArrayLike) -> FloatArray:
        """Fit again with each row there as often as its multiplicity says: a bootstrap.

        Parameters
        ----------
        multiplicities
            Whole numbers of 0 or more, shape (fits, rows of the data without those that were
            left out for blanks).

        Returns
        -------
        array of shape (fits, p)
            Coefficients; NaN where the likelihood has no maximum.
        """
        fitted = self._with_people("refits", frailty=False)
        rows = len(fitted.people.index)
        times = np.atleast_2d(np.asarray(multiplicities, dtype=float))
        if times.shape[1] != rows or (times < 0).any() or (times % 1).any():
            rule = f"allowed: whole numbers of 0 or more, {rows} per fit"
            refuse([Problem("multiplicities", rule)])
        if self.firth or self.penalty:
            refuse([Problem("refit", "is for models without a penalty")])
        return refit(fitted.people.sets, times, self.ties, fitted.fit.beta)[0]

    @property
    def frailties(self) -> pd.Series:
        """Relative hazard of each group, by its label, given what happened to it."""
        fitted = self._with_people("frailties")
        if fitted.frailty is None:
            refuse([Problem("frailties", "the model has none")])
        assert fitted.frailty is not None
        return fitted.frailty

    def _with_people(self, what: str, frailty: bool = True) -> Fitted:
        problems = []
        if self._fitted is None:
            rule = f"{what} need the people, who are not stored with it; fit it again"
            problems.append(Problem("stored Cox model", rule))
        if self.ties == "exact":
            rule = f"{what} are there for efron and breslow only"
            problems.append(Problem("ties", rule, value="exact"))
        if not frailty and np.isfinite(self.theta):
            problems.append(Problem("frailty", f"{what} are not there for models with a frailty"))
        refuse(problems)
        assert self._fitted is not None
        return self._fitted
