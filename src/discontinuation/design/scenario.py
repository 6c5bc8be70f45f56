"""Which trial is made up: its arms, its drug and what happens in it?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np

from discontinuation.design._daily import FloatArray
from discontinuation.problems import Problem, allowed_values, refuse

Strategy = Literal["maintain", "abrupt", "taper"]
Shape = Literal["hyperbolic", "linear"]
DosesRecorded = Literal["taken", "planned"]

DAYS_PER_YEAR = 365.0
CAUSES = ("withdrawal", "relapse", "nocebo")


@dataclass(frozen=True)
class Arm:
    """One arm of a made-up trial.

    Attributes
    ----------
    name
        Its name in the tables.
    strategy
        ``"maintain"``, ``"abrupt"`` or ``"taper"``.
    people
        People allocated to it.
    taper_days
        Length of the schedule of a taper. It is cut into ``taper_days / step_days`` equal
        falls, the first on the day on which the taper starts, so that the dose is 0 from
        ``taper_days - step_days`` on; with steps of one day that is the straight line of the
        dossier, read at the end of each day.
    step_days
        Days between two falls; a divisor of `taper_days`.
    shape
        ``"hyperbolic"``: equal falls of occupancy. ``"linear"``: equal falls of dose.
    rounded_to_mg
        Smallest difference of dose that can be made up; 0 if any dose can.
    blinded
        Whether people do not know when the dose changes. In a blinded arm nocebo can act.
    """

    name: str
    strategy: Strategy
    people: int = 200
    taper_days: int = 0
    step_days: int = 1
    shape: Shape = "hyperbolic"
    rounded_to_mg: float = 0.0
    blinded: bool = True


BASE_ARMS = (
    Arm("maintain", "maintain"),
    Arm("abrupt", "abrupt"),
    Arm("taper", "taper", taper_days=84),
)


@dataclass(frozen=True)
class Scenario:
    """Every assumption of a made-up trial; the defaults are the base scenario of methods F2.

    Rates per year are of 365 days. Day 0 is the randomisation.

    Attributes
    ----------
    study
        Name of the trial; part of the names of its random streams.
    arms
        Its arms.
    horizon_days
        Planned length of observation.
    stable_days
        How long the full dose was taken before day 0.
    dose_mg
        The full dose.
    ed50_mg, occupancy_max, hill, half_life_days
        What the planners of the trial believe of the drug (methods B1); tapers are made with it.
    true_ed50_ratio, true_half_life_ratio
        The truth divided by what is believed.
    relapse_per_year, relapse_cuts_days
        Hazard of relapse with full protection, constant between the cuts.
    relapse_ratio
        Hazard ratio of relapse at complete loss of protection, exp(beta); 1: no effect.
    surge_ratio, surge_days
        A further ratio, exp(eta), in the first days after the reduction starts (methods B3).
    frailty_variance
        Variance of the gamma frailty, of mean 1, on the hazard of relapse.
    alpha_per_day, tau_days, kappa
        Hazard of withdrawal ``alpha w^kappa`` with adaptation time tau (methods B2); alpha = 0:
        no withdrawal.
    protracted_share, protracted_tau_days
        Share of the withdrawal hazard that adapts with the longer time constant.
    nocebo_risk, nocebo_tau_days
        Net risk of a nocebo deterioration in the first 8 weeks in every blinded arm, and how
        fast its hazard decays from day 0, the first apparent step. The dossier gives no decay
        time: 14 days is a proposal.
    dropout_per_year
        Hazard of dropping out.
    dropout_ratio, dropout_window_days
        By how much that hazard is multiplied in the days before an onset; 1: not informative.
        The window of 28 days is a proposal.
    visit_days
        Days between visits; the last is at the horizon. What happens between visits is seen at
        the next one.
    definition_delay_days
        How long a deterioration must have lasted to be recorded as one.
    items, withdrawal_items, relapse_items
        Symptoms and the probability that each is new or worse at a deterioration by withdrawal
        and by relapse. The dossier numbers the eight items; their names are ours. Nocebo has the
        profile of withdrawal.
    item_distinctiveness
        Share of the difference of the two profiles that is kept, on the logit scale.
    off_drug_shift
        By how much the logit of each item shifts in relapses at complete loss of protection.
    severity_sd
        Standard deviation of a person's severity, added to every logit (local dependence).
    item_missing
        Probability that an item is not rated.
    reinstated_share
        Probability that the drug is started again at a deterioration.
    resolution_days_withdrawal, resolution_days_relapse, resolution_days_nocebo
        Mean time to resolution after that, exponential.
    reinstatement_watch_days
        How long that is watched, past the horizon if need be.
    relapse_after_withdrawal_ratio
        Hazard ratio of a relapse after a withdrawal episode was recorded. None: observation ends
        at the first deterioration unless the drug is started again.
    concealed_start_days
        The reduction starts on a day drawn from 0 to this one (methods G1).
    stop_early_share
        Share of people not in an abrupt arm who stop all at once on a random day.
    keep_taking_share
        Share of people in arms that stop who go on taking the full dose.
    doses_recorded
        Whether the table of doses tells what was taken or what was planned.
    """

    study: str = "simulated"
    arms: tuple[Arm, ...] = BASE_ARMS
    horizon_days: int = 364
    stable_days: int = 180
    dose_mg: float = 20.0
    ed50_mg: float = 2.7
    occupancy_max: float = 0.95
    hill: float = 1.0
    half_life_days: float = 1.0
    true_ed50_ratio: float = 1.0
    true_half_life_ratio: float = 1.0
    relapse_per_year: tuple[float, ...] = (0.29,)
    relapse_cuts_days: tuple[int, ...] = ()
    relapse_ratio: float = 1.5
    surge_ratio: float = 1.0
    surge_days: int = 56
    frailty_variance: float = 0.0
    alpha_per_day: float = 0.05
    tau_days: float = 14.0
    kappa: float = 2.0
    protracted_share: float = 0.0
    protracted_tau_days: float = 90.0
    nocebo_risk: float = 0.0
    nocebo_tau_days: float = 14.0
    dropout_per_year: float = 0.25
    dropout_ratio: float = 1.0
    dropout_window_days: float = 28.0
    visit_days: int = 1
    definition_delay_days: int = 0
    items: tuple[str, ...] = (
        "dizziness",
        "nausea",
        "electric_shock",
        "irritability",
        "insomnia",
        "low_mood",
        "anxiety",
        "loss_of_interest",
    )
    withdrawal_items: tuple[float, ...] = (0.60, 0.35, 0.35, 0.60, 0.50, 0.50, 0.60, 0.30)
    relapse_items: tuple[float, ...] = (0.12, 0.10, 0.03, 0.45, 0.60, 0.88, 0.65, 0.80)
    item_distinctiveness: float = 1.0
    off_drug_shift: tuple[float, ...] = (0.0,) * 8
    severity_sd: float = 0.0
    item_missing: float = 0.2
    reinstated_share: float = 0.3
    resolution_days_withdrawal: float = 5.0
    resolution_days_relapse: float = 35.0
    resolution_days_nocebo: float = 5.0
    reinstatement_watch_days: float = 28.0
    relapse_after_withdrawal_ratio: float | None = None
    concealed_start_days: int = 0
    stop_early_share: float = 0.0
    keep_taking_share: float = 0.0
    doses_recorded: DosesRecorded = "taken"

    def __post_init__(self) -> None:
        """Refuse a scenario that cannot be simulated, with every reason.

        Raises
        ------
        InvalidInput
            All problems at once.
        """
        refuse(_problems(self))

    @property
    def beta(self) -> float:
        """Log hazard ratio of relapse at complete loss of protection (methods B3)."""
        return math.log(self.relapse_ratio)

    @property
    def people(self) -> int:
        """People in all arms."""
        return sum(arm.people for arm in self.arms)

    def item_profiles(self) -> tuple[FloatArray, FloatArray]:
        """Probability of each item by withdrawal and by relapse, as distinctive as asked for."""
        logits = np.array([_logits(self.withdrawal_items), _logits(self.relapse_items)])
        middle = logits.mean(axis=0)
        kept = 1 / (1 + np.exp(-(middle + self.item_distinctiveness * (logits - middle))))
        return kept[0], kept[1]


def _logits(probabilities: tuple[float, ...]) -> FloatArray:
    p = np.array(probabilities)
    return np.asarray(np.log(p / (1 - p)))


# Field: smallest value, largest value, whether the smallest itself is allowed.
_LIMITS: dict[str, tuple[float, float, bool]] = {
    "horizon_days": (0, 36500, False),
    "stable_days": (0, 36500, False),
    "dose_mg": (0, math.inf, False),
    "ed50_mg": (0, math.inf, False),
    "occupancy_max": (0, 2, False),
    "hill": (0, math.inf, False),
    "half_life_days": (0, math.inf, False),
    "true_ed50_ratio": (0, math.inf, False),
    "true_half_life_ratio": (0, math.inf, False),
    "relapse_per_year": (0, math.inf, True),
    "relapse_cuts_days": (0, 36500, False),
    "relapse_ratio": (0, math.inf, False),
    "surge_ratio": (0, math.inf, False),
    "surge_days": (0, 36500, True),
    "frailty_variance": (0, math.inf, True),
    "alpha_per_day": (0, math.inf, True),
    "tau_days": (0, math.inf, False),
    "kappa": (0, math.inf, False),
    "protracted_share": (0, 1, True),
    "protracted_tau_days": (0, math.inf, False),
    "nocebo_risk": (0, 0.99, True),
    "nocebo_tau_days": (0, math.inf, False),
    "dropout_per_year": (0, math.inf, True),
    "dropout_ratio": (0, math.inf, False),
    "dropout_window_days": (0, math.inf, True),
    "visit_days": (0, 36500, False),
    "definition_delay_days": (0, 36500, True),
    "withdrawal_items": (0.002, 0.998, True),
    "relapse_items": (0.002, 0.998, True),
    "item_distinctiveness": (0, math.inf, True),
    "off_drug_shift": (-math.inf, math.inf, False),
    "severity_sd": (0, math.inf, True),
    "item_missing": (0, 1, True),
    "reinstated_share": (0, 1, True),
    "resolution_days_withdrawal": (0, math.inf, False),
    "resolution_days_relapse": (0, math.inf, False),
    "resolution_days_nocebo": (0, math.inf, False),
    "reinstatement_watch_days": (0, math.inf, False),
    "relapse_after_withdrawal_ratio": (0, math.inf, False),
    "concealed_start_days": (0, 36500, True),
    "stop_early_share": (0, 1, True),
    "keep_taking_share": (0, 1, True),
}
_ARM_LIMITS: dict[str, tuple[float, float, bool]] = {
    "people": (0, math.inf, False),
    "taper_days": (0, 36500, True),
    "step_days": (0, 36500, False),
    "rounded_to_mg": (0, math.inf, True),
}


def _problems(scenario: Scenario) -> list[Problem]:
    """Find everything that is wrong; what needs sound fields is looked at only if they are."""
    file = f"scenario {scenario.study!r}"
    problems = list(_out_of_limits(scenario, _LIMITS, file, ""))
    for position, arm in enumerate(scenario.arms):
        problems += _arm_problems(arm, file, f"arms[{position}].")
    names = [arm.name for arm in scenario.arms]
    if not names:
        problems.append(Problem(file, "at least one arm is needed", column="arms"))
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(Problem(file, "two arms have this name", column="arms", value=name))
    if scenario.doses_recorded not in get_args(DosesRecorded):
        problems.append(_bad_choice(file, "doses_recorded", scenario.doses_recorded, DosesRecorded))
    problems += _length_problems(scenario, file)
    return problems or list(_contradictions(scenario, file))


def _out_of_limits(
    owner: Scenario | Arm, limits: dict[str, tuple[float, float, bool]], file: str, path: str
) -> Iterator[Problem]:
    """Check each number, and each number of a tuple, against its limits and its type."""
    for field in fields(owner):
        if field.name not in limits:
            continue
        value, kind = getattr(owner, field.name), str(field.type)
        if value is None and "None" in kind:
            continue
        if kind.startswith("tuple") and not isinstance(value, tuple):
            yield Problem(file, "allowed: a tuple", None, path + field.name, str(value))
            continue
        whole = kind in ("int", "tuple[int, ...]")
        for single in value if kind.startswith("tuple") else (value,):
            message = _limit_message(single, *limits[field.name], whole)
            if message:
                yield Problem(file, message, column=path + field.name, value=str(single))


def _limit_message(
    value: Any, smallest: float, largest: float, inclusive: bool, whole: bool
) -> str | None:
    """Say what is allowed if the value is not."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if number and math.isfinite(value) and (not whole or value == int(value)):
        above = value >= smallest if inclusive else value > smallest
        if above and value <= largest:
            return None
    rule = "allowed: a whole number" if whole else "allowed: a number"
    if math.isfinite(smallest):
        rule += f" of at least {smallest:g}" if inclusive else f" above {smallest:g}"
    if math.isfinite(largest):
        rule += f", at most {largest:g}"
    return rule


def _bad_choice(file: str, column: str, value: Any, choices: Any) -> Problem:
    return Problem(file, allowed_values(get_args(choices), str(value)), None, column, str(value))


def _arm_problems(arm: Arm, file: str, path: str) -> Iterator[Problem]:
    found = list(_out_of_limits(arm, _ARM_LIMITS, file, path))
    yield from found
    if arm.strategy not in get_args(Strategy):
        yield _bad_choice(file, path + "strategy", arm.strategy, Strategy)
    if arm.shape not in get_args(Shape):
        yield _bad_choice(file, path + "shape", arm.shape, Shape)
    if found:
        return
    if arm.strategy == "taper" and (arm.taper_days == 0 or arm.taper_days % arm.step_days):
        message = f"a taper's length must be a multiple of its step of {arm.step_days} days"
        yield Problem(file, message, None, path + "taper_days", str(arm.taper_days))
    if arm.strategy != "taper" and arm.taper_days:
        message = f"only a taper has a length, not {arm.strategy!r}"
        yield Problem(file, message, None, path + "taper_days", str(arm.taper_days))


def _length_problems(scenario: Scenario, file: str) -> Iterator[Problem]:
    lengths = {
        "withdrawal_items": len(scenario.items),
        "relapse_items": len(scenario.items),
        "off_drug_shift": len(scenario.items),
        "relapse_per_year": _length(scenario.relapse_cuts_days) + 1,
    }
    for name, expected in lengths.items():
        length = _length(getattr(scenario, name))
        if length != expected:
            of = "interval between the cuts" if name == "relapse_per_year" else "item"
            message = f"one value per {of} is needed: {expected}, not {length}"
            yield Problem(file, message, column=name)
    if len(set(scenario.items)) != len(scenario.items):
        yield Problem(file, "every item needs a name of its own", column="items")


def _length(value: Any) -> int:
    return len(value) if isinstance(value, tuple) else 1


def _contradictions(scenario: Scenario, file: str) -> Iterator[Problem]:
    """Find sound values that do not go together."""
    cuts = scenario.relapse_cuts_days
    if any(later <= earlier for earlier, later in pairwise(cuts)):
        yield Problem(file, "the cuts must rise", None, "relapse_cuts_days", str(cuts))
    if scenario.stop_early_share + scenario.keep_taking_share > 1:
        message = "stop_early_share and keep_taking_share together must not exceed 1"
        yield Problem(file, message, column="stop_early_share")
    if scenario.visit_days > scenario.horizon_days:
        message = f"a visit must fall within the {scenario.horizon_days} days of observation"
        yield Problem(file, message, None, "visit_days", str(scenario.visit_days))
    if scenario.concealed_start_days >= scenario.horizon_days:
        message = f"the start must fall within the {scenario.horizon_days} days of observation"
        value = str(scenario.concealed_start_days)
        yield Problem(file, message, None, "concealed_start_days", value)
