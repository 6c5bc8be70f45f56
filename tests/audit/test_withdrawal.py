"""Domain W: its rule on every combination of answers, and the answers that are computed."""

from functools import cache
from itertools import product

import pandas as pd
import pytest

from discontinuation.audit.tools import domain_w
from discontinuation.audit.withdrawal import (
    ExcessFacts,
    PaceFacts,
    answer_excess,
    answer_pace,
    certainty_downgrade,
    changed_by_reading,
    judge_withdrawal,
    read_either_way,
)

LOW, SOME, HIGH, CANNOT = "Low", "Some concerns", "High", "Cannot be judged"
NUMBERS = [f"W{i}" for i in range(1, 9)]


def complete(w1, w2, w3, w4, w8):
    """The rule of domain.md 6.6 with every answer known; w8 may be neither (None)."""
    n = [answer is False for answer in (w1, w2, w3, w4, w8)]
    if (n[4] and (n[1] or n[2])) or (n[0] and n[1] and n[2]):
        return HIGH
    if (w1 and (w2 or w3)) or (w3 and w4 and w8):
        return LOW
    return SOME


@cache
def truth(w1, w2, w3, w4, w8):
    """With NI: complete both ways; W8's NI is neither."""
    options = [(True, False) if x is None else (x,) for x in (w1, w2, w3, w4)]
    found = {complete(*given, w8) for given in product(*options)}
    if len(found) == 1:
        return found.pop()
    return CANNOT if {LOW, HIGH} <= found else SOME


MEANS = {"Y": True, "PY": True, "N": False, "PN": False, "NI": None}


def test_the_rule_on_every_combination_of_answers():
    """5^8 = 390,625 sets of answers."""
    for given in product(MEANS, repeat=8):
        said = [MEANS[answer] for answer in given]
        expected = truth(said[0], said[1], said[2], said[3], said[7])
        assert judge_withdrawal(dict(zip(NUMBERS, given, strict=True))) == expected, given


def test_no_information_alone_never_gives_high():
    for given in product(("Y", "PY", "NI"), repeat=8):
        assert judge_withdrawal(dict(zip(NUMBERS, given, strict=True))) != HIGH


def test_nothing_known_cannot_be_judged_and_a_missing_answer_is_no_information():
    nothing = dict.fromkeys(NUMBERS, "NI")
    assert judge_withdrawal(nothing) == judge_withdrawal({}) == CANNOT


def test_more_reassurance_never_makes_it_worse():
    """Turning an N into a Y; the order is Low, Some concerns, High."""
    order = [LOW, SOME, HIGH]
    for given in product("YN", repeat=8):
        answers = dict(zip(NUMBERS, given, strict=True))
        for number in NUMBERS:
            better = judge_withdrawal({**answers, number: "Y"})
            assert order.index(better) <= order.index(judge_withdrawal({**answers, number: "N"}))


@pytest.mark.parametrize(
    ("facts", "answer"),
    [
        ((28, 20, 10), "Y"),
        ((27.9, 20, 10), "N"),
        ((28, 20.1, 10), "N"),
        ((28, 20, 10.1), "N"),
        ((3, float("nan"), float("nan")), "N"),
        ((90, float("nan"), 5), "NI"),
        ((), "NI"),
    ],
)
def test_pace_is_answered_from_numbers(facts, answer):
    assert answer_pace(PaceFacts(*facts)) == answer


@pytest.mark.parametrize(
    ("lower", "upper", "answer"),
    [
        (-0.3, 0.1, "Y"),
        (-0.3, 0.2, "NI"),  # not under the margin
        (-0.3, 0.6, "NI"),  # not significant is never a yes
        (0.01, 0.6, "N"),
        (0.01, 0.15, "Y"),  # it is there, and shown to be small
        (-0.9, -0.1, "Y"),
        (float("nan"), float("nan"), "NI"),
    ],
)
def test_excess_is_answered_from_its_interval(lower, upper, answer):
    assert answer_excess(ExcessFacts(lower, upper)) == answer


def test_the_margin_can_be_chosen():
    assert answer_excess(ExcessFacts(-0.3, 0.25), margin=0.3) == "Y"


def test_reading_every_ni_either_way():
    nothing = {}
    assert read_either_way(nothing) == (LOW, HIGH)
    known = {**dict.fromkeys(NUMBERS, "Y"), "W5": "NI"}
    table = changed_by_reading([nothing, known]).set_index("every_ni_read_as")
    assert table.loc["yes", "changed"] == 1 and table.loc["yes", LOW] == 2
    assert table.loc["no", "changed"] == 1 and table.loc["no", HIGH] == 1


def pool(judgements, weights, provisional=False, w8="NI"):
    return pd.DataFrame(
        {"judgement": judgements, "weight": weights, "provisional": provisional, "W8": w8}
    )


def test_certainty_is_lowered_once_and_only_for_judgements_that_count():
    half = pool([HIGH, LOW], [50, 50])
    assert certainty_downgrade(half, window_events_reverse=None).levels == 1
    assert certainty_downgrade(half, window_events_reverse=True).levels == 1
    less = pool([HIGH, LOW], [49, 51])
    assert certainty_downgrade(less, window_events_reverse=None).levels == 0
    all_high = pool([HIGH, HIGH], [1, 1])
    assert certainty_downgrade(all_high, window_events_reverse=True).levels == 2
    assert certainty_downgrade(all_high, window_events_reverse=False).levels == 1
    abstracts = pool([HIGH, HIGH], [1, 1], provisional=True)
    assert certainty_downgrade(abstracts, window_events_reverse=True).levels == 0
    adjusted = certainty_downgrade(all_high, window_events_reverse=True, bias_adjusted=True)
    assert adjusted.levels == 0


def test_no_raising_for_a_large_effect_when_the_early_excess_is_there():
    assert certainty_downgrade(pool([LOW], [1]), window_events_reverse=None).large_effect_allowed
    shown = pool([LOW], [1], w8="PN")
    assert not certainty_downgrade(shown, window_events_reverse=None).large_effect_allowed


def test_the_questions_are_those_of_the_domain():
    assert [question.number for question in domain_w().questions] == NUMBERS
    assert domain_w().hides_in["W7"] == "D5"
    assert domain_w().thresholds.excess_margin == 0.2
