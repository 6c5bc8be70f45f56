"""The pilot kit: empty files that two readers can fill in, and the verdict on what they say."""

import re

import pytest
import yaml

from audit import made_up_audit as made
from conftest import ROOT
from discontinuation.audit.answers import make_audit, read_audits
from discontinuation.audit.pilot import compare_pilot, join_readings, write_pilot_kit
from discontinuation.problems import InvalidInput


@pytest.fixture(scope="module")
def bundled():
    return read_audits(ROOT / "data" / "published" / "audits")


@pytest.fixture
def kit(tmp_path, bundled):
    write_pilot_kit(tmp_path, bundled)
    return tmp_path


def fill(path, answer):
    """Fill in an empty file as a reader would with a text editor."""
    text = path.read_text(encoding="utf-8")
    text = text.replace("read:  #", "read: full text  #").replace("reason: ''", "reason: so")
    text = text.replace("source: ''", "source: p. 1").replace("judgement: ,", "judgement: Low,")
    for key in ("participants", "intervention", "comparator", "outcome", "effect"):
        text = text.replace(f"    {key}: ''", f"    {key}: as published")
    pattern = r"'([W\d.]+)':\n(\s+)([AB]): \{answer: ,"

    def written(match):
        number = match[1]
        given = answer(number)
        return f"'{number}':\n{match[2]}{match[3]}: {{answer: {given},"

    path.write_text(re.sub(pattern, written, text), encoding="utf-8")


def simple(number):
    """Answers of a trial without trouble: each later question of RoB 2 does not apply."""
    if number.startswith("W"):
        return "Y" if number in ("W1", "W2") else "NI"
    known = {"1.1": "Y", "1.2": "Y", "1.3": "N", "2.1": "N", "2.2": "N", "2.6": "Y", "3.1": "Y",
             "4.1": "N", "4.2": "N", "4.3": "N", "5.1": "Y", "5.2": "N", "5.3": "N"}  # fmt: skip
    return known.get(number, "NA")


def fill_all(kit, first=simple, second=simple):
    for reader, answer in (("A", first), ("B", second)):
        for path in sorted((kit / f"reader_{reader}").glob("*.yaml")):
            fill(path, answer)


def test_ten_trials_for_two_readers_with_instructions(kit):
    for reader in "AB":
        assert len(list((kit / f"reader_{reader}").glob("*.yaml"))) == 10
    page = (kit / "READ_ME_FIRST.md").read_text(encoding="utf-8")
    assert "at least 10 trials were read by 2 readers" in page and "0.6" in page


def test_the_files_hold_every_question_and_no_answer(kit):
    for path in (kit / "reader_A").glob("*.yaml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for result in content["results"]:
            assert {"W1", "W8"} <= set(result["answers"])
            assert all(each["A"]["answer"] is None for each in result["answers"].values())


def test_files_that_are_not_filled_in_are_refused_by_name(kit):
    with pytest.raises(InvalidInput) as raised:
        compare_pilot(kit)
    said = str(raised.value)
    assert "answers.W1.A.answer" in said and "column read" in said


def test_full_agreement_passes(kit, monkeypatch):
    cohorts = [p for p in (kit / "reader_A").glob("*.yaml") if "ROBINS" in p.read_text()]
    for path in cohorts:  # the answers above are those of a randomised trial
        (kit / "reader_A" / path.name).unlink()
        (kit / "reader_B" / path.name).unlink()
    fill_all(kit)
    pilot = compare_pilot(kit)
    assert pilot.trials == 10 - len(cohorts)
    assert pilot.passed is (pilot.trials == 10)
    whole = pilot.summary.set_index(["tool", "question"]).loc[("Domain W", "all")]
    assert whole["ac1"] == 1 and whole["percent"] == 1
    assert (pilot.judgements["percent"] == 1).all()


def test_ten_randomised_trials_pass_or_stay_experimental(tmp_path, bundled):
    studies = [a.study for a in bundled if a.results[0].tool == "RoB 2"][:10]
    write_pilot_kit(tmp_path / "good", bundled, studies)
    fill_all(tmp_path / "good")
    good = compare_pilot(tmp_path / "good")
    assert good.passed and "the pilot has passed" in good.reason
    write_pilot_kit(tmp_path / "bad", bundled, studies)
    fill_all(tmp_path / "bad", second=lambda n: "N" if n.startswith("W") else simple(n))
    bad = compare_pilot(tmp_path / "bad")
    assert not bad.passed and "still experimental" in bad.reason


def test_a_trial_that_one_reader_lacks_is_named(tmp_path, bundled):
    studies = [a.study for a in bundled if a.results[0].tool == "RoB 2"][:10]
    write_pilot_kit(tmp_path, bundled, studies)
    fill_all(tmp_path)
    (tmp_path / "reader_B" / f"{studies[0]}.yaml").unlink()
    with pytest.raises(InvalidInput, match=f"reader_B.*{studies[0]}.*missing"):
        compare_pilot(tmp_path)


def test_nothing_is_overwritten_and_unknown_trials_get_the_nearest(kit, bundled):
    with pytest.raises(InvalidInput, match="is left as it is"):
        write_pilot_kit(kit, bundled)
    with pytest.raises(InvalidInput) as raised:
        write_pilot_kit(kit / "new", bundled, ["Brams2012_LDXX"])
    said = str(raised.value)
    assert "there is no audit of it" in said and "1 trials; a pilot needs 10" in said


def test_joined_files_need_a_consensus_where_readers_differ():
    first, second = made.audit(("A",)), made.audit(("B",))
    assert make_audit(join_readings(first, second)).label == "full text, two readers"
    second["results"][0]["answers"]["W2"]["B"] = made.said("N")
    joined = join_readings(first, second)
    with pytest.raises(InvalidInput, match="there is no consensus"):
        make_audit(joined)
    joined["results"][0]["answers"]["W2"]["consensus"] = made.said("PY", "agreed after reading")
    assert make_audit(joined).results[0].final["W2"] == "PY"


def test_files_of_two_trials_are_not_joined():
    with pytest.raises(InvalidInput) as raised:
        join_readings(made.audit(("A",)), made.audit(("A",), study="Beta"))
    assert len(raised.value.problems) == 2
