"""What does `discontinuation power` do: from a design file to the trial that would settle it."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

from discontinuation.design.chunks import EVERY_SECONDS, progress
from discontinuation.design.design_file import read_design
from discontinuation.design.trial_plan import TrialPlan, plan_trial
from discontinuation.fingerprint import ROOT

PROJECT = ROOT.parents[1]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `discontinuation power` can be asked with."""
    parser.add_argument("design", type=Path, help="YAML file, as config/designs/settle.yaml")
    parser.add_argument("--into", type=Path, help="folder of the page; the design's key if none")
    parser.add_argument("--cores", type=int, default=1, help="threads; no number depends on it")


def run_power(options: argparse.Namespace) -> str:
    """Plan a trial; write its page, its figure and its tables.

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
        With every problem of the design file.
    """
    from discontinuation.provenance import describe_code
    from discontinuation.report.design_page import render_design
    from discontinuation.report.design_words import labels
    from discontinuation.report.drawing import save_figure
    from discontinuation.report.inline import FigureFiles
    from discontinuation.report.power_figure import draw_power

    design = read_design(options.design)
    plan = plan_trial(design, options.cores, _progress())
    folder = options.into or Path(str(design.content["design"]))
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [folder / "power.svg", folder / "power.png"]
    save_figure(draw_power(plan.power, plan.answers, labels(design)), *drawn)
    for name, table in plan.tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    digest = hashlib.sha256(options.design.read_bytes()).hexdigest()
    page = render_design(plan, FigureFiles.read(*drawn), describe_code(PROJECT), digest)
    (folder / "design.html").write_text(page, encoding="utf-8", newline="\n")
    return _told(plan, folder)


def _progress() -> Callable[[int, int], None]:
    """One line that is overwritten, or lines of a log."""
    began = told = time.monotonic()
    watched = sys.stderr.isatty()

    def tell(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < (0 if watched else EVERY_SECONDS) and done < total:
            return
        told = now
        line = progress("chunks of trials", done, total, now - began)
        end = "" if watched and done < total else "\n"
        print(f"\r{line:<80}" if watched else line, end=end, file=sys.stderr, flush=True)

    return tell


def _told(plan: TrialPlan, folder: Path) -> str:
    from discontinuation.report.design_words import limits, size_sentence

    lines = [
        str(plan.power.design.content["title"]),
        size_sentence(plan),
        "What it could not show:",
        *(f"- {sentence}" for sentence in limits(plan)),
        f"The page is {(folder / 'design.html').absolute()}",
    ]
    return "\n".join(lines)
