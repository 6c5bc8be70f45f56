"""Figures of the classification: what they show, and that the same numbers give the same bytes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from discontinuation.classify.agreement import confusion, pairwise_agreement
from discontinuation.classify.rules import LABELS
from discontinuation.classify.validation import decision_curve, reliability_curve
from discontinuation.report.classification_figures import (
    LABEL_COLOURS,
    Q_MAP,
    draw_agreement,
    draw_confusion,
    draw_decision_curve,
    draw_events_by_time,
    draw_item_profiles,
    draw_labels,
    draw_reliability,
    draw_verdicts,
)
from discontinuation.report.drawing import save_figure


def labels(n=30):
    stream = np.random.default_rng(1)
    first = stream.choice(LABELS[:3], n)
    return pd.DataFrame(
        {
            "one": first,
            "two": np.where(stream.uniform(size=n) < 0.7, first, "relapse"),
            "three": np.where(stream.uniform(size=n) < 0.4, first, "not assessable"),
            "silent": "not assessable",
        }
    )


def summary():
    return labels().apply(lambda one: one.value_counts()).T.reindex(columns=LABELS).fillna(0)


def events():
    stream = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "days_since_reduction": np.where(np.arange(40) < 8, np.nan, stream.uniform(0, 200, 40)),
            "q": np.where(np.arange(40) == 5, np.nan, stream.uniform(size=40)),
            "strategy": np.where(np.arange(40) < 8, "maintain", "abrupt"),
        }
    )


def profiles():
    rows = [
        (item, cause, share, max(share - 0.1, 0), min(share + 0.1, 1))
        for item, w, r in (("low_mood", 0.4, 0.8), ("dizziness", 0.6, 0.1), ("insomnia", 0.5, 0.5))
        for cause, share in (("withdrawal", w), ("relapse", r))
    ]
    return pd.DataFrame(rows, columns=["item", "cause", "estimate", "lower", "upper"])


def curves():
    stream = np.random.default_rng(3)
    q = stream.uniform(size=200)
    return q, (stream.uniform(size=200) < q).astype(int)


FIGURES = {
    "labels": lambda: draw_labels(summary(), {"one": "First set"}),
    "verdicts": lambda: draw_verdicts(labels()),
    "confusion": lambda: draw_confusion(confusion(labels(), "one", "two", LABELS), "1", "2", "x"),
    "agreement": lambda: draw_agreement(pairwise_agreement(labels(), LABELS[:3])),
    "events": lambda: draw_events_by_time(events(), 47),
    "profiles": lambda: draw_item_profiles(profiles(), "By cause"),
    "reliability": lambda: draw_reliability(reliability_curve(*curves()), "slope 1"),
    "decisions": lambda: draw_decision_curve(decision_curve(*curves())),
}


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_numbers_give_the_same_bytes(name, tmp_path):
    for copy in ("a", "b"):
        save_figure(FIGURES[name](), tmp_path / f"{copy}.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def texts(figure):
    return {text.get_text() for axes in figure.axes for text in axes.texts}


def test_counts_and_coefficients_are_written():
    shown = texts(FIGURES["confusion"]())
    table = confusion(labels(), "one", "two", LABELS)
    assert {str(n) for n in table.to_numpy().ravel()} == shown
    pairs = pairwise_agreement(labels(), LABELS[:3])
    figure = FIGURES["agreement"]()
    best = pairs.loc[(pairs["coefficient"] == "Gwet's AC1"), "estimate"].iloc[0]
    assert f"{best:.2f}" in texts(figure)
    # A set that shares nothing with another is named, not drawn.
    assert "silent" in figure._supxlabel.get_text()
    assert all("silent" not in tick.get_text() for tick in figure.axes[0].get_yticklabels())


def test_every_deterioration_is_one_mark():
    figure = FIGURES["events"]()
    marks = [dots for axes in figure.axes[:2] for dots in axes.collections]
    assert sum(len(dots.get_offsets()) for dots in marks) == 40
    places = np.vstack([dots.get_offsets() for dots in figure.axes[1].collections])
    assert len(np.unique(places.round(6), axis=0)) == 32


def test_verdicts_are_one_tile_each_and_too_many_are_not_drawn():
    tiles = [p for p in FIGURES["verdicts"]().axes[0].patches if isinstance(p, Rectangle)]
    assert len(tiles) == 30 * 4
    assert "too many" in texts(draw_verdicts(labels(61))).pop()


def test_both_hypotheses_weigh_the_same():
    ends, middle = np.array([Q_MAP(0.0), Q_MAP(1.0)]), np.array(Q_MAP(0.5))
    far = np.linalg.norm(ends - middle, axis=1)
    assert far[0] == pytest.approx(far[1], rel=0.25)
    assert LABEL_COLOURS["withdrawal"] != LABEL_COLOURS["relapse"]
    low, high = (np.array(Q_MAP(x)) for x in (0.45, 0.55))
    assert np.linalg.norm(low - middle) == pytest.approx(np.linalg.norm(high - middle), rel=0.3)


def test_items_are_ordered_by_their_contrast():
    ticks = [tick.get_text() for tick in FIGURES["profiles"]().axes[0].get_yticklabels()]
    assert ticks == ["low mood", "insomnia", "dizziness"]


@pytest.mark.parametrize(
    "figure",
    [
        lambda: draw_labels(summary() * 0),
        lambda: draw_verdicts(labels().iloc[:0]),
        lambda: draw_confusion(confusion(labels(), "one", "two", LABELS) * 0, "1", "2"),
        lambda: draw_agreement(pairwise_agreement(labels()[["one", "silent"]], LABELS[:3])),
        lambda: draw_events_by_time(events().iloc[:0]),
        lambda: draw_item_profiles(profiles().iloc[:0]),
        lambda: draw_reliability(reliability_curve(*curves()).iloc[:0]),
        lambda: draw_decision_curve(decision_curve(*curves()).iloc[:0]),
    ],
)
def test_nothing_to_draw_is_said(figure):
    assert len(next(iter(texts(figure())))) > 10
