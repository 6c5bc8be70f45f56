"""Which parameters does the model have, where do they stand, and what is assumed of them?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from discontinuation.classify.observed import Observed
from discontinuation.classify.settings import ItemPrior, Normal, Settings

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Layout:
    """Places of the parameters in one vector, and their prior.

    Order: log baseline hazard of relapse by study and period; beta; eta; log alpha by study; log
    tau; log kappa; logit of the protracted share; log nu by study; logits of the symptoms by
    withdrawal and by relapse; log mean resolution times by withdrawal and by relapse.

    Attributes
    ----------
    studies, periods, items
        How many.
    precision, centre
        Normal priors: ``-(x - centre)' precision (x - centre) / 2``.
    beta_prior
        Beta priors of the symptoms, a and b of ``a log pi + b log(1 - pi)``, shape (2, 2 items).
    """

    studies: int
    periods: int
    items: int
    precision: FloatArray = field(repr=False)
    centre: FloatArray = field(repr=False)
    beta_prior: FloatArray = field(repr=False)

    @property
    def baseline(self) -> slice:
        """Log baseline hazards of relapse, study by study."""
        return slice(0, self.studies * self.periods)

    @property
    def beta(self) -> int:
        """Log hazard ratio of relapse; eta stands after it."""
        return self.studies * self.periods

    @property
    def eta(self) -> int:
        """Early log multiplier."""
        return self.beta + 1

    @property
    def alpha(self) -> slice:
        """Log withdrawal hazards at full drive, by study."""
        return slice(self.eta + 1, self.eta + 1 + self.studies)

    @property
    def tau(self) -> int:
        """Log adaptation time; log kappa and the logit of the protracted share stand after it."""
        return int(self.alpha.stop)

    @property
    def kappa(self) -> int:
        """Log convexity."""
        return self.tau + 1

    @property
    def protracted(self) -> int:
        """Logit of the share of withdrawal that adapts slowly."""
        return self.kappa + 1

    @property
    def nocebo(self) -> slice:
        """Log nocebo hazards, by study."""
        return slice(self.protracted + 1, self.protracted + 1 + self.studies)

    @property
    def item_withdrawal(self) -> slice:
        """Logits of the symptoms by withdrawal."""
        return slice(self.nocebo.stop, self.nocebo.stop + self.items)

    @property
    def item_relapse(self) -> slice:
        """Logits of the symptoms by relapse."""
        return slice(self.item_withdrawal.stop, self.item_withdrawal.stop + self.items)

    @property
    def symptoms(self) -> slice:
        """Logits of all symptoms."""
        return slice(self.item_withdrawal.start, self.item_relapse.stop)

    @property
    def resolution(self) -> slice:
        """Log mean resolution times, withdrawal and relapse."""
        return slice(self.item_relapse.stop, self.item_relapse.stop + 2)

    @property
    def size(self) -> int:
        """Number of parameters, those held fixed included."""
        return int(self.resolution.stop)

    def prior(self, theta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Log prior without its constant, its gradient, and minus its second derivative."""
        off = theta - self.centre
        pull = self.precision @ off
        a, b = self.beta_prior
        logits = theta[self.symptoms]
        share = 1 / (1 + np.exp(-logits))
        value = -0.5 * float(off @ pull) + float((a * logits - (a + b) * _softplus(logits)).sum())
        gradient, curvature = -pull, self.precision.copy()
        gradient[self.symptoms] += a - (a + b) * share
        place = np.arange(self.symptoms.start, self.symptoms.stop)
        curvature[place, place] += (a + b) * share * (1 - share)
        return value, gradient, curvature


def layout_of(observed: Observed, settings: Settings) -> Layout:
    """Lay out the parameters of a model of these data and set their prior (methods B6)."""
    studies, items = len(observed.studies), len(observed.items)
    periods = 1 + len(cuts_within(observed, settings))
    size = studies * (periods + 2) + 5 + 2 * items + 2
    centre, precision = np.zeros(size), np.zeros((size, size))
    beliefs = [_item_prior(settings, name) for name in observed.items]
    withdrawal = [(p.withdrawal, p.withdrawal_weight) for p in beliefs]
    relapse = [(p.relapse, p.relapse_weight) for p in beliefs]
    mu, weight = np.array(withdrawal + relapse).reshape(-1, 2).T
    beta_prior = np.array([weight * mu, weight * (1 - mu)])
    layout = Layout(studies, periods, items, precision, centre, beta_prior)
    for place, normal in _normals(layout, settings):
        centre[place] = normal.mean
        precision[place, place] = 1 / normal.sd**2
    # The log of each step of the grid is a rate per step, not per unit of time.
    log_step = math.log(settings.step)
    for group in (layout.baseline, layout.alpha, layout.nocebo):
        centre[group] += log_step
    walk = 1 / settings.baseline_walk_sd**2
    for study in range(studies):
        for earlier in range(study * periods, (study + 1) * periods - 1):
            pair = np.ix_([earlier, earlier + 1], [earlier, earlier + 1])
            precision[pair] += walk * np.array([[1.0, -1.0], [-1.0, 1.0]])
    centre[layout.baseline] = np.repeat(centre[layout.baseline][::periods], periods)
    return layout


def _normals(layout: Layout, settings: Settings) -> list[tuple[int, Normal]]:
    """Where each normal prior stands; of the baseline only the first level has its own."""
    found = [
        (layout.beta, settings.beta),
        (layout.eta, settings.eta),
        (layout.tau, settings.log_tau),
        (layout.kappa, settings.log_kappa),
        (layout.protracted, settings.logit_protracted),
        (layout.resolution.start, settings.log_resolution_withdrawal),
        (layout.resolution.start + 1, settings.log_resolution_relapse),
    ]
    for study in range(layout.studies):
        found.append((study * layout.periods, settings.log_baseline))
        found.append((layout.alpha.start + study, settings.log_alpha))
        found.append((layout.nocebo.start + study, settings.log_nocebo))
    return found


def _item_prior(settings: Settings, name: str) -> ItemPrior:
    return settings.items.get(name, settings.item)


def cuts_within(observed: Observed, settings: Settings) -> FloatArray:
    """Cuts of the baseline hazard that lie within the grid of at least one study."""
    end = observed.begins.max() + settings.step * observed.retained.shape[1]
    cuts = np.array(settings.relapse_cuts, dtype=float)
    return np.asarray(cuts[cuts < end - 1e-9])


def starting_values(layout: Layout, tau: float, kappa: float, rate: float) -> FloatArray:
    """Values to begin with: prior centres, a crude relapse rate, and this tau and kappa.

    Parameters
    ----------
    layout
        The parameters.
    tau, kappa
        In the unit of the data.
    rate
        Events per person-step.
    """
    theta = layout.centre.copy()
    theta[layout.baseline] = math.log(rate)
    theta[layout.tau], theta[layout.kappa] = math.log(tau), math.log(kappa)
    a, b = layout.beta_prior
    theta[layout.symptoms] = np.log(a / b)
    return theta


def _softplus(x: FloatArray) -> FloatArray:
    return np.asarray(np.logaddexp(0.0, x))
