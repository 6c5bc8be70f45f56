"""Audits of the bundled trials: what the tables state, and nothing else."""

import pytest

from conftest import ROOT
from discontinuation.audit.answers import read_audits
from discontinuation.audit.bundled import audit_text, bundled_audits
from discontinuation.audit.judgements import judge_audits

PUBLISHED, REFERENCE = ROOT / "data" / "published", ROOT / "data" / "reference"
FOLDER = PUBLISHED / "audits"


@pytest.fixture(scope="module")
def audits():
    return {audit.study: audit for audit in read_audits(FOLDER)}


def test_the_files_are_those_the_tables_give():
    """If this fails: python -m discontinuation.audit.bundled (see the module)."""
    written = {
        path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yaml"))
    }
    assert written == {
        study: audit_text(content)
        for study, content in bundled_audits(PUBLISHED, REFERENCE).items()
    }


def test_all_are_abstracts_by_one_reader(audits):
    assert len(audits) > 50
    assert all(audit.provisional for audit in audits.values())
    assert {audit.label for audit in audits.values()} == {
        "abstract only, one reader", "secondary source only, one reader",
    }  # fmt: skip


def final(audits, study, place=0):
    return audits[study].results[place].final


def test_answers_follow_what_is_stated(audits):
    blind = final(audits, "ANTLER_Lewis2021")
    assert {blind[number] for number in ("2.1", "2.2", "4.3")} == {"PN"}
    opened = final(audits, "Wunderink2007_FEP")
    assert opened["2.1"] == "Y" and opened["W4"] == "PN" and opened["W5"] == "N"
    assert final(audits, "Perahia2006_DUL")["W2"] == "N"
    assert final(audits, "Goodwin2009_AGO")["W1"] == "N"  # abrupt, after the correction
    assert final(audits, "Brams2012_LDX")["W1"] == "PN"  # inferred, the note says
    assert final(audits, "Montgomery2004_VEN")["W1"] == "NI"  # manner of stopping not stated
    assert final(audits, "Keller1998_SER")["W3"] == "Y"  # an episode of three weeks or more


def test_randomised_merely_by_name_is_no_information(audits):
    randomised = [r for a in audits.values() for r in a.results if r.tool == "RoB 2"]
    assert randomised
    assert {result.final["1.1"] for result in randomised} == {"NI"}


def test_cohorts_are_judged_with_robins_i(audits):
    result = audits["Baldessarini1996_Li"].results[0]
    assert result.tool == "ROBINS-I 2016" and len(result.target_trial) == 5


def test_several_times_are_several_results(audits):
    assert [r.time for r in audits["Brams2012_LDX"].results] == ["week 1", "week 2", "week 6"]
    assert len(audits["Reimherr1998_FLX"].results) == 3


def test_no_trial_is_high_on_domain_w_for_want_of_information(audits):
    summary = judge_audits(list(audits.values())).summary
    w = summary.loc[summary["domain"] == "W", "judgement"]
    assert "High" not in set(w) and "Cannot be judged" in set(w)


def test_every_source_is_in_the_table_of_sources(audits):
    import pandas as pd

    known = set(pd.read_csv(PUBLISHED / "sources.csv")["source"])
    used = {
        source
        for audit in audits.values()
        for result in audit.results
        for answer in result.answers.values()
        for source in filter(None, answer.source.split("; "))
    }
    assert used <= known
