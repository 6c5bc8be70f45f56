"""Bias, coverage and their Monte-Carlo errors, by hand."""

import numpy as np
import pandas as pd
import pytest

from discontinuation.classify.gate_measures import truth_of
from discontinuation.classify.performance import performance
from discontinuation.report.validation_figures import draw_performance, draw_zip

TRUTH = truth_of("S0")["beta"]


def trials(errors, half=0.3):
    beta = TRUTH + np.asarray(errors, dtype=float)
    return pd.DataFrame(
        {
            "scenario": "S0",
            "beta": beta,
            "beta_lower": beta - half,
            "beta_upper": beta + half,
            "psi_H_estimate": np.nan,
            "psi_H_lower": np.nan,
            "psi_H_upper": np.nan,
        }
    )


def test_bias_coverage_and_errors():
    made = trials([0.1, -0.2, 0.4, np.nan])
    row = performance(made).set_index(["quantity", "method"]).loc[("beta", "model")]
    assert (row["trials"], row["estimates"], row["intervals"]) == (4, 3, 3)
    assert row["bias"] == pytest.approx(0.1)
    assert row["empirical_se"] == pytest.approx(0.3)  # of 0.1, -0.2, 0.4
    assert row["bias_mcse"] == pytest.approx(0.3 / np.sqrt(3))
    assert row["model_se"] == pytest.approx(0.3 / 1.959963984540054)
    assert row["coverage"] == pytest.approx(2 / 3)
    assert row["coverage_mcse"] == pytest.approx(np.sqrt(2 / 27))


def test_full_coverage_has_an_error_too():
    row = performance(trials([0.0] * 5)).set_index(["quantity", "method"]).loc[("beta", "model")]
    assert row["coverage"] == 1
    assert row["coverage_mcse"] == pytest.approx(np.sqrt(0.1 * 0.9 / 5))


def test_refused_estimates_are_counted_not_left_out():
    row = performance(trials([0.1, 0.2])).set_index(["quantity", "method"]).loc[("psi_H", "model")]
    assert (row["trials"], row["estimates"]) == (2, 0)
    assert np.isnan(row["coverage"])


def test_what_was_not_tried_has_no_row():
    assert set(performance(trials([0.1]))["method"]) == {"model"}


def test_the_misses_of_the_zip_plot_are_on_top():
    figure = draw_zip(trials([0.01] * 19 + [2.0]), "S0", {"beta": TRUTH})
    (axes,) = figure.axes
    holds, misses = axes.collections
    assert len(holds.get_segments()) == 19
    assert misses.get_segments()[0][0, 1] > max(line[0, 1] for line in holds.get_segments())
    assert "95.0%" in axes.get_title(loc="left")


def test_errors_by_scenario_are_drawn_for_every_scenario():
    figure = draw_performance(performance(trials([0.1, 0.2])))
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["S0"]
