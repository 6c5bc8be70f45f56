"""The flow of a review must add up; every contradiction is named."""

import copy

import pytest

from discontinuation.audit.prisma import check_flow, read_flow
from discontinuation.problems import InvalidInput

FLOW = {
    "databases": {"MEDLINE": 1200, "Embase": 900},
    "registers": {"ClinicalTrials.gov": 60},
    "removed": {"duplicates": 700, "other": 10},
    "screened": 1450,
    "screened_out": 1300,
    "sought": 150,
    "not_retrieved": 5,
    "assessed": 145,
    "excluded": {"no discontinuation arm": 60, "not randomised": 45},
    "included": {"studies": 35, "reports": 43},
    "other_methods": {
        "identified": {"web sites": 3, "citations": 9},
        "sought": 12,
        "not_retrieved": 1,
        "assessed": 11,
        "excluded": {"no discontinuation arm": 8},
    },
    "earlier": {"studies": 10, "reports": 14},
    "total": {"studies": 45, "reports": 57},
}


def changed(**values):
    flow = copy.deepcopy(FLOW)
    for path, value in values.items():
        part, _, key = path.rpartition("__")
        (flow[part] if part else flow)[key] = value
    return flow


def said(flow):
    with pytest.raises(InvalidInput) as raised:
        check_flow(flow)
    return [str(problem) for problem in raised.value.problems]


def test_a_flow_that_adds_up():
    assert check_flow(FLOW)["removed"]["automation"] == 0


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("screened", 1451, "column screened: 1451 does not add up: 2160 identified - 710 removed"),
        ("sought", 149, "column sought: 149 does not add up: 1450 screened - 1300 excluded"),
        ("assessed", 146, "column assessed: 146 does not add up: 150 sought - 5 not retrieved"),
        ("included__reports", 44, "column included.reports: 44 does not add up: 145 assessed"),
        ("other_methods__sought", 13, "other_methods.sought: 13 does not add up: 12 identified"),
        ("total__studies", 46, "total.studies: 46 does not add up: 10 earlier + 35 new = 45"),
        ("included__studies", 44, "44 studies cannot have 43 reports"),
    ],
)
def test_each_contradiction_is_named(path, value, words):
    assert any(words in each for each in said(changed(**{path: value})))


def test_all_contradictions_at_once():
    problems = said(changed(screened=1, assessed=3, total__reports=99))
    assert len(problems) == 5  # screened, sought, assessed, included, total


def test_an_earlier_version_needs_totals():
    flow = changed()
    del flow["total"]
    assert "column total: the key is missing" in said(flow)[0]
    del flow["earlier"]
    assert check_flow(flow)


def test_reports_of_no_study():
    assert any("reports of no study" in each for each in said(changed(earlier__studies=0)))


def test_negative_counts_and_unknown_keys():
    problems = "\n".join(said(changed(screend=3, not_retrieved=-1)))
    assert "did you mean 'screened'?" in problems and "a number of 0 or more" in problems


def test_read_from_a_file(tmp_path):
    import yaml

    path = tmp_path / "flow.yaml"
    path.write_text(yaml.safe_dump(FLOW), encoding="utf-8")
    assert read_flow(path)["total"] == FLOW["total"]
