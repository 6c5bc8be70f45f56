"""How much of a result hangs on what is not known about the drug?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.exposure.pharmacology import Pharmacology
from discontinuation.exposure.trajectories import Exposure
from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.seeds import random_stream

FloatArray = npt.NDArray[np.float64]
Distribution = Literal["log-uniform", "log-normal"]
# What a result may be: numbers with labels. A Series or DataFrame keeps its index and columns.
Result = float | npt.NDArray[Any] | pd.Series | pd.DataFrame

PLACE = "sensitivity settings"
USUAL = {"usual": 1.0}
LOG_NORMAL_HALF_WIDTH = 1.959963984540054  # so that 95 % of a log-normal lie between the limits


@dataclass(frozen=True)
class Spread:
    """What is known of a parameter: it lies about between two limits.

    Attributes
    ----------
    low, high
        Limits, greater than 0.
    distribution
        ``"log-uniform"`` between the limits, or ``"log-normal"`` with 2.5 % below and above them
        and their geometric mean as the median.

    Raises
    ------
    InvalidInput
        Limits that are not positive and rising, or an unknown distribution.
    """

    low: float
    high: float
    distribution: Distribution = "log-uniform"

    def __post_init__(self) -> None:
        refuse(self._problems())

    def draw(self, stream: np.random.Generator, draws: int) -> FloatArray:
        """Draw values, shape (draws,)."""
        low, high = math.log(self.low), math.log(self.high)
        if self.distribution == "log-uniform":
            return np.exp(stream.uniform(low, high, draws))
        width = (high - low) / (2 * LOG_NORMAL_HALF_WIDTH)
        return np.exp(stream.normal((low + high) / 2, width, draws))

    def _problems(self) -> Iterator[Problem]:
        if not (0 < self.low < self.high < math.inf):
            rule = "allowed: a lower and a higher limit, both greater than 0"
            yield Problem(PLACE, rule, None, "low, high", f"{self.low}, {self.high}")
        if self.distribution not in get_args(Distribution):
            rule = allowed_values(get_args(Distribution), str(self.distribution))
            yield Problem(PLACE, rule, None, "distribution", str(self.distribution))


def draw_drugs(
    drug: Pharmacology,
    spreads: Mapping[str, Spread],
    *,
    seed: int,
    draws: int = 500,
    half_life_factors: Mapping[str, float] = USUAL,
) -> pd.DataFrame:
    """Draw parameter sets of a drug.

    Parameters
    ----------
    drug
        Gives what is not drawn.
    spreads
        By parameter of `Pharmacology`: ``half_life_days``, ``k`` and so on. Each has its own
        random stream, so that drawing one more does not change the others.
    seed
        The run's seed.
    draws
        Sets per variant.
    half_life_factors
        By variant, what its half-life is multiplied by, for example that of slow metabolisers.
        All variants share the draws, so that what differs between them is the factor.

    Returns
    -------
    DataFrame
        One row per variant and draw: variant, draw, and the parameters.

    Raises
    ------
    InvalidInput
        A parameter that does not exist or that the drug does not have, a factor that is not
        greater than 0, less than one draw.
    """
    refuse(_draw_problems(drug, spreads, draws, half_life_factors))
    drawn = {field.name: [getattr(drug, field.name)] * draws for field in fields(drug)}
    for name, spread in spreads.items():
        drawn[name] = spread.draw(random_stream(seed, "sensitivity", name), draws).tolist()
    frame = pd.DataFrame(drawn, dtype=object).assign(draw=np.arange(draws))
    sets = [
        frame.assign(variant=variant, half_life_days=frame["half_life_days"] * factor)
        for variant, factor in half_life_factors.items()
    ]
    return pd.concat(sets, ignore_index=True)[["variant", "draw", *drawn]]


def bands(
    exposure: Exposure,
    drugs: pd.DataFrame,
    result: Callable[[Exposure], Result],
    *,
    quantiles: Sequence[float] = (0.025, 0.5, 0.975),
) -> pd.DataFrame:
    """Spread of any result of an exposure over parameter sets of the drug.

    One set holds for all people at once: the spread is what is not known about the drug, not how
    people differ.

    Parameters
    ----------
    exposure
        The doses, and the drug as it is thought to be.
    drugs
        From `draw_drugs`.
    result
        What is asked of an exposure, for example ``lambda taken: taken.integral(2.0)``,
        ``lambda taken: taken.at(days).drive`` or any statistic of pace. Its numbers must mean the
        same in every call.
    quantiles
        Which.

    Returns
    -------
    DataFrame
        One row per variant and number of the result: variant, the labels of the number (the
        index of a Series; that of a DataFrame and its column as ``quantity``; the positions in
        an array as ``axis_0`` and so on), draws (in how many sets it is a number), and one column
        for each quantile over these, named ``q`` and the percentage.

    Raises
    ------
    InvalidInput
        Quantiles outside 0 to 1, or a result that has not the same labels in every call.
    """
    if not all(0 <= quantile <= 1 for quantile in quantiles):
        rule = "allowed: numbers from 0 to 1"
        refuse([Problem(PLACE, rule, column="quantiles", value=str(tuple(quantiles)))])
    names = [field.name for field in fields(Pharmacology)]
    tables = []
    for variant, sets in drugs.groupby("variant", sort=False):
        results = [
            _labelled(result(replace(exposure, drug=Pharmacology(*values))))
            for values in sets[names].itertuples(index=False, name=None)
        ]
        table = _summary(results, quantiles).reset_index()
        table.insert(0, "variant", variant)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _labelled(result: Result) -> pd.Series:
    """Turn a result into numbers with labels."""
    if isinstance(result, pd.DataFrame):
        columns = {name: result[name] for name in result}
        stacked: pd.Series = pd.concat(columns, names=["quantity", *result.index.names])
        return stacked.reorder_levels([*range(1, stacked.index.nlevels), 0])
    if isinstance(result, pd.Series):
        return result
    values = np.atleast_1d(np.asarray(result, dtype=float))
    axes = [range(length) for length in values.shape]
    names = [f"axis_{axis}" for axis in range(values.ndim)]
    return pd.Series(values.ravel(), pd.MultiIndex.from_product(axes, names=names))


def _summary(results: Sequence[pd.Series], quantiles: Sequence[float]) -> pd.DataFrame:
    """Quantiles of each number over the parameter sets, leaving out those where it is none."""
    index = results[0].index
    if not all(one.index.equals(index) for one in results):
        rule = "the result has other labels in some draws, so they cannot be compared"
        refuse([Problem(PLACE, rule, column="result")])
    numbers = pd.DataFrame([one.to_numpy(dtype=float) for one in results])
    found = numbers.quantile(list(quantiles)).T.set_index(index)
    found.columns = pd.Index([f"q{100 * quantile:g}" for quantile in quantiles])
    found.insert(0, "draws", numbers.notna().sum().to_numpy())
    return found


def _draw_problems(
    drug: Pharmacology,
    spreads: Mapping[str, Spread],
    draws: int,
    half_life_factors: Mapping[str, float],
) -> Iterator[Problem]:
    known = [field.name for field in fields(drug) if getattr(drug, field.name) is not None]
    for name in spreads:
        if name not in known:
            yield Problem(PLACE, allowed_values(known, name), None, "spreads", name)
    for variant, factor in half_life_factors.items():
        if not 0 < factor < math.inf:
            rule = f"{variant}: allowed: a number greater than 0"
            yield Problem(PLACE, rule, None, "half_life_factors", str(factor))
    if draws < 1:
        yield Problem(PLACE, "allowed: a whole number of 1 or more", None, "draws", str(draws))
