"""RoB 2: every leaf of every decision table, against the guidance written down a second time."""

from itertools import product

import pytest

from discontinuation.audit.decision import LEVEL, judge_domain, span_of_domain
from discontinuation.audit.judgements import overall_rob2
from discontinuation.audit.tools import rob2

LOW, SOME, HIGH = "Low", "Some concerns", "High"
FIVE = ("Y", "PY", "PN", "N", "NI")


def yes(answer):
    return answer in ("Y", "PY")


def no(answer):
    return answer in ("N", "PN")


# The guidance as one follows it with a finger, written without looking at the tables.
def randomisation(q1, q2, q3):
    if no(q2):
        return HIGH
    if yes(q2):
        return SOME if no(q1) or yes(q3) else LOW
    return HIGH if yes(q3) else SOME


def deviations(q1, q2, q3, q4, q5, q6, q7):
    if (no(q1) and no(q2)) or no(q3):
        first = LOW
    elif q3 == "NI" or no(q4) or yes(q5):
        first = SOME
    else:
        first = HIGH
    second = LOW if yes(q6) else SOME if no(q7) else HIGH
    order = [LOW, SOME, HIGH]
    return max(first, second, key=order.index)


def adherence(q1, q2, q3, q4, q5, q6):
    aware = not (no(q1) and no(q2))
    trouble = (aware and not yes(q3)) or not no(q4) or not no(q5)
    if not trouble:
        return LOW
    return SOME if yes(q6) else HIGH


def missing(q1, q2, q3, q4):
    if yes(q1) or yes(q2) or no(q3):
        return LOW
    return SOME if no(q4) else HIGH


def measurement(q1, q2, q3, q4, q5):
    if yes(q1) or yes(q2):
        return HIGH
    if no(q3) or no(q4):
        return LOW if no(q2) else SOME
    return SOME if no(q5) else HIGH


def selection(q1, q2, q3):
    if yes(q2) or yes(q3):
        return HIGH
    return LOW if no(q2) and no(q3) and yes(q1) else SOME


CASES = [
    ("assignment", "1", randomisation),
    ("assignment", "2 (assignment)", deviations),
    ("adhering", "2 (adhering)", adherence),
    ("assignment", "3", missing),
    ("assignment", "4", measurement),
    ("assignment", "5", selection),
]


def domain_of(effect, key):
    return next(domain for domain in rob2().domains[effect] if domain.key == key)


def grid(domain):
    numbers = [question.number for question in domain.questions]
    for given in product(FIVE, repeat=len(numbers)):
        yield dict(zip(numbers, given, strict=True))


@pytest.mark.parametrize(("effect", "key", "truth"), CASES)
def test_every_set_of_answers_gives_what_the_guidance_gives(effect, key, truth):
    domain = domain_of(effect, key)
    for answers in grid(domain):
        assert judge_domain(domain, answers, rob2().levels) == truth(*answers.values()), answers


@pytest.mark.parametrize(("effect", "key", "truth"), CASES)
def test_exactly_one_leaf_holds_and_each_is_reached(effect, key, truth):
    domain = domain_of(effect, key)
    reached = set()
    numbers = [question.number for question in domain.questions]
    for given in product(("Y", "N", "NI"), repeat=len(numbers)):
        found = domain.leaves(dict(zip(numbers, given, strict=True)))
        assert [len(part) for part in found] == [1] * len(domain.parts)
        reached.update(id(leaf) for part in found for leaf in part)
    assert len(reached) == sum(len(part) for part in domain.parts)


@pytest.mark.parametrize(("effect", "key", "truth"), CASES)
def test_probably_counts_as_it_is_said(effect, key, truth):
    domain = domain_of(effect, key)
    for answers in grid(domain):
        reduced = {number: LEVEL[answer] for number, answer in answers.items()}
        assert judge_domain(domain, answers, rob2().levels) == judge_domain(
            domain, reduced, rob2().levels
        )


def test_not_applicable_is_no_trouble_for_adherence():
    domain = domain_of("adhering", "2 (adhering)")
    answers = {"2.1": "Y", "2.2": "Y", "2.3": "NA", "2.4": "NA", "2.5": "NA"}
    assert domain.asked(answers) == ("2.1", "2.2", "2.3", "2.4", "2.5")
    assert judge_domain(domain, answers, rob2().levels) == LOW
    assert judge_domain(domain, {**answers, "2.5": "Y", "2.6": "PY"}, rob2().levels) == SOME


def test_an_answer_that_is_missing_is_not_made_up():
    domain = domain_of("assignment", "3")
    with pytest.raises(ValueError, match=r"3\.2"):
        judge_domain(domain, {"3.1": "N"}, rob2().levels)


def test_no_information_spans_what_it_leaves_open():
    domain = domain_of("assignment", "3")
    all_open = {"3.1": "NI", "3.2": "NI", "3.3": "NI", "3.4": "NI"}
    assert judge_domain(domain, all_open, rob2().levels) == HIGH
    assert span_of_domain(domain, all_open, rob2().levels) == (LOW, HIGH)
    settled = {"3.1": "N", "3.2": "N", "3.3": "N", "3.4": "NA"}
    assert span_of_domain(domain, settled, rob2().levels) == (LOW, LOW)
    # 2.3 leads nowhere when it is NI, but would be followed by 2.4 if it were a yes.
    deviations_ = domain_of("assignment", "2 (assignment)")
    stops = {"2.1": "Y", "2.2": "Y", "2.3": "NI", "2.6": "Y"}
    assert judge_domain(deviations_, stops, rob2().levels) == SOME
    assert span_of_domain(deviations_, stops, rob2().levels) == (LOW, HIGH)


@pytest.mark.parametrize(
    ("domains", "add_up", "overall"),
    [
        ([LOW] * 5, False, LOW),
        ([LOW] * 5, True, LOW),
        ([LOW] * 4 + [SOME], False, SOME),
        ([LOW] * 4 + [SOME], True, SOME),
        ([LOW] * 3 + [SOME] * 2, False, SOME),
        ([LOW] * 3 + [SOME] * 2, True, HIGH),
        ([LOW] * 4 + [HIGH], False, HIGH),
    ],
)
def test_overall(domains, add_up, overall):
    assert overall_rob2(domains, concerns_add_up=add_up) == overall
