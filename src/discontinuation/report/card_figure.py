"""One trial at a glance: when what was done and measured, the curves, and what is early."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.audit.card import AuditCard
from discontinuation.audit.study import ARMS
from discontinuation.report.drawing import new_figure
from discontinuation.report.palette import FAINT, INK, STRATEGY_COLOURS
from discontinuation.survival import kaplan_meier

COLOURS = {"continued": STRATEGY_COLOURS["maintain"], "stopped": STRATEGY_COLOURS["abrupt"]}
WINDOW = "#F3E3C7"
SHARES = (
    ("early share of the difference at the end", "share that is early"),
    ("expected with no withdrawal, hazard ratio of the late part", "expected, late hazard ratio"),
    ("expected with no withdrawal, hazard ratio of the whole", "expected, whole hazard ratio"),
    ("expected with no withdrawal", "expected with no withdrawal"),
    ("excess of the early share", "excess over what is expected"),
    ("early excess as a share of the whole excess", "excess, of the whole (hazard)"),
)
WIDEST = 3.0  # shares beyond are cut, with an arrow


def draw_card(card: AuditCard) -> Figure:
    """Draw the time line, the curves or counts, and the early share beside its benchmarks.

    Parameters
    ----------
    card
        From `audit_card`.
    """
    figure = new_figure(9.4, 7.2)
    line, curves, shares = figure.subplots(3, 1, height_ratios=[1.1, 2.6, 1.6])
    _draw_line(line, card)
    _draw_curves(curves, card)
    _draw_shares(shares, card)
    label = f"tier {card.tier}: {card.claim}"
    figure.suptitle(f"{card.study.content['title']}\n", x=0.01, ha="left", weight="bold")
    figure.text(0.01, 0.955, label, fontsize=8, color=INK)
    return figure


def _draw_line(axes: Axes, card: AuditCard) -> None:
    content, removal = card.study.content, card.removal
    rows = {"symptoms rated": 0, "withdrawal window": 1, "dose": 2}
    taper = removal.taper_days
    if taper is None:
        axes.text(0, rows["dose"], "how fast it was stopped is not stated", va="center", fontsize=8)
    elif taper > 0:
        axes.barh(rows["dose"], taper, color=STRATEGY_COLOURS["taper"], height=0.5)
        axes.text(taper, rows["dose"], f" taper of {taper:g} days", va="center", fontsize=8)
    else:
        axes.plot(0, rows["dose"], "v", color=COLOURS["stopped"], markersize=8)
        axes.text(0, rows["dose"], "   stopped at once", va="center", fontsize=8)
    known = removal.quantities.loc[removal.quantities["quantity"] == "fall_90_10_days"]
    for low, high in known[["lowest", "highest"]].astype(float).itertuples(index=False, name=None):
        if math.isfinite(low):
            days = f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
            words = f"occupancy from 90 to 10 % in {days} days"
            axes.text(card.end, rows["dose"], words, va="center", ha="right", fontsize=8)
    axes.barh(rows["withdrawal window"], card.early, color=WINDOW, height=0.5)
    axes.text(card.early, rows["withdrawal window"], f" to day {card.early:g}", va="center",
              fontsize=8)  # fmt: skip
    days = content["symptom_days"]
    if days:
        axes.plot(days, [rows["symptoms rated"]] * len(days), "|", color=INK, markersize=10)
    else:
        axes.text(0, rows["symptoms rated"], content["withdrawal_measured"], va="center",
                  fontsize=8)  # fmt: skip
    axes.set_yticks(list(rows.values()), list(rows), fontsize=8)
    axes.set_xlim(-0.02 * card.end, card.end)
    axes.set_ylim(-0.6, 2.6)
    axes.set_title(f"Counted as the event: {content['relapse_definition']}", fontsize=8.5)
    axes.tick_params(labelbottom=False)


def _draw_curves(axes: Axes, card: AuditCard) -> None:
    axes.axvspan(0, card.early, color=WINDOW, linewidth=0)
    for name in ARMS:
        arm = card.study.arms[name]
        colour = COLOURS[name]
        if len(card.people):
            people = card.people.loc[card.people["arm"] == name]
            curve = kaplan_meier(people["time"], people["event"]).summary
            time = np.append(0.0, curve["time"])
            axes.step(time, np.append(1.0, curve["survival"]), where="post", color=colour,
                      label=f"{arm.label} ({len(people)} people, reconstructed)")  # fmt: skip
        if arm.clicks is not None:
            axes.plot(arm.clicks["time"], arm.clicks["survival"], ".", color=colour, markersize=2.5)
        if arm.counts is not None:
            free = 1 - arm.counts["events"] / arm.counts["people"]
            axes.plot(arm.counts["time"], free, "o", color=colour, markersize=5,
                      label=f"{arm.label} (counts)")  # fmt: skip
    axes.set_ylim(0, 1.02)
    axes.set_xlim(-0.02 * card.end, card.end)
    axes.set_ylabel("without the event")
    axes.set_xlabel("days since randomisation")
    axes.grid(axis="y")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left", fontsize=8)


def _draw_shares(axes: Axes, card: AuditCard) -> None:
    table = card.measures.set_index("measure") if len(card.measures) else pd.DataFrame()
    shown = [(name, words) for name, words in SHARES if name in table.index]
    if not shown:
        axes.axis("off")
        axes.text(0, 0.5, "What is early cannot be told from these figures.", fontsize=9)
        return
    for place, (name, _) in enumerate(shown):
        row = table.loc[name]
        expected = name.startswith("expected")
        mark, colour = ("D", FAINT) if expected else ("o", INK)
        if math.isfinite(row["lower"]):
            low, high = max(float(row["lower"]), -WIDEST), min(float(row["upper"]), WIDEST)
            axes.plot([low, high], [place, place], color=colour, linewidth=1.3)
        estimate = float(np.clip(row["estimate"], -WIDEST, WIDEST))
        axes.plot([estimate], [place], mark, color=colour,
                  markerfacecolor="none" if expected else colour)  # fmt: skip
    axes.axvline(0, color=FAINT, linewidth=0.8)
    axes.set_yticks(range(len(shown)), [words for _, words in shown], fontsize=8)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlabel("share of the difference at the end")
    axes.set_title(f"Verdict: {card.verdict}", fontsize=8.5)
    axes.grid(axis="x")
