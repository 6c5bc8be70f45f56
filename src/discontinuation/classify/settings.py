"""What does the latent-cause model assume before it sees the data?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace

from discontinuation.classify.arguments import is_number, share_problems, whole_number_problems
from discontinuation.problems import Problem, refuse

PLACE = "classification settings"
WEEK = 7.0


@dataclass(frozen=True)
class Normal:
    """A normal prior.

    Attributes
    ----------
    mean, sd
        On the scale on which the parameter is estimated: log for everything but log ratios.
    """

    mean: float
    sd: float


@dataclass(frozen=True)
class ItemPrior:
    """Beta prior ``Beta(1 + m mu, 1 + m (1 - mu))`` of one symptom by cause (methods B6).

    Attributes
    ----------
    withdrawal, relapse
        Expected probability mu that the symptom is new or worse.
    withdrawal_weight, relapse_weight
        How many events that expectation counts for, m.
    """

    withdrawal: float = 0.5
    relapse: float = 0.5
    withdrawal_weight: float = 6.0
    relapse_weight: float = 2.0


@dataclass(frozen=True)
class Settings:
    """Every assumption of the model (methods B3, B4 and B6); all can be changed.

    Times and rates are in the unit of the data, which is the day unless `in_unit` is used.

    Attributes
    ----------
    log_tau, log_kappa, log_alpha
        Priors of adaptation time, convexity, and withdrawal hazard at full drive.
    log_kappa_test
        Prior of kappa when kappa = 1 is tested.
    beta, eta
        Priors of the log hazard ratio of relapse at complete loss of protection, and of the
        early log multiplier.
    early_multiplier
        Whether eta is estimated; it is 0 otherwise.
    early_days, early_loss
        The early window lasts this long from when the loss of protection first exceeds this.
    kappa
        None: estimated, if the data hold two paces. A number: fixed at it.
    relapse_cuts
        Where the baseline hazard of relapse may change; cuts after the last day are left out.
    log_baseline, baseline_walk_sd
        Weak prior of its first level (0.3 per 365 days, a proposal), and standard deviation of
        each change of its log.
    log_resolution_withdrawal, log_resolution_relapse
        Priors of the mean time from reinstatement to resolution.
    item, items
        Prior of a symptom's probabilities, and where a named symptom has its own. The default
        takes the weights of methods B6 around one half for both causes: published frequencies
        compare stopping with continuing, not withdrawal with relapse (domain 2.4), so no symptom
        is assumed to belong to either. Much weaker priors let noise pass for a profile: without
        withdrawal, the likelihood ratio then exceeds 10 too often.
    grades
        Symptoms that are rated in grades, with the highest of each (2 or more); 0 is not new or
        worse. The others are 0 or 1. The probability of each step, such as ``nausea >= 2`` among
        those who have it, is free in each cause, with the prior in `items` under that name.
    protracted
        Whether a share of the withdrawal hazard adapts slowly, with the time constant
        `protracted_days` (a proposal): ``alpha {(1 - s) w^kappa + s w_slow^kappa}``.
    logit_protracted, protracted_days
        Prior of the logit of that share s (a proposal), and the slow adaptation time.
    nocebo
        Whether a third cause acts in blinded arms, with the symptoms of withdrawal and the
        hazard ``nu exp(-t / nocebo_days)`` from the first apparent change.
    log_nocebo, nocebo_days
        Prior of nu and decay time (proposals).
    withdrawal_at, relapse_at
        The decision: withdrawal from this probability on, relapse up to this one (methods B5).
    day
        Length of a day in the unit of the data.
    step
        Length of the grid on which hazards are constant: the state at the end of a step counts
        for all of it (the daily scheme of methods F2).
    starts
        Starting values (tau, kappa) of the search.
    horizons
        Times at which shares are reported.
    confidence
        Level of all limits.
    """

    log_tau: Normal = Normal(math.log(14.0), 0.5)
    log_kappa: Normal = Normal(math.log(2.0), 0.35)
    log_kappa_test: Normal = Normal(math.log(1.5), 1.0)
    log_alpha: Normal = Normal(math.log(0.03), 1.5)
    beta: Normal = Normal(0.0, 1.0)
    eta: Normal = Normal(0.0, 0.7)
    early_multiplier: bool = True
    early_days: float = 56.0
    early_loss: float = 0.1
    kappa: float | None = None
    relapse_cuts: tuple[float, ...] = (56.0, 182.0, 364.0)
    log_baseline: Normal = Normal(math.log(0.3 / 365.0), 3.0)
    baseline_walk_sd: float = 0.5
    log_resolution_withdrawal: Normal = Normal(math.log(6.0), 0.5)
    log_resolution_relapse: Normal = Normal(math.log(35.0), 0.5)
    item: ItemPrior = ItemPrior()
    items: Mapping[str, ItemPrior] = field(default_factory=dict)
    grades: Mapping[str, int] = field(default_factory=dict)
    protracted: bool = False
    logit_protracted: Normal = Normal(math.log(0.2 / 0.8), 1.5)
    protracted_days: float = 90.0
    nocebo: bool = False
    log_nocebo: Normal = Normal(math.log(0.003), 1.5)
    nocebo_days: float = 14.0
    withdrawal_at: float = 0.8
    relapse_at: float = 0.2
    day: float = 1.0
    step: float = 1.0
    starts: tuple[tuple[float, float], ...] = (
        (14.0, 2.0),
        (5.0, 1.2),
        (5.0, 3.0),
        (40.0, 1.2),
        (40.0, 3.0),
    )
    horizons: tuple[float, ...] = (182.0, 364.0)
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Refuse settings that cannot be used, with every reason.

        Raises
        ------
        InvalidInput
            All problems at once.
        """
        refuse(_problems(self))

    def in_unit(self, days: float) -> Settings:
        """Return the same assumptions for data whose times are in another unit.

        Parameters
        ----------
        days
            Length of that unit in the present one, for example 7 for weeks instead of days.

        Raises
        ------
        InvalidInput
            A length that is no number above 0.
        """
        if not (is_number(days) and days > 0):
            refuse([_problem("unit", "allowed: a number above 0", days)])
        log = math.log(days)
        longer = ("log_tau", "log_resolution_withdrawal", "log_resolution_relapse")
        rates = ("log_alpha", "log_baseline", "log_nocebo")
        changed: dict[str, object] = {
            name: replace(prior, mean=prior.mean + (log if name in rates else -log))
            for name in (*longer, *rates)
            for prior in [getattr(self, name)]
        }
        changed |= {
            name: getattr(self, name) / days
            for name in ("early_days", "protracted_days", "nocebo_days", "day", "step")
        }
        for name in ("relapse_cuts", "horizons"):
            changed[name] = tuple(value / days for value in getattr(self, name))
        changed["starts"] = tuple((tau / days, kappa) for tau, kappa in self.starts)
        return replace(self, **changed)  # type: ignore[arg-type]


_ABOVE_0 = ("early_days", "baseline_walk_sd", "protracted_days", "nocebo_days", "day", "step")
_SHARES = ("early_loss", "confidence", "withdrawal_at", "relapse_at")


def _problems(settings: Settings) -> Iterator[Problem]:
    yield from _number_problems(settings)
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        if isinstance(entry.default, Normal) and not _is_normal(value):
            yield _problem(entry.name, "allowed: a Normal with a finite mean, an sd above 0", value)
        if isinstance(entry.default, bool) and not isinstance(value, bool):
            yield _problem(entry.name, "allowed: True or False", value)
    cuts = _numbers(settings.relapse_cuts)
    if cuts is None or any(b <= a for a, b in zip((0.0, *cuts), cuts, strict=False)):
        yield _problem("relapse_cuts", "the cuts must rise, from above 0", settings.relapse_cuts)
    if not _are_starts(settings.starts):
        yield _problem("starts", "allowed: pairs (tau, kappa) above 0", settings.starts)
    horizons = _numbers(settings.horizons)
    if not horizons or min(horizons) <= 0:
        yield _problem("horizons", "allowed: times above 0, such as (182, 364)", settings.horizons)
    yield from _symptom_problems(settings)


def _symptom_problems(settings: Settings) -> Iterator[Problem]:
    for column in ("grades", "items"):
        value = getattr(settings, column)
        if not isinstance(value, Mapping):
            yield _problem(column, "allowed: one for each symptom, by its name", value)
    grades = settings.grades if isinstance(settings.grades, Mapping) else {}
    for name, highest in grades.items():
        if list(whole_number_problems(PLACE, name, highest, 2)):
            yield _problem(f"grades[{name}]", "allowed: a whole number of at least 2", highest)
    named = settings.items if isinstance(settings.items, Mapping) else {}
    for name, prior in (("item", settings.item), *named.items()):
        if not _is_item_prior(prior):
            rule = "allowed: an ItemPrior, its probabilities between 0 and 1, its weights above 0"
            yield _problem(f"items.{name}", rule, prior)


def _number_problems(settings: Settings) -> Iterator[Problem]:
    for name in _ABOVE_0 + (("kappa",) if settings.kappa is not None else ()):
        value = getattr(settings, name)
        if not (is_number(value) and value > 0):
            yield _problem(name, "allowed: a number above 0", value)
    for name in _SHARES:
        yield from share_problems(PLACE, getattr(settings, name), name)
    limits = (settings.relapse_at, settings.withdrawal_at)
    if all(map(is_number, limits)) and not limits[0] < limits[1]:
        yield _problem("relapse_at", "must be below withdrawal_at", settings.relapse_at)


def _is_normal(value: object) -> bool:
    return (
        isinstance(value, Normal) and is_number(value.mean) and is_number(value.sd) and value.sd > 0
    )


def _is_item_prior(value: object) -> bool:
    if not isinstance(value, ItemPrior):
        return False
    shares = (value.withdrawal, value.relapse)
    weights = (value.withdrawal_weight, value.relapse_weight)
    return all(is_number(one) for one in (*shares, *weights)) and (
        min(shares) > 0 and max(shares) < 1 and min(weights) > 0
    )


def _are_starts(value: object) -> bool:
    pairs = list(value) if isinstance(value, Iterable) else []
    found = [_numbers(pair) for pair in pairs]
    return bool(found) and all(pair and len(pair) == 2 and min(pair) > 0 for pair in found)


def _numbers(value: object) -> list[float] | None:
    """The numbers of a sequence; None if it is something else."""
    if not isinstance(value, Iterable):
        return None
    found = list(value)
    return found if all(is_number(one) for one in found) else None


def _problem(column: str, message: str, value: object) -> Problem:
    return Problem(PLACE, message, None, column, str(value))
