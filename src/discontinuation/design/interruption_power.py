"""How often would interruptions in a few people show a difference, none, or too little to tell?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from discontinuation.design._daily import FloatArray
from discontinuation.design._numbers import is_number, is_whole
from discontinuation.design.interruption import (
    CONCLUSIONS,
    PLACE,
    Comparison,
    Conclusion,
    InterruptionDesign,
    compare_blocks,
    signed,
    too_few,
    window_means,
)
from discontinuation.design.interruption_course import (
    InterruptionResponse,
    drive_of_orders,
    expected_difference,
)
from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.seeds import random_stream

CELLS = 2_000_000  # person-days simulated at a time


@dataclass(frozen=True, eq=False)
class InterruptionPower:
    """What a design would conclude, by simulation.

    Attributes
    ----------
    design, response
        What was simulated.
    truth
        Expected mean difference in the window.
    summary
        One row per measure: measure, estimate, mcse. Measures are the probability of each
        conclusion, ``"P < 0.05 by randomisation"``, coverage, bias, empirical_se and mean_se.
    replicates, failed
        Trials simulated, and those in which fewer than two differences were left.
    seed
        Of the run.
    """

    design: InterruptionDesign
    response: InterruptionResponse
    truth: float
    summary: pd.DataFrame
    replicates: int
    failed: int
    seed: int

    def probability(self, measure: str) -> float:
        """Probability of a conclusion."""
        return float(self.summary.set_index("measure")["estimate"][measure])


@dataclass(frozen=True, eq=False)
class BlocksNeeded:
    """How many blocks a person needs for a wanted probability of a conclusion.

    Attributes
    ----------
    blocks
        Fewest blocks; None if none up to the limit is enough.
    table
        One row per number of blocks tried: blocks, days, probability, mcse, failed.
    sentence
        The answer in words.
    """

    blocks: int | None
    table: pd.DataFrame
    sentence: str

    @property
    def summary(self) -> pd.DataFrame:
        """The numbers of blocks that were tried."""
        return self.table


def interruption_power(
    design: InterruptionDesign,
    response: InterruptionResponse,
    replicates: int = 1000,
    seed: int = 1,
) -> InterruptionPower:
    """Simulate trials and count what each concludes.

    Parameters
    ----------
    design, response
        The trial, and what would happen in it.
    replicates
        Trials, at least 2. Each has random streams of its own.
    seed
        Of the run.

    Raises
    ------
    InvalidInput
        Fewer than two replicates; a single person with one block, who shows no spread.
    """
    problems = list(_spread_problems(design))
    problems += _count_problems(replicates=replicates)
    refuse(problems)
    truth = expected_difference(design, response)
    at_once = max(1, CELLS // (design.people * design.days))
    signs = random_stream(seed, "interruption", "orders")
    found: list[Comparison] = []
    for first in range(0, replicates, at_once):
        numbers = range(first, min(first + at_once, replicates))
        differences = _simulated(design, response, numbers, seed)
        usable = [one for one in differences if not too_few(one)]
        blocks = design.people * design.blocks
        found += [compare_blocks(one, design, blocks, signs) for one in usable]
    summary = _performance(found, truth)
    return InterruptionPower(
        design, response, truth, summary, replicates, replicates - len(found), seed
    )


def blocks_needed(
    design: InterruptionDesign,
    response: InterruptionResponse,
    conclusion: Conclusion = "higher when interrupted",
    probability: float = 0.8,
    most: int = 20,
    replicates: int = 400,
    seed: int = 1,
) -> BlocksNeeded:
    """Find the fewest blocks per person that reach a conclusion often enough.

    Parameters
    ----------
    design, response
        The trial but for its blocks, and what would happen in it. To plan for a trial that can
        say ``"none"``, give a response without a rise.
    conclusion
        Which one is wanted.
    probability
        Of reaching it.
    most
        Blocks beyond which nothing is tried.
    replicates, seed
        Of each simulation.

    Raises
    ------
    InvalidInput
        An unknown conclusion, a probability outside 0 to 1, no number of blocks to be tried.
    """
    refuse(_search_problems(conclusion, probability, most))
    rows: list[dict[str, float]] = []
    answer = None
    for blocks in range(2 if design.people == 1 else 1, most + 1):
        tried = replace(design, blocks=blocks)
        power = interruption_power(tried, response, replicates, seed)
        row = power.summary.set_index("measure").loc[conclusion]
        rows.append(
            {
                "blocks": blocks,
                "days": tried.days,
                "probability": float(row["estimate"]),
                "mcse": float(row["mcse"]),
                "failed": power.failed,
            }
        )
        if row["estimate"] >= probability:
            answer = blocks
            break
    wanted = f"{conclusion!r} with a probability of {probability:g}"
    sentence = f"no number of blocks up to {most} gives {wanted}"
    if answer is not None:
        sentence = f"{answer} blocks per person ({rows[-1]['days']:g} days) give {wanted}"
    table = pd.DataFrame(rows).astype({"blocks": int, "days": int, "failed": int})
    return BlocksNeeded(answer, table, sentence)


def _simulated(
    design: InterruptionDesign, response: InterruptionResponse, numbers: range, seed: int
) -> FloatArray:
    """Block differences of simulated trials, shape (trials, people, blocks)."""
    shape = (design.people, design.days)
    streams = [random_stream(seed, "interruption", str(number)) for number in numbers]
    first = np.concatenate([s.random((design.people, design.blocks)) < 0.5 for s in streams])
    rise = np.concatenate([s.standard_normal(design.people) for s in streams])
    noise = np.concatenate([s.standard_normal(shape) for s in streams])
    rated = np.concatenate([s.random(shape) >= response.missing for s in streams])
    drive = drive_of_orders(design, response, first) ** response.power
    daily = (response.rise_points + response.rise_sd * rise)[:, None] * drive
    daily += _nocebo(design, response) + response.day_sd * _autoregressive(
        noise, response.autocorrelation
    )
    daily[~rated] = np.nan
    found = signed(window_means(design, daily), first)
    return found.reshape(len(numbers), design.people, design.blocks)


def _nocebo(design: InterruptionDesign, response: InterruptionResponse) -> FloatArray:
    """Rise after every apparent step, the same in both conditions."""
    since = np.arange(design.days)[:, None] - design.steps.ravel()
    decayed = np.where(since >= 0, np.exp(-np.maximum(since, 0) / response.nocebo_days), 0.0)
    return np.asarray(response.nocebo_points * decayed.sum(axis=1))


def _autoregressive(noise: FloatArray, correlation: float) -> FloatArray:
    """Stationary errors of variance 1 from independent ones."""
    from scipy.signal import lfilter

    scaled = noise * math.sqrt(1 - correlation**2)
    scaled[:, 0] = noise[:, 0]
    return np.asarray(lfilter([1.0], [1.0, -correlation], scaled, axis=1))


def _performance(found: list[Comparison], truth: float) -> pd.DataFrame:
    """Measures over the trials that could be analysed, with Monte-Carlo errors (methods F3)."""
    n = len(found)
    shares: dict[str, list[bool]] = {
        name: [one.conclusion == name for one in found] for name in CONCLUSIONS
    }
    shares["P < 0.05 by randomisation"] = [one.p < 0.05 for one in found]
    shares["coverage"] = [one.lower <= truth <= one.upper for one in found]
    rows: list[dict[str, object]] = []
    for name, hits in shares.items():
        p = float(np.mean(hits)) if n else math.nan
        rows.append({"measure": name, "estimate": p, "mcse": math.sqrt(p * (1 - p) / max(n, 1))})
    estimates = np.array([one.estimate for one in found])
    se = np.array([one.se for one in found])
    spread = float(estimates.std(ddof=1)) if n > 1 else math.nan
    of_se = float(se.std(ddof=1)) if n > 1 else math.nan
    root = math.sqrt(max(n, 1))
    numbers = {
        "bias": (float(estimates.mean() - truth) if n else math.nan, spread / root),
        "empirical_se": (spread, spread / math.sqrt(max(2 * (n - 1), 1))),
        "mean_se": (float(se.mean()) if n else math.nan, of_se / root),
    }
    rows += [{"measure": m, "estimate": value, "mcse": e} for m, (value, e) in numbers.items()]
    return pd.DataFrame(rows)


def _spread_problems(design: InterruptionDesign) -> Iterator[Problem]:
    if design.people == 1 and design.blocks < 2:
        yield Problem(PLACE, "one block of one person shows no spread; allowed: 2 or more blocks")


def _search_problems(conclusion: str, probability: float, most: int) -> Iterator[Problem]:
    if conclusion not in CONCLUSIONS:
        rule = allowed_values(CONCLUSIONS, conclusion)
        yield Problem(PLACE, rule, None, "conclusion", conclusion)
    if not (is_number(probability) and 0 < probability < 1):
        rule = "allowed: a number between 0 and 1"
        yield Problem(PLACE, rule, None, "probability", str(probability))
    yield from _count_problems(most=most)


def _count_problems(**counts: int) -> Iterator[Problem]:
    for name, value in counts.items():
        if not is_whole(value, 2):
            rule = "allowed: a whole number of at least 2"
            yield Problem(PLACE, rule, None, name, str(value))
