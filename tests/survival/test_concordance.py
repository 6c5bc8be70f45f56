"""Concordance counts pairs as one would by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.problems import InvalidInput
from discontinuation.survival.concordance_index import concordance
from discontinuation.survival.stored import from_json, to_json


def slow_pairs(time, event, score, entry, weight):
    """Look at every two people."""
    counts = np.zeros((len(time), 5))
    for i in range(len(time)):
        for j in range(len(time)):
            if i == j or not event[i] or not entry[j] < time[i] <= time[j]:
                continue
            if time[i] == time[j] and event[j]:
                if i < j and entry[i] < time[j]:
                    kind = 4 if score[i] == score[j] else 3
                    counts[i, kind] += weight[j]
                    counts[j, kind] += weight[i]
                continue
            kind = 2 if score[i] == score[j] else int(score[i] < score[j])
            counts[i, kind] += weight[j]
            counts[j, kind] += weight[i]
    return counts


@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_pairs(seed, late, weighted):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30))
    time = rng.integers(1, 9, n).astype(float)
    event, score = rng.integers(0, 2, n), rng.integers(0, 5, n)
    entry = np.floor(time * rng.random(n)) if late else np.full(n, -1.0)
    weight = rng.integers(0, 3, n) / 2 if weighted else np.ones(n)
    counts = slow_pairs(time, event, score, entry, weight)
    pairs = weight @ counts / 2
    if not pairs[:3].sum() > 0:
        with pytest.raises(InvalidInput, match="no pair to compare"):
            concordance(time, event, score, entry, weight)
        return
    found = concordance(time, event, score, entry if late else None, weight)
    ours = [found.concordant, found.discordant, found.tied_score, found.tied_time, found.tied_both]
    np.testing.assert_allclose(ours, pairs, atol=1e-12)
    index = (pairs[0] + pairs[2] / 2) / pairs[:3].sum()
    assert found.concordance == pytest.approx(index)
    turned = concordance(time, event, -score, entry, weight, higher="later")
    assert turned.concordance == pytest.approx(index) and turned.se == pytest.approx(found.se)


def test_copies_are_weights():
    rng = np.random.default_rng(1)
    time, event, score = rng.integers(1, 20, 50), rng.integers(0, 2, 50), rng.integers(0, 9, 50)
    copies = rng.integers(0, 4, 50)
    rows = np.repeat(np.arange(50), copies)
    one = concordance(time, event, score, weights=copies)
    other = concordance(time[rows], event[rows], score[rows], cluster=rows)
    # Copies of a person are tied in time with each other, and nothing else differs.
    assert one.concordance == pytest.approx(other.concordance, abs=0.01)
    assert one.se == pytest.approx(other.se, rel=0.05)


def test_the_standard_error_is_that_of_resampling():
    rng = np.random.default_rng(2)
    score = rng.normal(size=300)
    time = rng.exponential(np.exp(-0.8 * score))
    event = rng.random(300) < 0.7
    found = concordance(time, event, score)
    again = [
        concordance(time, event, score, weights=rng.multinomial(300, np.full(300, 1 / 300)))
        for _ in range(300)
    ]
    assert found.se == pytest.approx(np.std([one.concordance for one in again]), rel=0.15)
    assert found.concordance > 0.6


def test_a_perfect_score_and_none():
    time = np.arange(1, 11)
    perfect = concordance(time, np.ones(10), -time)
    assert perfect.concordance == 1 and perfect.se == 0
    assert concordance(time, np.ones(10), np.zeros(10)).concordance == 0.5
    assert "Concordance 1.0000" in str(perfect)
    assert str(from_json(to_json(perfect))) == str(perfect)


def test_refusals():
    with pytest.raises(InvalidInput, match="not finite"):
        concordance([1, 2], [1, 0], [1, np.nan])
    with pytest.raises(InvalidInput, match="3 values for 2 times"):
        concordance([1, 2], [1, 0], [1, 2, 3])
    with pytest.raises(InvalidInput, match="did you mean 'later'"):
        concordance([1, 2], [1, 0], [1, 2], higher="latter")
    with pytest.raises(InvalidInput, match="no pair"):
        concordance([1, 2], [0, 0], [1, 2])
