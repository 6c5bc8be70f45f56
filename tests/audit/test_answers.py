"""Answers of readers: what is read, what is refused, what becomes the final answer."""

import copy
from pathlib import Path

import pytest

from audit import made_up_audit as made
from conftest import ROOT
from discontinuation.audit.answers import make_audit, read_audit, read_audits
from discontinuation.audit.judgements import judge_audits, judge_rob2
from discontinuation.problems import InvalidInput


def problems(content):
    with pytest.raises(InvalidInput) as raised:
        make_audit(content)
    return [str(problem) for problem in raised.value.problems]


def changed(number, **readings):
    content = made.audit()
    content["results"][0]["answers"][number] = {
        name: made.said(answer) for name, answer in readings.items()
    }
    return content


def test_complete_audit_is_judged():
    audit = make_audit(made.audit())
    assert audit.label == "full text, two readers" and not audit.provisional
    assert judge_rob2(audit.results[0]) == {
        **dict.fromkeys("12345", "Low"), "Overall": "Low",
    }  # fmt: skip
    summary = judge_audits([audit]).summary
    assert list(summary["domain"]) == ["D1", "D2", "D3", "D4", "D5", "Overall", "W"]
    assert summary.set_index("domain").loc["W", "judgement"] == "Low"
    assert set(summary["version"]) == {"RoB 2 (22 August 2019)", "Domain W (experimental)"}
    assert (summary["if_ni_were_yes_or_no"] == "Low").all()


def test_question_numbers_may_stand_without_quotes(tmp_path):
    path = tmp_path / "alpha.yaml"
    lines = ["study: Alpha", "title: Alpha", "read: full text", "readers: [A]", "results:"]
    lines += ["- outcome: relapse", "  time: week 26", "  tool: RoB 2", "  answers:"]
    for number, answer in {**made.RANDOMISED, **made.WITHDRAWAL}.items():
        lines.append(f"    {number}: {{A: {{answer: {answer}, reason: so, source: p. 1}}}}")
    path.write_text("\n".join(lines), encoding="utf-8")
    assert read_audit(path).results[0].final["2.6"] == "Y"


def test_a_reader_that_is_missing_is_refused():
    assert problems(changed("3.1", A="Y")) == [
        "audit, column results[0].answers.3.1: the answer of the reader 'B' is missing"
    ]


def test_readers_who_differ_need_a_consensus():
    said = problems(changed("1.3", A="N", B="Y"))
    assert said == [
        "audit, column results[0].answers.1.3: "
        "the readers differ (A N and B Y) and there is no consensus"
    ]
    audit = make_audit(changed("1.3", A="N", B="Y", consensus="PY"))
    assert audit.results[0].final["1.3"] == "PY"
    assert judge_rob2(audit.results[0])["1"] == "Some concerns"


def test_yes_and_probably_yes_stand_as_probably_yes():
    assert make_audit(changed("1.2", A="Y", B="PY")).results[0].final["1.2"] == "PY"


def test_a_consensus_against_both_readers_is_a_contradiction():
    assert "contradicts both readers" in problems(changed("1.2", A="Y", B="Y", consensus="N"))[0]


def test_an_answer_to_a_question_that_is_not_asked_is_a_contradiction():
    said = problems(changed("2.3", A="Y", B="Y"))
    assert len(said) == 1
    assert "contradiction: it is asked only if 2.1 is Y or NI or 2.2 is Y or NI" in said[0]
    assert make_audit(changed("2.3", A="NA", B="NA"))


def test_a_question_that_is_asked_must_be_answered():
    content = changed("2.1", A="Y", B="Y")
    assert "answers.2.3: is not answered; NI (no information) is an answer" in problems(content)[0]
    content["results"][0]["answers"]["2.3"] = {n: made.said("NA") for n in "AB"}
    assert "the question does apply" in problems(content)[0]


@pytest.mark.parametrize(
    ("number", "hint"), [("2.9", "did you mean"), ("W9", "did you mean W"), ("zzz", "allowed: 1.1")]
)
def test_an_unknown_question_gets_the_nearest(number, hint):
    said = problems(changed(number, A="Y", B="Y"))
    assert len(said) == 1 and "no such question" in said[0] and hint in said[0]


def test_a_source_is_needed_unless_there_is_no_information():
    content = made.audit()
    content["results"][0]["answers"]["W4"]["A"]["source"] = ""
    assert make_audit(content)
    content["results"][0]["answers"]["W1"]["A"]["source"] = ""
    assert problems(content) == [
        "audit, column results[0].answers.W1.A.source: is missing beside Y"
    ]


def test_everything_wrong_is_said_at_once():
    content = made.audit()
    answers = content["results"][0]["answers"]
    del answers["3.1"], answers["W5"]
    answers["W6"]["C"] = made.said("Y")
    answers["W7"] = {"A": made.said("NA"), "B": made.said("NA")}
    content["context"] = {"C9": "what?"}
    said = "\n".join(problems(content))
    for words in (
        "answers.3.1: is not answered", "answers.W5: is not answered", "W6.C: is not a reader",
        "W7.A: 'NA': allowed: Y, PY, PN, N, NI", "context.C9: unknown",
    ):  # fmt: skip
        assert words in said


def test_structure_is_checked_with_the_nearest_key():
    content = made.audit(tittle="x")
    content["results"][0]["answers"]["1.1"]["A"]["answer"] = "maybe"
    said = "\n".join(problems(content))
    assert "column tittle: unknown key" in said and "did you mean 'title'?" in said
    assert "answers.1.1.A.answer: 'maybe': allowed: Y, PY, PN, N, NI, NA" in said


def test_the_same_result_twice_is_refused():
    content = made.audit(results=[made.result(), made.result()])
    assert "is the same result as results[0]" in problems(content)[0]


PACE = {"days_90_to_10": 3, "largest_step_points": 80, "last_occupancy_percent": 80}


def test_w1_is_computed_from_numbers_and_contradictions_are_named():
    content = made.audit()
    content["results"][0]["pace"] = {**PACE, "basis": "doses of arm 2"}
    assert "contradicts the numbers of the trial, which say N" in problems(content)[0]
    del content["results"][0]["answers"]["W1"]
    answer = make_audit(content).results[0].answers["W1"]
    assert answer.final == "N" and answer.computed and answer.source == "doses of arm 2"


def test_w8_is_computed_from_its_interval():
    content = made.audit()
    content["results"][0]["excess_share"] = {"lower": 0.1, "upper": 0.5, "basis": "week 4 of 26"}
    result = make_audit(content).results[0]
    assert result.final["W8"] == "N" and result.answers["W8"].computed
    content["results"][0]["excess_share"] |= {"lower": 0.9}
    assert any("the lower limit is above" in each for each in problems(content))


def test_numbers_that_decide_nothing_leave_the_answer_to_the_readers():
    content = made.audit()
    content["results"][0]["excess_share"] = {"lower": -0.4, "upper": 0.5, "basis": "week 4"}
    assert make_audit(content).results[0].final["W8"] == "NI"


def test_robins_i_takes_the_worst_domain_and_needs_its_target_trial():
    content = made.audit(("A",), results=[made.cohort_result()])
    summary = judge_audits([make_audit(content)]).summary.set_index("domain")
    assert summary.loc["Overall", "judgement"] == "Moderate"
    assert "2016" in summary.loc["D1", "version"]
    result = content["results"][0]
    del result["target_trial"]["comparator"], result["domains"]["4"]
    said = "\n".join(problems(content))
    assert "target_trial.comparator: the key is missing" in said
    assert "domains.4: no judgement of the domain 'Deviations" in said


@pytest.mark.parametrize(
    ("judgements", "overall"),
    [
        (["Low"] * 7, "Low"),
        (["Low"] * 6 + ["Critical"], "Critical"),
        (["Serious"] + ["No information"] * 6, "Serious"),
        (["Moderate"] * 6 + ["No information"], "No information"),
    ],
)
def test_overall_of_robins_i(judgements, overall):
    content = made.audit(("A",), results=[made.cohort_result(judgements=judgements)])
    summary = judge_audits([make_audit(content)]).summary.set_index("domain")
    assert summary.loc["Overall", "judgement"] == overall


def test_a_low_risk_of_confounding_beside_expected_confounding_is_a_contradiction():
    content = made.audit(("A",), results=[made.cohort_result(judgements=["Low"] * 7)])
    content["results"][0]["answers"]["1.1"] = {"A": made.said("PY")}
    assert "contradiction: confounding is possible (1.1)" in problems(content)[0]


def test_judgements_are_per_result():
    late = made.result(time="week 52", week=52)
    late["answers"]["3.1"] = {n: made.said("NI") for n in "AB"}
    for number in ("3.2", "3.3", "3.4"):
        late["answers"][number] = {n: made.said("NI") for n in "AB"}
    summary = judge_audits([make_audit(made.audit(results=[made.result(), late]))]).summary
    by_time = summary.set_index(["time", "domain"])
    assert by_time.loc[("week 26", "D3"), "judgement"] == "Low"
    assert by_time.loc[("week 52", "D3"), "judgement"] == "High"
    assert by_time.loc[("week 52", "D3"), "if_ni_were_yes_or_no"] == "Low to High"
    assert by_time.loc[("week 52", "Overall"), "if_ni_were_yes_or_no"] == "Low to High"


def test_effect_of_adhering_has_its_own_domain_2():
    result = made.result(effect="adhering")
    for number in ("2.4", "2.5"):
        result["answers"][number] = {n: made.said("N") for n in "AB"}
    result["answers"]["2.6"] = {n: made.said("NA") for n in "AB"}
    summary = judge_audits([make_audit(made.audit(results=[result]))]).summary.set_index("domain")
    assert summary.loc["D2", "judgement"] == "Low" and summary.loc["D2", "effect"] == "adhering"


def test_one_reader_of_an_abstract_is_provisional():
    audit = make_audit(made.audit(("A",), read="abstract only"))
    assert audit.provisional and audit.label == "abstract only, one reader"


def test_every_file_of_a_folder_is_reported(tmp_path):
    with pytest.raises(InvalidInput, match="there is no audit here"):
        read_audits(tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("study: x\n", encoding="utf-8")
    with pytest.raises(InvalidInput) as raised:
        read_audits(tmp_path)
    assert {problem.file for problem in raised.value.problems} == {"a.yaml", "b.yaml"}


def test_a_trial_in_two_files_is_refused(tmp_path):
    source = ROOT / "data" / "published" / "audits" / "Brams2012_LDX.yaml"
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_bytes(Path(source).read_bytes())
    with pytest.raises(InvalidInput, match=r"stands in a\.yaml as well"):
        read_audits(tmp_path)


def test_the_input_is_left_as_it_is():
    content = made.audit()
    before = copy.deepcopy(content)
    make_audit(content)
    assert content == before
