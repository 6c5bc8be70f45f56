"""Which hypotheses are true under each truth of a design?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from discontinuation.design.design_file import TrialDesign
from discontinuation.design.expected import expected_curves, expected_excess_share
from discontinuation.design.hypotheses import MAINTAINED, NON_INFERIOR, hypothesis_of
from discontinuation.problems import Problem, refuse

Row = tuple[str, str, str, float, bool]  # of the table
SMALL = 1e-9  # differences of risks up to it come from rounding
COLUMNS = ["truth", "test", "quantity", "value", "true"]


def true_answers(design: TrialDesign) -> pd.DataFrame:
    """Tell what an endless trial with perfect raters would find.

    Parameters
    ----------
    design
        The planned trial.

    Returns
    -------
    DataFrame
        One row per truth and test of a hypothesis: ``truth, test, quantity`` (in words), ``value``
        and whether the hypothesis is ``true``. H1 is if the withdrawal hazard is above 0, H2 if
        besides kappa is above 1 and the taper lowers the risk; H3 by the difference of net risks
        of relapse, H4 by the share of the excess hazard.
    """
    rows = [row for name in design.truths for row in _of_truth(design, name)]
    return pd.DataFrame(rows, columns=COLUMNS)


def true_tests(design: TrialDesign, truth: str) -> list[str]:
    """Tests of a hypothesis whose rejections are right under a truth; of H3 one side or both."""
    return [row[1] for row in _of_truth(design, truth) if row[-1]]


def powered_tests(design: TrialDesign) -> dict[str, list[str]]:
    """Tests whose rejections are power: of each wanted hypothesis those that are true.

    Parameters
    ----------
    design
        The planned trial.

    Returns
    -------
    dict
        By wanted hypothesis its tests that hold under the truth that is planned for; of H3 one
        side or both.

    Raises
    ------
    InvalidInput
        A wanted hypothesis is false under that truth: trials that say so are wrong, and no
        number of people gives it power.
    """
    rows = list(_of_truth(design, design.planned_for))
    found = {
        name: [row[1] for row in rows if hypothesis_of(row[1]) == name and row[-1]]
        for name in design.wanted
    }
    refuse(_untrue(design, name, rows) for name, tests in found.items() if not tests)
    return found


def _untrue(design: TrialDesign, name: str, rows: list[Row]) -> Problem:
    _, _, quantity, value, _ = next(row for row in rows if hypothesis_of(row[1]) == name)
    found = "none" if math.isnan(value) else f"{value:.3g}"
    found += f", kappa {design.scenario.kappa:g}" if name == "H2" else ""
    rule = (
        f"not true under the truth that is planned for ({design.planned_for!r}; {quantity}: "
        f"{found}), so trials that say so are wrong, and no size gives power; want other "
        "hypotheses or plan for another truth"
    )
    return Problem(design.file, rule, None, "hypotheses.wanted", name)


def _of_truth(design: TrialDesign, name: str) -> Iterator[Row]:
    asked, truth = design.content["hypotheses"], design.truths[name]
    plain = replace(truth, concealed_start_days=0, horizon_days=design.end)
    curves = expected_curves(replace(plain, visit_days=1))
    tested = asked["tested"]
    if "H1" in tested:
        risk = _risk(curves, design, "abrupt", "withdrawal", design.end)
        words = "net risk of withdrawal after an abrupt stop"
        yield name, "H1", words, risk, truth.alpha_per_day > 0
    if "H2" in tested:
        stopped, tapered = (
            _risk(curves, design, arm, "withdrawal", design.end) for arm in ("abrupt", "taper")
        )
        prevented = truth.alpha_per_day > 0 and truth.kappa > 1 and stopped - tapered > SMALL
        words = "net risk of withdrawal, abrupt less taper"
        yield name, "H2", words, stopped - tapered, prevented
    if "H3" in tested:
        day = round(design.look("H3"))
        tapered, kept = (
            _risk(curves, design, arm, "relapse", day) for arm in ("taper", "maintain")
        )
        words, difference = "net risk of relapse, taper less maintenance", tapered - kept
        yield name, NON_INFERIOR, words, difference, difference < asked["margin"]
        yield name, MAINTAINED, words, difference, difference > SMALL
    if "H4" in tested:
        share = _share(curves, design, round(design.look("H4")))
        words = "share of the excess hazard that is withdrawal"
        yield name, "H4", words, share, share > asked["share"]


def _risk(curves: pd.DataFrame, design: TrialDesign, strategy: str, cause: str, day: int) -> float:
    place = design.place(strategy)
    assert place is not None  # `read_design` refuses hypotheses without their arms
    arm = design.arms[place].name
    row = curves.loc[(curves["arm"] == arm) & (curves["day"] == day)]
    return -math.expm1(-float(row[f"hazard_{cause}"].iloc[0]))


def _share(curves: pd.DataFrame, design: TrialDesign, day: int) -> float:
    stopped, kept = (design.place(strategy) for strategy in ("abrupt", "maintain"))
    assert stopped is not None and kept is not None
    names = design.arms[stopped].name, design.arms[kept].name
    found = expected_excess_share(curves, *names, day)
    return found.hazard if abs(found.excess_hazard) > 1e-12 else float(np.nan)
