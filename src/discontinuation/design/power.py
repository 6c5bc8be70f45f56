"""With which power would a planned trial settle its hypotheses, by simulation and by formula?"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy.special import chdtri, chndtr, ndtr

from discontinuation.design._daily import FloatArray
from discontinuation.design.day_tables import Cells, cells, draw_tables
from discontinuation.design.design_file import TrialDesign
from discontinuation.design.drift import Drift
from discontinuation.design.drive_spread import drive_spread
from discontinuation.design.hypotheses import (
    Counts,
    Covariates,
    called,
    covariates,
    expected_calls,
    hypothesis_of,
    in_order,
    z_values,
)
from discontinuation.design.monte_carlo import share_range
from discontinuation.design.trial_tests import (
    Z,
    drifts,
    omnibus,
    omnibus_drift,
    pair_of,
    plain_tests,
)
from discontinuation.design.true_answers import powered_tests, true_tests
from discontinuation.problems import Problem, refuse
from discontinuation.seeds import random_stream

CHUNK = 250  # trials drawn at once, each chunk from a stream of its own
ALL_ARMS = "all arms"
ORDERED = "in order"
ALPHA = 0.05
FEWEST = 100  # replicates, for a size to be recommended


@dataclass(frozen=True, eq=False)
class Power:
    """Power of a planned trial.

    Attributes
    ----------
    design
        The trial.
    summary
        One row per truth, size and test: ``truth, people_per_arm, kind`` (hypothesis, in order,
        test), ``test, contrast, simulated, mcse, lower, upper`` (range of two Monte-Carlo errors,
        Wilson), ``failed, replicates, formula``. A trial in which a test gives no z counts as one
        that does not reject, and in `failed`. The formula is blank for the hypotheses in order.
    curves
        The formula on a fine grid of sizes: ``truth, people_per_arm, kind, test, contrast,
        formula``.
    powered
        From `powered_tests`: the tests whose share is power and decides on the size.
    """

    design: TrialDesign
    summary: pd.DataFrame
    curves: pd.DataFrame
    powered: Mapping[str, Collection[str]]

    @property
    def least(self) -> pd.DataFrame:
        """By size, the wanted hypothesis with the least power, of H3 the likelier true side.

        Index ``people_per_arm``; columns ``test, simulated, lower, upper``.
        """
        rows = self.summary.query("kind == 'hypothesis' and truth == @self.design.planned_for")
        wanted = rows.loc[rows["test"].isin([test for of in self.powered.values() for test in of])]
        wanted = wanted.assign(hypothesis=wanted["test"].map(hypothesis_of))
        best = wanted.sort_values("lower").groupby(["people_per_arm", "hypothesis"]).tail(1)
        least = best.groupby("people_per_arm").head(1).set_index("people_per_arm")
        return least[["test", "simulated", "lower", "upper"]].sort_index()

    @property
    def recommended(self) -> int | None:
        """Smallest size that was tried and whose power is not below the wanted one.

        Two Monte-Carlo errors are allowed for. None if no size is enough, or if there are fewer
        than `FEWEST` replicates.
        """
        if self.design.content["replicates"] < FEWEST:
            return None
        least = self.least
        enough = least.index[least["lower"] >= self.design.content["hypotheses"]["power"]]
        return int(enough.min()) if len(enough) else None

    @property
    def undecided(self) -> list[int]:
        """Smaller sizes, or all if none is recommended, that may have the wanted power."""
        least, wanted = self.least, self.design.content["hypotheses"]["power"]
        open_ = least.index[(least["lower"] < wanted) & (least["upper"] >= wanted)]
        largest = self.recommended or math.inf
        return [int(size) for size in open_ if size < largest]


def plan_power(
    design: TrialDesign, cores: int = 1, tell: Callable[[int, int], None] | None = None
) -> Power:
    """Work out the power of a planned trial under each truth and for each size.

    Parameters
    ----------
    design
        From `read_design`.
    cores
        Threads. The numbers do not depend on them: each chunk of trials has its own stream.
    tell
        Called with the chunks done and all, as they finish.

    Returns
    -------
    Power

    Raises
    ------
    InvalidInput
        Fewer than one core; a wanted hypothesis that is false under the truth planned for.
    """
    powered = powered_tests(design)
    if cores < 1:
        refuse([Problem("options", "allowed: 1 or more", None, "cores", str(cores))])
    sizes, replicates = design.content["people_per_arm"], design.content["replicates"]
    known = covariates(design)
    chances = {name: called_cells(design, name) for name in design.truths}
    true = {name: true_tests(design, name) for name in design.truths}
    lengths = np.diff(np.append(np.arange(0, replicates, CHUNK), replicates))
    jobs = list(product(design.truths, sizes, enumerate(lengths.tolist())))

    def work(job: tuple[str, int, tuple[int, int]]) -> dict[tuple[str, str, str], FloatArray]:
        truth, size, (chunk, trials) = job
        return rejections(design, truth, size, chunk, trials, chances[truth], known, true[truth])

    found: dict[tuple[str, int], list[dict[tuple[str, str, str], FloatArray]]] = {}
    with ThreadPoolExecutor(cores) as pool:
        for done, (job, part) in enumerate(zip(jobs, pool.map(work, jobs), strict=True), 1):
            found.setdefault(job[:2], []).append(part)
            if tell:
                tell(done, len(jobs))
    summary = pd.DataFrame(row for key, parts in found.items() for row in _rows(key, parts))
    exact = pd.concat([_formula(design, truth, sizes) for truth in design.truths])
    summary = summary.merge(exact, on=[name for name in exact if name != "formula"], how="left")
    fine = np.unique(np.round(np.geomspace(min(sizes), max(sizes), 60)).astype(int)).tolist()
    curves = pd.concat([_formula(design, t, fine) for t in design.truths], ignore_index=True)
    return Power(design, summary, curves, powered)


def called_cells(design: TrialDesign, truth: str) -> Cells:
    """Cells with two causes, as raters call them."""
    found = cells(design.truths[truth])
    calls = called(np.moveaxis(found.seen, 1, 0), design.content["adjudication"])
    return Cells(found.day, np.stack(calls, axis=1), found.censored)


def draw_counts(
    design: TrialDesign, chances: Cells, size: int, trials: int, random: np.random.Generator
) -> Counts:
    """Draw the counts of many trials, as raters call them."""
    drawn = draw_tables(chances, (size,) * len(design.arms), trials, random)
    withdrawal, relapse = drawn.events[:, 0], drawn.events[:, 1]
    return Counts(drawn.day, withdrawal, relapse, drawn.at_risk)


def rejections(
    design: TrialDesign,
    truth: str,
    size: int,
    chunk: int,
    trials: int,
    chances: Cells | None = None,
    known: Covariates | None = None,
    true: Collection[str] | None = None,
) -> dict[tuple[str, str, str], FloatArray]:
    """Simulate one chunk of trials; it depends on nothing else, so chunks can run anywhere.

    Parameters
    ----------
    design
        The planned trial.
    truth, size, chunk
        Which chunk: part of the name of its random stream.
    trials
        How many.
    chances, known, true
        What the function would else work out itself.

    Returns
    -------
    dict
        By kind, test and contrast: 1 where the null was rejected, 0 where not, NaN where the
        trial gave no z; shape (trials,). In order, H3 is settled only by a side that is true.
    """
    true = true_tests(design, truth) if true is None else true
    chances = called_cells(design, truth) if chances is None else chances
    known = covariates(design) if known is None else known
    names = (design.content["design"], truth, str(size), str(chunk))
    random = random_stream(design.content["seed"], "power", *names)
    counts = draw_counts(design, chances, size, trials, random)
    found = {}
    sides = {}
    for test, z in z_values(design, counts, known).items():
        sides[test] = z > Z  # each hypothesis is about one side
        found["hypothesis", test, ""] = np.where(np.isnan(z), np.nan, sides[test])
    right = {
        test: side for test, side in sides.items() if hypothesis_of(test) != "H3" or test in true
    }
    for test, settled in in_order(right, design.content["hypotheses"]["tested"]).items():
        found[ORDERED, test, ""] = settled.astype(float)
    for (test, contrast), z in _plain_z(design, counts).items():
        found["test", test, contrast] = np.where(np.isnan(z), np.nan, np.abs(z) > Z)
    statistic = omnibus(counts.any, counts.at_risk)
    beyond = statistic > chdtri(len(design.arms) - 1, ALPHA)
    found["test", "log-rank", ALL_ARMS] = np.where(np.isnan(statistic), np.nan, beyond)
    return found


def _contrasts(design: TrialDesign) -> Iterator[tuple[str, int, int]]:
    for first, second in combinations(range(len(design.arms)), 2):
        yield f"{design.arms[second].name} v {design.arms[first].name}", first, second


def _plain_z(design: TrialDesign, counts: Counts) -> dict[tuple[str, str], FloatArray]:
    """Two-arm tests of any deterioration, and the log-rank test of what is called relapse."""
    found = {}
    by_name = plain_tests(design.end, design.taper_end)
    for contrast, first, second in _contrasts(design):
        pair = pair_of(counts.day, counts.any, counts.at_risk, first, second)
        for test, of in by_name.items():
            found[test, contrast] = of(pair)
        relapse = pair_of(counts.day, counts.relapse, counts.at_risk, first, second)
        found["log-rank, relapse only", contrast] = by_name["log-rank"](relapse)
    return found


def _rows(
    key: tuple[str, int], parts: Sequence[Mapping[tuple[str, str, str], FloatArray]]
) -> Iterator[dict[str, object]]:
    for kind, test, contrast in parts[0]:
        rejected = np.concatenate([part[kind, test, contrast] for part in parts])
        share = float(np.nan_to_num(rejected).mean())
        lower, upper = share_range(share, len(rejected))
        yield {
            "truth": key[0],
            "people_per_arm": key[1],
            "kind": kind,
            "test": test,
            "contrast": contrast,
            "simulated": share,
            "mcse": math.sqrt(share * (1 - share) / len(rejected)),
            "lower": lower,
            "upper": upper,
            "failed": int(np.isnan(rejected).sum()),
            "replicates": len(rejected),
        }


def drift_of_one(design: TrialDesign, truth: str, known: Covariates) -> dict[str, Drift]:
    """Drift of each hypothesis with one person per arm.

    The variance of the test of H1 holds without withdrawal; its spread with it is worked out. The
    others have the variance of what they estimate.
    """
    counts, _ = expected_calls(design, truth)
    found = {test: Drift(float(z[0])) for test, z in z_values(design, counts, known).items()}
    if "H1" in found:
        table = counts.any[0], counts.at_risk[0]
        spread = drive_spread(*table, known.protection_loss, known.drive)
        found["H1"] = Drift(found["H1"].one, spread)
    return found


def _formula(design: TrialDesign, truth: str, sizes: Sequence[int]) -> pd.DataFrame:
    """Power by the formulae for each size (methods G4)."""
    root = np.sqrt(np.asarray(sizes, dtype=float))
    found: dict[tuple[str, str, str], FloatArray] = {}
    for test, one in drift_of_one(design, truth, covariates(design)).items():
        found["hypothesis", test, ""] = one.power(root**2)
    counts, _ = expected_calls(design, truth)
    by_name = drifts(design.end, design.taper_end)
    for contrast, first, second in _contrasts(design):
        pair = pair_of(counts.day, counts.any, counts.at_risk, first, second)
        for test, of in by_name.items():
            found["test", test, contrast] = ndtr(np.abs(of(pair)[0]) * root - Z)
        relapse = pair_of(counts.day, counts.relapse, counts.at_risk, first, second)
        drift = by_name["log-rank"](relapse)[0]
        found["test", "log-rank, relapse only", contrast] = ndtr(np.abs(drift) * root - Z)
    df = len(design.arms) - 1
    centre = omnibus_drift(counts.any, counts.at_risk)[0] * root**2
    found["test", "log-rank", ALL_ARMS] = 1 - chndtr(chdtri(df, ALPHA), df, centre)
    parts = [
        pd.DataFrame(
            {
                "truth": truth,
                "people_per_arm": list(sizes),
                "kind": kind,
                "test": test,
                "contrast": contrast,
                "formula": values,
            }
        )
        for (kind, test, contrast), values in found.items()
    ]
    return pd.concat(parts, ignore_index=True)
