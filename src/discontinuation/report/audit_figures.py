"""Risk of bias at a glance, domain W beside it, and the flow of a review."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.audit.judgements import OVERALL, W
from discontinuation.audit.prisma import check_flow, total
from discontinuation.audit.tools import ROBINS_I, domain_w
from discontinuation.report.drawing import new_figure, say_nothing_to_draw
from discontinuation.report.palette import FAINT, GRID, INK

# Colour and sign, so that neither is needed alone.
LOOKS = {
    "Low": ("#009E73", "+"),
    "Some concerns": ("#E69F00", "–"),
    "Moderate": ("#E69F00", "–"),
    "High": ("#D55E00", "×"),
    "Serious": ("#D55E00", "×"),
    "Critical": ("#222222", "!"),
    "No information": ("#BBBBBB", "?"),
    "Cannot be judged": ("#FFFFFF", "?"),
}
HATCH = "////"
ROW, CELL, GAP = 0.25, 0.42, 0.35  # inches
NAMES, MARGIN, BELOW = 3.9, 0.12, 0.165
SMALL = 7.5
THICK = 0.68  # of a bar, where the next one is 1 away
RESULT = ["study", "outcome", "time"]
EXPERIMENTAL = "W\n(experimental)"


def draw_traffic_lights(summary: pd.DataFrame, tool: str) -> Figure:
    """Draw one row of lights per result: the domains of one tool, overall, and domain W apart.

    Parameters
    ----------
    summary
        Of `judge_audits`.
    tool
        RoB 2, ROBINS-I 2016, or none (domain W only).

    Returns
    -------
    Figure
        Judgements made from abstracts by one reader are hatched.
    """
    rows = summary.loc[summary["tool"] == tool]
    if rows.empty:
        return say_nothing_to_draw(f"No result was judged with {tool}.")
    domains = [each for each in dict.fromkeys(rows["domain"]) if each != W]
    results = list(dict.fromkeys(rows[RESULT].itertuples(index=False, name=None)))
    columns = _columns(domains)
    footnotes = _footnotes(rows, domains)
    width = max(NAMES + columns[W] + CELL + 0.15, 7.2)
    top = 0.75
    height = top + ROW * len(results) + 0.35 + BELOW * 1.1 * (len(footnotes) + 2)
    figure, axes = _inches(width, height)
    for domain, x in columns.items():
        label = EXPERIMENTAL if domain == W else domain
        look: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": 8}
        axes.text(NAMES + x, top - 0.05, label, weight="bold", **look)
    axes.text(MARGIN, 0.25, _heading(rows, tool), fontsize=10, weight="bold")
    names = _names(rows)
    keyed = {tuple(row[name] for name in [*RESULT, "domain"]): row for row in _records(rows)}
    for place, result in enumerate(results):
        y = top + ROW * (place + 0.5)
        axes.plot([MARGIN, width - MARGIN], [y + ROW / 2] * 2, color=GRID, linewidth=0.6)
        axes.text(
            MARGIN, y, _in_two_lines(names[result]), va="center", fontsize=SMALL, linespacing=0.95
        )
        for domain, x in columns.items():
            row = keyed[(*result, domain)]
            _light(axes, NAMES + x, y, str(row["judgement"]), bool(row["provisional"]))
    bottom = top + ROW * len(results) + 0.25
    bottom = _draw_key(axes, bottom, width, rows)
    for number, line in enumerate(footnotes):
        axes.text(MARGIN, bottom + BELOW * (number + 0.5), line, va="center", fontsize=SMALL)
    return figure


def _columns(domains: Sequence[str]) -> dict[str, float]:
    """Centre of each column; overall and W stand apart."""
    places = {}
    x = CELL / 2
    for domain in domains:
        x += 0.12 if domain == OVERALL else 0.0
        places[domain] = x
        x += CELL
    places[W] = x + (GAP if domains else 0.0)
    return places


def _records(rows: pd.DataFrame) -> list[Mapping[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]


def _names(rows: pd.DataFrame) -> dict[tuple[str, str, str], str]:
    """Name each result by trial and time, and by its outcome where that does not tell it apart."""
    results = rows.drop_duplicates(RESULT)
    alike = results.duplicated(["title", "time"], keep=False)
    names = results["title"] + ": " + results["time"]
    names = names.where(~alike, names + ", " + results["outcome"])
    keys = results[RESULT].itertuples(index=False, name=None)
    return dict(zip(keys, names, strict=True))


def _in_two_lines(text: str, characters: int = 66) -> str:
    return "\n".join(textwrap.wrap(text, characters, max_lines=2, placeholder=" …"))


def _heading(rows: pd.DataFrame, tool: str) -> str:
    versions = [each for each in dict.fromkeys(rows["version"]) if each != domain_w().version]
    said = versions[0] if versions else "No tool for bias applies"
    return said if tool == ROBINS_I or versions else f"{said}: domain W only"


def _light(axes: Axes, x: float, y: float, judgement: str, provisional: bool) -> None:
    from matplotlib.patches import Circle

    colour, sign = LOOKS[judgement]
    light = Circle((x, y), 0.095, facecolor=colour, edgecolor=INK, linewidth=0.7)
    axes.add_patch(light)
    if provisional:
        over = Circle((x, y), 0.095, fill=False, edgecolor="white", linewidth=0, hatch=HATCH)
        if judgement == "Cannot be judged":
            over.set_edgecolor(FAINT)
        axes.add_patch(over)
        # Without lines behind it the sign can be read.
        axes.add_patch(Circle((x, y), 0.06, facecolor=colour, edgecolor="none"))
    ink = "white" if judgement == "Critical" else INK
    axes.text(x, y, sign, ha="center", va="center_baseline", fontsize=9, weight="bold", color=ink)


def _draw_key(axes: Axes, y: float, width: float, rows: pd.DataFrame) -> float:
    """Draw the meaning of the lights; return where the next line begins."""
    x = MARGIN + 0.1
    used = [each for each in LOOKS if each in set(rows["judgement"])]
    for judgement in used:
        _light(axes, x, y, judgement, False)
        axes.text(x + 0.15, y, judgement, va="center", fontsize=8)
        x += 0.45 + 0.075 * len(judgement)
    if rows["provisional"].any():
        if x + 2.6 > width:
            x, y = MARGIN + 0.1, y + 0.24
        _light(axes, x, y, used[0], True)
        axes.text(x + 0.15, y, "hatched: from an abstract, one reader", va="center", fontsize=8)
    return y + 0.2


def _footnotes(rows: pd.DataFrame, domains: Sequence[str]) -> list[str]:
    named = rows.drop_duplicates("domain").set_index("domain")["domain_name"]
    words = [f"{each} {named[each].lower()}" for each in domains if each != OVERALL]
    lines = textwrap.wrap("; ".join(words), 118) if words else []
    w = f"W {domain_w().name.lower()}: a proposal, no part of the overall judgement."
    high = rows.loc[rows["judgement"].isin(["High"])]
    spans = high["if_ni_were_yes_or_no"].fillna("")
    open_ = int((spans.ne("High") & spans.ne("")).sum())
    if open_:
        w += f" {open_} of {len(high)} High rest on 'no information' and could be lower."
    return [*lines, *textwrap.wrap(w, 118)]


def _inches(width: float, height: float) -> tuple[Figure, Axes]:
    """Make a figure whose coordinates are inches from the upper left corner."""
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    return figure, axes


def draw_judgement_bars(
    summary: pd.DataFrame, tool: str, weights: Mapping[str, float] | None = None
) -> Figure:
    """Draw the share of each judgement by domain, weighted, with domain W apart.

    Parameters
    ----------
    summary
        Of `judge_audits`.
    tool
        As in `draw_traffic_lights`.
    weights
        Study key to weight in the pool; results of one study share it. Without weights every study
        counts the same.

    Returns
    -------
    Figure
        The part of a bar that rests on abstracts read by one reader is hatched.
    """
    rows = summary.loc[summary["tool"] == tool]
    if rows.empty:
        return say_nothing_to_draw(f"No result was judged with {tool}.")
    domains = [each for each in dict.fromkeys(rows["domain"]) if each != W]
    figure = new_figure(8.2, 1.5 + 0.36 * (len(domains) + 2))
    axes = figure.subplots()
    ticks = {}
    for place, domain in enumerate([*domains, W]):
        y = place + (0.7 if domain == W else 0.0)
        mine = rows.loc[rows["domain"] == domain]
        name = str(mine["domain_name"].iloc[0])
        ticks[y] = f"{name} (W, experimental)" if domain == W else name
        _draw_bar(axes, y, _weighted(mine, weights))
    axes.set_yticks(list(ticks), list(ticks.values()))
    if domains:
        axes.axhline(len(domains) - 0.15, color=FAINT, linewidth=0.8, linestyle=(0, (2, 2)))
    axes.set_ylim(max(ticks) + 0.5, -0.6)
    axes.set_xlim(0, 100)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"percent of the {'weight' if weights else 'studies'}")
    axes.set_title(_heading(rows, tool))
    _bar_key(figure, rows)
    return figure


def _weighted(rows: pd.DataFrame, weights: Mapping[str, float] | None) -> pd.DataFrame:
    """Percent of the weight by judgement and by whether it is provisional."""
    each = rows.groupby("study")["study"].transform("size")
    given = pd.Series([(weights or {}).get(s, 0.0 if weights else 1.0) for s in rows["study"]])
    share = given.to_numpy(dtype=float) / each.to_numpy(dtype=float)
    total_ = share.sum()
    percent = 100 * share / total_ if total_ else share
    frame = rows[["judgement", "provisional"]].assign(percent=percent)
    return frame.groupby(["judgement", "provisional"])["percent"].sum().reset_index()


def _draw_bar(axes: Axes, y: float, parts: pd.DataFrame) -> None:
    left = 0.0
    order = list(LOOKS)
    parts = parts.assign(place=[order.index(each) for each in parts["judgement"]])
    for row in _records(parts.sort_values(["place", "provisional"])):
        colour, sign = LOOKS[row["judgement"]]
        size = float(row["percent"])
        axes.barh(y, size, facecolor=colour, edgecolor=INK, linewidth=0.7, height=THICK, left=left)
        if row["provisional"]:
            line = FAINT if row["judgement"] == "Cannot be judged" else "white"
            axes.barh(
                y,
                size,
                fill=False,
                edgecolor=line,
                linewidth=0,
                hatch=HATCH,
                height=THICK,
                left=left,
            )
        if size > 3:
            axes.text(
                left + size / 2, y, f"{sign} {size:.0f} %", ha="center", va="center", fontsize=8,
                color="white" if row["judgement"] == "Critical" else INK,
                bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.2},
            )  # fmt: skip
        left += size


def _bar_key(figure: Figure, rows: pd.DataFrame) -> None:
    from matplotlib.patches import Patch

    used = [each for each in LOOKS if each in set(rows["judgement"])]
    marks = [
        Patch(facecolor=LOOKS[each][0], edgecolor=INK, linewidth=0.7, label=each) for each in used
    ]
    if rows["provisional"].any():
        label = "from an abstract, one reader"
        marks.append(Patch(facecolor="#999999", edgecolor="white", hatch=HATCH, label=label))
    figure.legend(handles=marks, loc="outside lower center", ncols=4, fontsize=8)


BOX, LINE, STEP = 2.65, 0.16, 0.3  # inches
CHARACTERS = 42


@dataclass(frozen=True)
class _Box:
    """A box of the flow: where it stands and what it says."""

    column: float
    row: int
    lines: tuple[str, ...]


def draw_flow(counts: Mapping[str, Any]) -> Figure:
    """Draw the flow of a review after PRISMA 2020 (doi:10.1136/bmj.n71).

    Parameters
    ----------
    counts
        In the form of workflow/schemas/prisma.schema.yaml.

    Raises
    ------
    InvalidInput
        With every contradiction; nothing is drawn that does not add up.
    """
    flow = check_flow(counts)
    boxes, arrows = _flow_boxes(flow)
    heights = {
        row: max(len(box.lines) for box in boxes if box.row == row) * LINE + 0.16
        for row in sorted({box.row for box in boxes})
    }
    tops: dict[int, float] = {}
    y = 0.45
    for row, height in heights.items():
        tops[row] = y
        y += height + STEP
    right = max(box.column for box in boxes) + BOX
    figure, axes = _inches(right + 0.15, y)
    for box in boxes:
        _draw_box(axes, box, tops[box.row], heights[box.row])
    placed = {(box.column, box.row): box for box in boxes}
    for start, end in arrows:
        _draw_arrow(axes, placed[start], placed[end], tops, heights)
    _draw_titles(axes, flow, tops, heights)
    return figure


LEFT, RIGHT = 0.55, 0.55 + BOX + 0.35
OTHER = RIGHT + BOX + 0.45
OTHER_OUT = OTHER + BOX + 0.35
Place = tuple[float, int]


def _flow_boxes(flow: Mapping[str, Any]) -> tuple[list[_Box], list[tuple[Place, Place]]]:
    """Write every box and say which leads to which."""
    removed = flow["removed"]
    boxes = [
        _Box(LEFT, 0, _identified(flow)),
        _Box(RIGHT, 0, _wrapped([
            "Removed before screening:",
            f"  duplicates (n = {removed['duplicates']})",
            f"  by automation (n = {removed['automation']})",
            f"  other reasons (n = {removed['other']})",
        ])),
        _Box(LEFT, 1, (f"Records screened (n = {flow['screened']})",)),
        _Box(RIGHT, 1, (f"Records excluded (n = {flow['screened_out']})",)),
        *_reports(flow, LEFT, RIGHT),
        _Box(LEFT, 4, _included(flow)),
    ]  # fmt: skip
    arrows: list[tuple[Place, Place]] = [((LEFT, row), (LEFT, row + 1)) for row in range(4)]
    arrows += [((LEFT, row), (RIGHT, row)) for row in range(4)]
    other = flow.get("other_methods")
    if other:
        found = [f"  {name} (n = {n})" for name, n in other["identified"].items()]
        boxes.append(_Box(OTHER, 0, _wrapped(["Identified by other methods:", *found])))
        boxes += _reports(other, OTHER, OTHER_OUT)
        arrows += [((OTHER, 0), (OTHER, 2)), ((OTHER, 2), (OTHER, 3)), ((OTHER, 3), (LEFT, 4))]
        arrows += [((OTHER, row), (OTHER_OUT, row)) for row in (2, 3)]
    return boxes, arrows


def _identified(flow: Mapping[str, Any]) -> tuple[str, ...]:
    lines = [f"Records from databases (n = {total(flow['databases'])}):"]
    lines += [f"  {name} (n = {n})" for name, n in flow["databases"].items()]
    if flow["registers"]:
        lines.append(f"Records from registers (n = {total(flow['registers'])}):")
        lines += [f"  {name} (n = {n})" for name, n in flow["registers"].items()]
    return _wrapped(lines)


def _reports(flow: Mapping[str, Any], left: float, right: float) -> list[_Box]:
    reasons = [f"  {reason} (n = {n})" for reason, n in flow["excluded"].items()]
    out = f"Reports excluded (n = {total(flow['excluded'])})" + (":" if reasons else "")
    return [
        _Box(left, 2, (f"Reports sought (n = {flow['sought']})",)),
        _Box(right, 2, (f"Reports not retrieved (n = {flow['not_retrieved']})",)),
        _Box(left, 3, (f"Reports assessed (n = {flow['assessed']})",)),
        _Box(right, 3, _wrapped([out, *reasons])),
    ]


def _included(flow: Mapping[str, Any]) -> tuple[str, ...]:
    new = flow["included"]
    lines = [f"New studies included (n = {new['studies']})", f"  in {new['reports']} reports"]
    if "earlier" in flow:
        before, both = flow["earlier"], flow["total"]
        lines += [
            f"Studies of the earlier version (n = {before['studies']})",
            f"  in {before['reports']} reports",
            f"All studies included (n = {both['studies']})",
            f"  in {both['reports']} reports",
        ]
    return tuple(lines)


def _wrapped(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        part
        for line in lines
        for part in textwrap.wrap(line, CHARACTERS, subsequent_indent="    ", initial_indent="")
        or [line]
    )


def _draw_box(axes: Axes, box: _Box, top: float, height: float) -> None:
    from matplotlib.patches import Rectangle

    frame = Rectangle(
        (box.column, top), BOX, height, facecolor="white", edgecolor=INK, linewidth=0.8
    )
    axes.add_patch(frame)
    first = top + height / 2 - LINE * (len(box.lines) - 1) / 2
    for number, line in enumerate(box.lines):
        axes.text(box.column + 0.08, first + LINE * number, line, va="center", fontsize=8)


def _draw_arrow(
    axes: Axes, start: _Box, end: _Box, tops: Mapping[int, float], heights: Mapping[int, float]
) -> None:
    """Draw down within a column, across within a row, or back to the included studies."""
    if start.row == end.row:
        y = tops[start.row] + heights[start.row] / 2
        points = [(start.column + BOX, y), (end.column, y)]
    elif start.column == end.column:
        x = start.column + BOX / 2
        points = [(x, tops[start.row] + heights[start.row]), (x, tops[end.row])]
    else:
        x, y = start.column + BOX / 2, tops[end.row] + heights[end.row] / 2
        points = [(x, tops[start.row] + heights[start.row]), (x, y), (end.column + BOX, y)]
    xs, ys = zip(*points[:-1], strict=True)
    axes.plot(xs, ys, color=INK, linewidth=0.8)
    look = {"arrowstyle": "-|>", "color": INK, "linewidth": 0.8, "mutation_scale": 8}
    ends = {"shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=points[-1], xytext=points[-2], arrowprops=look | ends)


def _draw_titles(
    axes: Axes,
    flow: Mapping[str, Any],
    tops: Mapping[int, float],
    heights: Mapping[int, float],
) -> None:
    titles = [(LEFT, "Databases and registers")]
    if flow.get("other_methods"):
        titles.append((OTHER, "Other methods"))
    for x, title in titles:
        axes.text(x, 0.25, title, fontsize=9, weight="bold", va="center")
    stages = {"Identification": (0, 0), "Screening": (1, 3), "Included": (4, 4)}
    for stage, (first, last) in stages.items():
        middle = (tops[first] + tops[last] + heights[last]) / 2
        axes.text(
            0.25, middle, stage, rotation=90, ha="center", va="center", fontsize=8, color="#666666"
        )
