"""What does a definition of getting worse consist of?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Comparison = Literal["at_least", "above", "at_most", "below"]
Change = Literal["points", "percent"]
Baseline = Literal["origin", "risk_start", "people"]
RiskStart = Literal["origin", "follow_up", "dose_change", "dose_reduction", "last_dose"]


@dataclass(frozen=True)
class Score:
    """Scores of one instrument against a threshold.

    Attributes
    ----------
    instrument
        The instrument.
    names
        ``total``, a subscale or items, each compared by itself.
    need
        How many of them must meet the threshold.
    comparison, threshold
        How a score is compared, and with what.
    change
        None: the score itself. ``"points"``: by how many points it is worse than the baseline.
        ``"percent"``: 100 (score - baseline) / (baseline - floor); with a floor of 30 for PANSS.
    floor
        The value in perfect health; None for the instrument's own.
    baseline
        The last rating up to day 0 (``"origin"``) or up to the start of risk
        (``"risk_start"``), or `baseline_score` of the people.
    baseline_above, baseline_at_most
        Only people with such a baseline can meet it.
    least_share
        Share of the items that suffices for a total or subscale, which is then prorated.
    """

    instrument: str
    names: tuple[str, ...]
    need: int
    comparison: Comparison
    threshold: float
    change: Change | None = None
    floor: float | None = None
    baseline: Baseline = "origin"
    baseline_above: float | None = None
    baseline_at_most: float | None = None
    least_share: float = 1.0


@dataclass(frozen=True)
class Combination:
    """Several rules at the same visit: any or all of them."""

    how: Literal["any", "all"]
    rules: tuple[RatingRule, ...]


@dataclass(frozen=True)
class Reported:
    """A deterioration that the data record under this name."""

    definition: str


@dataclass(frozen=True)
class Ended:
    """Observation ended for one of these reasons."""

    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Reinstatement:
    """After a reduction the dose went up again, or the drug was started again."""

    restart_only: bool
    drug: str | None = None


RatingRule = Score | Combination
Happening = Reported | Ended | Reinstatement


@dataclass(frozen=True)
class Persistence:
    """How often a rule must be met.

    Attributes
    ----------
    visits, of
        At how many of how many consecutive visits.
    within_days, for_days
        The most and the fewest days from the first to the last of them.
    missing
        A visit that cannot be decided is passed over (``"skip"``) or counts as not met.
    scheduled_days, tolerance_days
        Planned visits. Where a person under observation has no visit within the tolerance, there
        is one that cannot be decided. A visit that nobody planned and nobody made leaves no trace.
    """

    visits: int = 1
    of: int = 1
    within_days: float = math.inf
    for_days: float = 0.0
    missing: Literal["skip", "not_met"] = "skip"
    scheduled_days: tuple[float, ...] = ()
    tolerance_days: float = 0.0


@dataclass(frozen=True)
class Criterion:
    """One way to meet a definition: ratings that persist, or something that happened."""

    rule: RatingRule | Happening
    persistence: Persistence = Persistence()


@dataclass(frozen=True)
class Risk:
    """When somebody can count as worse: after a start that may differ from visit to visit.

    Attributes
    ----------
    start
        Day 0, the start of observation, the latest change or reduction of the dose before the
        visit, or the end of the latest dose above 0 while no such dose is taken.
    after_days, until_days
        First and last day after the start. The moment of the start itself never counts.
    drug
        The drug whose doses count; None for any.
    """

    start: RiskStart = "origin"
    after_days: float = 0.0
    until_days: float = math.inf
    drug: str | None = None


@dataclass(frozen=True)
class Recovery:
    """What ends an episode: visits in a row at which a rule (or not the definition) is met."""

    visits: int = 1
    rule: RatingRule | None = None


@dataclass(frozen=True)
class Definition:
    """A definition of getting worse.

    Attributes
    ----------
    id, title, source, tag
        What it is called, what it says, where it stands, and how it is known.
    counts_as
        What it stands for: relapse, withdrawal or either.
    criteria
        The definition is met as soon as one of them is.
    risk
        From when it can be met.
    wait_if_met
        Whether a person who is as bad when risk starts must be seen well first.
    onset
        A lower threshold at which worsening begins; None for the criteria themselves.
    core
        Cut of the core subscale for `overlap_only`.
    recovery
        What ends an episode; None if that is not sought.
    repeated
        Whether further episodes are sought.
    """

    id: str
    title: str
    source: str
    tag: str
    counts_as: Literal["relapse", "withdrawal", "either"]
    criteria: tuple[Criterion, ...]
    risk: Risk = Risk()
    wait_if_met: bool = False
    onset: RatingRule | None = None
    core: Score | None = None
    recovery: Recovery | None = None
    repeated: bool = False

    @property
    def ratings(self) -> tuple[tuple[RatingRule, Persistence], ...]:
        """The criteria that are met by ratings."""
        return tuple(
            (criterion.rule, criterion.persistence)
            for criterion in self.criteria
            if isinstance(criterion.rule, Score | Combination)
        )


def instruments_of(rule: RatingRule | Happening) -> set[str]:
    """Name the instruments that a rule looks at."""
    if isinstance(rule, Score):
        return {rule.instrument}
    if isinstance(rule, Combination):
        return set().union(*(instruments_of(part) for part in rule.rules))
    return set()
