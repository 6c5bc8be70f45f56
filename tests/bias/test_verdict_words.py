"""Words: no template takes sides, and swapping anything swaps the words and nothing else."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.bias import verdict_words
from discontinuation.bias.verdict_words import Hypotheses, early_verdict, tipping_sentence
from discontinuation.problems import InvalidInput

GOALS = ("nullify", "restore", "double")


def swap_names(text, one, other):
    return text.replace(one, "\0").replace(other, one).replace("\0", other)


def test_no_template_names_a_hypothesis():
    templates = [
        text
        for name in ("_TIPPING", "_NEVER", "_ALREADY", "_NO_CANDIDATES")
        for text in getattr(verdict_words, name).values()
    ]
    assert len(templates) == 12
    for text in templates:
        assert "withdrawal" not in text and "relapse" not in text


@given(st.sampled_from(GOALS), st.sampled_from([0.0, 3.0, math.nan]), st.sampled_from([0, 9]))
def test_swapping_the_hypotheses_swaps_the_words(goal, fewest, candidates):
    pair = Hypotheses()
    there = tipping_sentence(goal, fewest, candidates, "events", "random", pair)
    back = tipping_sentence(goal, fewest, candidates, "events", "random", pair.swapped())
    assert swap_names(there, "relapse", "withdrawal") == back
    assert there != back
    assert "{" not in there


limit = st.floats(-3, 3)


@given(limit, limit, st.floats(0, 1))
def test_swapping_the_sign_swaps_excess_and_shortfall(a, b, margin):
    lower, upper = sorted([a, b])
    there, back = early_verdict(lower, upper, margin), early_verdict(-upper, -lower, margin)
    both = f"no sign of an early excess or shortfall beyond the margin of {margin:g}"
    assert there == back == both or swap_names(there, "excess", "shortfall") == back


@pytest.mark.parametrize(
    ("lower", "upper", "words"),
    [
        (0.1, 0.5, "early excess, cause not identified"),
        (-0.5, -0.1, "early shortfall, cause not identified"),
        (0.05, 0.15, "early excess, cause not identified, smaller than the margin of 0.2"),
        (-0.1, 0.15, "no sign of an early excess or shortfall beyond the margin of 0.2"),
        (-0.1, 0.4, "no sign of an early shortfall beyond the margin of 0.2; whether there is an "
         "early excess cannot be judged"),
        (-0.4, 0.4, "cannot be judged"),
        (math.nan, math.nan, "cannot be judged"),
    ],
)  # fmt: skip
def test_every_verdict(lower, upper, words):
    assert early_verdict(lower, upper, 0.2) == words


def test_not_significant_is_not_none():
    assert early_verdict(-0.01, 0.9, 0.0) == "cannot be judged"


def test_unknown_goals_and_negative_margins_are_refused():
    with pytest.raises(InvalidInput, match="did you mean 'nullify'"):
        tipping_sentence("nulify", 1, 2, "events", "random", Hypotheses())
    with pytest.raises(InvalidInput, match="0 or more"):
        early_verdict(0, 1, -1)
