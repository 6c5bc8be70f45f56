"""Agreement of two readers: worked examples, and R as an oracle."""

import math
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from audit import made_up_audit as made
from discontinuation.audit.answers import make_audit
from discontinuation.audit.judgements import judge_audits
from discontinuation.audit.rater_agreement import (
    agreement_of_answers,
    agreement_of_judgements,
    gwet_ac1,
    kappa,
    pair_answers,
    percent_agreement,
)


def from_table(table, categories):
    """Two readers' answers with these counts (rows: first reader)."""
    pairs = [
        (categories[i], categories[j])
        for i, row in enumerate(table)
        for j, count in enumerate(row)
        for _ in range(count)
    ]
    return [a for a, _ in pairs], [b for _, b in pairs]


def test_the_paradox_of_kappa():
    """118 and 0 agreements, 5 and 2 disagreements: kappa is below 0, AC1 is not (Gwet 2008)."""
    first, second = from_table([[118, 5], [2, 0]], "YN")
    assert percent_agreement(first, second).value == pytest.approx(0.944)
    assert kappa(first, second, "YN").value == pytest.approx(-0.0234, abs=5e-5)
    assert gwet_ac1(first, second, "YN").value == pytest.approx(0.9408, abs=5e-5)


def test_ac1_in_closed_form():
    """Chance agreement is the mean of pi (1 - pi) over categories, over q - 1."""
    table = np.array([[20, 3, 1], [4, 10, 2], [0, 1, 9]])
    first, second = from_table(table.tolist(), "abc")
    pi = (table.sum(axis=0) + table.sum(axis=1)) / (2 * table.sum())
    chance = (pi * (1 - pi)).sum() / 2
    agree = np.trace(table) / table.sum()
    assert gwet_ac1(first, second, "abc").value == pytest.approx((agree - chance) / (1 - chance))


def test_interval_of_ac1_covers_what_resampling_gives():
    """The variance is that of the statistic over subjects: near the jackknife's."""
    rng = np.random.default_rng(3)
    first = rng.choice(list("abc"), 80, p=[0.6, 0.3, 0.1])
    second = np.where(rng.random(80) < 0.75, first, rng.choice(list("abc"), 80))
    whole = gwet_ac1(list(first), list(second), "abc")
    without = [
        gwet_ac1(list(np.delete(first, i)), list(np.delete(second, i)), "abc").value
        for i in range(80)
    ]
    jackknife = math.sqrt(79 / 80 * ((np.array(without) - np.mean(without)) ** 2).sum())
    assert (whole.upper - whole.lower) / 2 == pytest.approx(1.99 * jackknife, rel=0.03)


def test_an_unused_category_changes_chance_but_not_agreement():
    first, second = from_table([[5, 1], [2, 7]], "YN")
    assert gwet_ac1(first, second, "YN").value < gwet_ac1(first, second, ["Y", "N", "NI"]).value


@pytest.mark.parametrize("weighted", [False, True])
def test_kappa_is_not_defined_when_only_one_answer_is_used(weighted):
    found = kappa(["Y"] * 5, ["Y"] * 5, ["Y", "N"], weighted=weighted)
    assert math.isnan(found.value)
    constant = kappa(["Y", "N", "N"], ["Y"] * 3, ["Y", "N"], weighted=weighted)
    assert constant.value == pytest.approx(0) and math.isnan(constant.upper)
    assert gwet_ac1(["Y"] * 5, ["Y"] * 5, ["Y", "N"]).value == 1


def test_nothing_to_compare_is_not_a_number():
    for estimate in (percent_agreement([], []), gwet_ac1([], [], "YN"), kappa([], [], "YN")):
        assert math.isnan(estimate.value) and math.isnan(estimate.lower)


R_KAPPA = """
x <- as.matrix(read.csv(commandArgs(TRUE)[1]))
n <- sum(x); p <- x / n; k <- nrow(x)
w <- 1 - abs(outer(1:k, 1:k, "-")) / (k - 1)
r <- rowSums(p); s <- colSums(p)
pe <- sum(w * outer(r, s)); po <- sum(w * p)
rw <- w %*% s; sw <- t(w) %*% r
g <- outer(c(rw), c(sw), "+")
v <- (sum(p * (w * (1 - pe) - g * (1 - po))^2) - (po * pe - 2 * pe + po)^2) / (n * (1 - pe)^4)
cat(format(c((po - pe) / (1 - pe), sqrt(v)), digits = 15))
"""


@pytest.mark.r
def test_weighted_kappa_and_its_error_as_in_r(tmp_path):
    """Fleiss, Cohen and Everitt's formulas, written down again in R."""
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    table = [[22, 4, 1, 0], [3, 15, 5, 1], [0, 6, 12, 2], [1, 0, 3, 9]]
    path = tmp_path / "table.csv"
    pd.DataFrame(table).to_csv(path, index=False)
    script = tmp_path / "kappa.R"
    script.write_text(R_KAPPA, encoding="utf-8")
    done = subprocess.run(["Rscript", script, path], capture_output=True, text=True, check=True)
    value, error = map(float, done.stdout.split())
    first, second = from_table(table, ["Y", "PY", "PN", "N"])
    found = kappa(first, second, ["Y", "PY", "PN", "N"], weighted=True)
    assert found.value == pytest.approx(value, abs=1e-12)
    assert (found.value - found.lower) / 1.959963984540054 == pytest.approx(error, abs=1e-12)


def two_readers(study="Alpha", **second):
    """An audit whose second reader answers some questions otherwise, and a consensus."""
    content = made.audit(study=study)
    answers = content["results"][0]["answers"]
    for number, answer in second.items():
        answers[number]["B"] = made.said(answer)
        answers[number]["consensus"] = dict(answers[number]["A"])
    return make_audit(content)


def test_agreement_question_by_question():
    audits = [two_readers(), two_readers("Beta", W2="N")]
    table = agreement_of_answers(pair_answers(audits)).set_index(["tool", "question"])
    assert table.loc[("Domain W", "all"), "pairs"] == 16
    assert table.loc[("Domain W", "all"), "agree"] == 15
    assert table.loc[("Domain W", "W2"), "percent"] == 0.5
    assert table.loc[("RoB 2", "all"), "percent"] == 1
    # NI has no place on the scale from yes to no.
    assert table.loc[("Domain W", "all"), "weighted_pairs"] == 8


def test_computed_answers_are_nobodys_agreement():
    content = made.audit()
    result = content["results"][0]
    del result["answers"]["W8"]
    result["excess_share"] = {"lower": 0.1, "upper": 0.4, "basis": "week 4 of 26"}
    pairs = pair_answers([make_audit(content)])
    assert "W8" not in set(pairs["question"])


def test_agreement_of_judgements():
    one = judge_audits([make_audit(made.audit(("A",)))]).summary
    content = made.audit(("B",))
    content["results"][0]["answers"]["1.2"]["B"] = made.said("N")
    other = judge_audits([make_audit(content)]).summary
    table = agreement_of_judgements(one, other).set_index("question")
    assert table.loc["D1", "agree"] == 0 and table.loc["D3", "agree"] == 1
    assert table.loc["W", "percent"] == 1
