"""Definitions side by side, counted by hand."""

import math

import pandas as pd
import pytest
from statsmodels.stats.inter_rater import cohens_kappa as reference_kappa

from discontinuation.events.comparison import cohens_kappa, compare_definitions
from events.small_trial import definition, derive, ratings, table, trial

TOTAL = {"instrument": "hamd17", "score": "total"}


def people(**arms):
    """The table of people by arm."""
    rows = [{"person": name, "study": "s", "arm": arm} for name, arm in arms.items()]
    return table("people", rows)


def detected(**definitions):
    """Deteriorations: detected(first={"a": [7, 30]})."""
    rows = [
        {
            **{"person": person, "definition": name, "episode": number},
            **{"detected": day, "source": "derived"},
        }
        for name, found in definitions.items()
        for person, days in found.items()
        for number, day in enumerate(days, 1)
    ]
    return table("deteriorations", rows)


def row(frame, **where):
    """The only row with these values."""
    for name, value in where.items():
        frame = frame.loc[frame[name] == value]
    (one,) = frame.to_dict("records")
    return {name: value for name, value in one.items() if name not in where}


def test_people_events_arms_and_pairs():
    who = people(a="stop", b="stop", c="stop", d="go", e="go", f="go")
    events = detected(
        first={"a": [7, 50], "b": [21], "d": [100]}, second={"b": [14], "c": [30], "d": [90]}
    )
    compared = compare_definitions(events, who)
    assert row(compared.definitions, definition="first") == {
        **{"people": 6, "with_event": 3, "unknown": 0, "episodes": 4},
        "median_detected": 21,
    }
    assert row(compared.by_arm, definition="first", arm="stop") == {
        **{"people": 3, "with_event": 2, "unknown": 0, "episodes": 3},
        "median_detected": 14,
    }
    pair = row(compared.pairs, first="first", second="second")
    assert [pair[name] for name in ("both", "only_first", "only_second", "neither")] == [2, 1, 1, 2]
    assert pair["people"] == 6
    assert pair["agreement"] == pytest.approx(4 / 6)
    # Chance: both halves say yes, so 1/2; (4/6 - 1/2) / (1 - 1/2).
    assert pair["kappa"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("cells", [(2, 1, 1, 2), (40, 5, 9, 46), (0, 3, 4, 0), (1, 0, 0, 99)])
def test_kappa_is_that_of_statsmodels(cells):
    both, first, second, neither = cells
    expected = reference_kappa([[both, first], [second, neither]], return_results=False)
    assert cohens_kappa(*cells) == pytest.approx(expected, rel=1e-12)


def test_kappa_does_not_exist_where_everybody_answers_alike():
    assert math.isnan(cohens_kappa(5, 0, 0, 0))
    assert math.isnan(cohens_kappa(0, 0, 0, 0))


def test_people_of_whom_a_definition_cannot_tell_are_no_no():
    tables = trial(
        [
            *ratings("hamd17", a={0: 5, 7: 18}, b={0: 5, 7: 5}, c={0: 5, 7: 9}),
            *ratings("cgi_s", a={7: 5}, b={7: 2}),
        ]
    )
    result = derive(
        tables,
        definition({**TOTAL, "at_least": 16}, id="hamd"),
        definition({"instrument": "cgi_s", "score": "total", "at_least": 4}, id="cgi"),
        definition({"instrument": "hamd17", "score": "core", "at_least": 8}, id="core"),
    )
    compared = compare_definitions(result.deteriorations, tables["people"], result.assessed)
    # Definitions that found nobody, or could tell of nobody, are listed all the same.
    assert list(compared.definitions["definition"]) == ["hamd", "cgi", "core"]
    assert list(compared.definitions["people"]) == [3, 2, 0]
    assert list(compared.definitions["unknown"]) == [0, 1, 3]
    pair = row(compared.pairs, first="hamd", second="cgi")
    assert [pair[name] for name in ("people", "both", "neither")] == [2, 1, 1]
    assert pair["kappa"] == 1
    empty = row(compared.pairs, first="hamd", second="core")
    assert empty["people"] == 0
    assert math.isnan(empty["kappa"])


def test_recorded_deteriorations_stand_beside_derived_ones():
    tables = trial(
        ratings("hamd17", a={7: 18}, b={7: 5}),
        reported=[{"person": "b", "definition": "hospital", "detected": 20}],
    )
    result = derive(tables)
    both = pd.concat([result.deteriorations, tables["deteriorations"]])
    compared = compare_definitions(both, tables["people"], result.assessed)
    assert list(compared.definitions["definition"]) == ["worse", "hospital"]
    pair = row(compared.pairs, first="worse", second="hospital")
    assert [pair[name] for name in ("only_first", "only_second")] == [1, 1]


def test_nothing_to_compare():
    compared = compare_definitions(detected(), people(a="x"))
    assert compared.definitions.empty
    assert compared.pairs.empty
