"""What does `discontinuation reconstruct` do: from clicks in a figure to people and a check."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from discontinuation.problems import InvalidInput, Problem, allowed_values, refuse
from discontinuation.synthesis.curve_files import (
    ONE_ARM,
    ClickedFigure,
    read_clicks,
    read_risk_table,
)
from discontinuation.synthesis.curve_quality import CurveQuality, contrast_problems, judge_contrast
from discontinuation.synthesis.reconstruct import (
    FEWEST_REPEATS,
    RepeatedReconstruction,
    across_repeats,
    reconstruct_repeatedly,
)

REQUEST = "the request"
STATEMENT = (
    "Reconstructed from a published figure: the cause of an event, its course and the dose are not "
    "in a curve. Not for decisions about anyone's treatment."
)


Arms = dict[str, RepeatedReconstruction]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `discontinuation reconstruct` can be asked with."""
    add = parser.add_argument
    add("clicks", type=Path, nargs="?", help="JSON or CSV file with the clicked points")
    add("--page", type=Path, metavar="HTML", help="only write the digitising page, to this file")
    add("--at-risk", type=Path, metavar="CSV", help="risk table, columns arm,time,at_risk")
    add("--events", nargs="+", default=[], metavar="ARM=N", help="published totals of events")
    add("--percent", action="store_true", help="the vertical axis is in percent")
    add("--rising", action="store_true", help="the curve shows the share with the event")
    add("--window", type=float, help="end of the early window, in the unit of the figure")
    add("--window-events", nargs="+", default=[], metavar="ARM=N", help="published, in the window")
    add("--median", nargs="+", default=[], metavar="ARM=T", help="published medians")
    add("--hazard-ratio", type=float, help="as published, the second arm over the first")
    add("--p-value", type=float, help="of the published log-rank test")
    add("--unit", help="unit of time, for the figure")
    add("--repeats", type=int, default=FEWEST_REPEATS, help="reconstructions with click noise")
    add("--noise", type=float, default=0.003, help="SD of the click noise, as a share")
    add("--seed", type=int, default=1, help="of the click noise")
    add("--into", type=Path, default=Path("reconstruction"), help="folder for what is written")


def run_reconstruct(options: argparse.Namespace) -> str:
    """Reconstruct the arms of a figure; write their people, the checks and an overlay.

    Parameters
    ----------
    options
        As `add_arguments` has them read.

    Returns
    -------
    str
        What to print.

    Raises
    ------
    InvalidInput
        With the problems of the request, of the files and of the curves of all arms.
    """
    if options.page is not None:
        from discontinuation.report.digitising_page import write_digitising_page

        refuse(_page_problems(options))
        return f"wrote {write_digitising_page(options.page)}"
    refuse(_missing_clicks(options))
    figure = read_clicks(options.clicks, percent=options.percent, rising=options.rising)
    arms = _reconstruct_arms(figure, options)
    contrast = _contrast(arms, options)
    paths = _write(arms, contrast, figure.time_unit, options)
    parts = [f"{name}\n{arm.as_read}" for name, arm in arms.items()]
    if contrast is not None:
        parts.append(f"both arms\n{contrast}\n{_hazard_ratio(arms)}")
    left_out = [name for name, arm in arms.items() if not _usable(arm)]
    if left_out:
        parts.append(f"rejected, so their people are not written: {', '.join(left_out)}")
    return "\n\n".join([*parts, STATEMENT, "\n".join(f"wrote {path}" for path in paths)])


def _page_problems(options: argparse.Namespace) -> Iterator[Problem]:
    if options.clicks is not None:
        message = "has no use with --page, which only writes the digitising page"
        yield Problem(REQUEST, message, column="clicks", value=str(options.clicks))


def _missing_clicks(options: argparse.Namespace) -> Iterator[Problem]:
    if options.clicks is None:
        message = "is missing: a file with clicked points (or --page FILE for the digitising page)"
        yield Problem(REQUEST, message, column="clicks")


def _reconstruct_arms(figure: ClickedFigure, options: argparse.Namespace) -> Arms:
    """Reconstruct every arm, or name the problems of all."""
    names = list(figure.arms)
    problems = list(_contrast_problems(names, options))
    totals = {
        option: _by_arm(getattr(options, option), option, names, problems)
        for option in ("events", "window_events", "median")
    }
    tables = _risk_tables(figure, options, problems)
    arms: Arms = {}
    for name, arm in figure.arms.items():
        early = totals["window_events"].get(name)
        try:
            arms[name] = reconstruct_repeatedly(
                arm.clicks,
                tables.get(name, arm.at_risk),
                int(totals["events"][name]) if name in totals["events"] else arm.events,
                repeats=options.repeats,
                noise=options.noise,
                seed=options.seed,
                window=options.window,
                window_events=None if early is None else int(early),
                median=totals["median"].get(name),
            )
        except InvalidInput as invalid:
            problems += [_of_arm(problem, name) for problem in invalid.problems]
    refuse(dict.fromkeys(problems))
    return arms


def _of_arm(problem: Problem, arm: str) -> Problem:
    """Say in which arm a problem is, unless it is one of the request."""
    if problem.file not in ("clicks", "risk table", "total of events"):
        return problem
    file = problem.file if arm == ONE_ARM else f"{problem.file} of {arm}"
    return Problem(file, problem.message, problem.row, problem.column, problem.value)


def _by_arm(
    given: Sequence[str], option: str, names: Sequence[str], problems: list[Problem]
) -> dict[str, float]:
    """Read ARM=N; the name may be left out if there is one arm."""
    found = {}
    column = "--" + option.replace("_", "-")
    for text in given:
        arm, equals, number = text.rpartition("=")
        if not equals and len(names) == 1:
            arm = names[0]
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        whole = option == "median" or value == np.floor(value)
        if arm not in names:
            rule = f"ARM=N; {allowed_values(names, arm or text)}"
            problems.append(Problem(REQUEST, rule, column=column, value=text))
        elif not (math.isfinite(value) and whole):
            rule = "allowed: a number" if option == "median" else "allowed: a whole number"
            problems.append(Problem(REQUEST, rule, column=column, value=text))
        else:
            found[arm] = value
    return found


def _usable(arm: RepeatedReconstruction) -> bool:
    return arm.as_read.quality.verdict != "reject"


def _risk_tables(
    figure: ClickedFigure, options: argparse.Namespace, problems: list[Problem]
) -> dict[str, pd.DataFrame]:
    if options.at_risk is None:
        return {}
    tables = read_risk_table(options.at_risk)
    names = list(figure.arms)
    if len(tables) == len(names) == 1:
        return {names[0]: next(iter(tables.values()))}
    for name in tables:
        if name not in names:
            message = f"no arm of the figure has this name; {allowed_values(names, name)}"
            problems.append(Problem(options.at_risk.name, message, column="arm", value=name))
    return tables


def _contrast_problems(names: Sequence[str], options: argparse.Namespace) -> Iterator[Problem]:
    yield from contrast_problems(options.hazard_ratio, options.p_value)
    asked = {"--hazard-ratio": options.hazard_ratio, "--p-value": options.p_value}
    for option, value in asked.items():
        if value is not None and len(names) != 2:
            message = f"needs a figure with two arms; this one has {len(names)}"
            yield Problem(REQUEST, message, column=option, value=f"{value:g}")


def _contrast(arms: Arms, options: argparse.Namespace) -> CurveQuality | None:
    """Hold two arms against the published contrast; other figures have none."""
    if len(arms) != 2:
        return None
    first, second = (arm.as_read.people for arm in arms.values())
    without = not (first["event"].any() and second["event"].any())
    if without and options.hazard_ratio is None and options.p_value is None:
        return None
    return judge_contrast(first, second, options.hazard_ratio, options.p_value)


def _hazard_ratio(arms: Arms) -> str:
    """Write the ratio over all repeats, with the error of reconstruction in its limits."""
    first, second = arms
    result = across_repeats(_log_hazard_ratio, *arms.values())
    ratio, lower, upper = (
        float(np.exp(getattr(result, part)[0])) for part in ("estimate", "lower", "upper")
    )
    share = result.between[0] / (result.within[0] + result.between[0])
    return (
        f"hazard ratio, {second} over {first}: {ratio:.3f} ({lower:.3f} to {upper:.3f}), mean of "
        f"{result.imputations} reconstructions with click noise; {share:.1%} of its variance is "
        "error of reconstruction"
    )


def _log_hazard_ratio(first: pd.DataFrame, second: pd.DataFrame) -> tuple[float, float]:
    from discontinuation.survival import cox

    both = pd.concat([first.assign(second=0.0), second.assign(second=1.0)], ignore_index=True)
    model = cox("second", both)
    return float(model.coef[0]), float(model.covariance[0, 0])


def _write(
    arms: Arms,
    contrast: CurveQuality | None,
    time_unit: str,
    options: argparse.Namespace,
) -> list[Path]:
    from discontinuation.report.drawing import save_figure
    from discontinuation.report.reconstruction_figure import draw_reconstruction

    checks = {name: arm.as_read.quality.summary for name, arm in arms.items()}
    if contrast is not None:
        checks["both arms"] = contrast.summary
    usable = {name: arm for name, arm in arms.items() if _usable(arm)}
    tables = {
        "people": {name: arm.as_read.people for name, arm in usable.items()},
        "repeats": {name: arm.people for name, arm in usable.items()},
        "risk_table": {name: arm.as_read.risk_table for name, arm in arms.items()},
        "quality": checks,
    }
    options.into.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, frames in tables.items():
        if frames:
            paths.append(options.into / f"{name}.csv")
            table = pd.concat(frames, names=["arm"]).reset_index("arm").reset_index(drop=True)
            table.to_csv(paths[-1], index=False, lineterminator="\n")
    figures = [options.into / "overlay.svg", options.into / "overlay.png"]
    drawn = draw_reconstruction(
        {name: arm.as_read for name, arm in arms.items()}, options.unit or time_unit
    )
    save_figure(drawn, *figures)
    return [*paths, *figures]
