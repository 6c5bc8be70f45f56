"""People are counted through the study, and the counts add up."""

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from describe.small_trial import trial
from discontinuation.describe.flow import ALL, flow_keys, flow_sums, participant_flow
from discontinuation.describe.given import arms_in_order, complete


def counts(tables):
    flow = participant_flow(tables)
    return flow.set_index(["arm", "stage", "part"])["people"].sort_index()


def test_each_stage_is_counted_by_hand():
    found = counts(trial())
    assert found["taper", "reduction"].to_dict() == {
        "started": 4, "not_started": 0, "no_dose_record": 1,
    }  # fmt: skip
    assert found["keep", "reduction"].to_dict() == {
        "started": 0, "not_started": 3, "no_dose_record": 0,
    }  # fmt: skip
    assert found["taper", "rated"].to_dict() == {"rated": 4, "never_rated": 1}
    assert found["stop", "end"].to_dict() == {
        "completed": 1, "lost": 0, "withdrew": 2, "reinstated": 0, "event": 1, "no_follow_up": 0,
    }  # fmt: skip
    # s4 left on day 0 and t5 has no follow-up: neither was observed for any time.
    assert found["stop", "analysed"].to_dict() == {"analysed": 3, "not_analysed": 1}
    assert found["taper", "analysed"].to_dict() == {"analysed": 4, "not_analysed": 1}


def test_differences_from_the_source_are_named():
    found = counts(trial())
    assert found["stop", "allocated"].to_dict() == {"source": 5, "absent": 1, "beyond": 0}
    assert found["taper", "allocated"].to_dict() == {"source": 4, "absent": 0, "beyond": 1}
    assert found[ALL, "allocated"].to_dict() == {"source": 12, "absent": 1, "beyond": 1}
    assert found[ALL, "present", "present"] == 12


def test_an_arm_without_a_number_in_the_source_makes_the_total_unknown():
    tables = trial()
    tables["arms"].loc[0, "n"] = None
    found = counts(tables)
    assert pd.isna(found["keep", "allocated", "source"])
    assert pd.isna(found[ALL, "allocated", "source"])
    assert found[ALL, "present", "present"] == 12


def test_stages_that_the_tables_say_nothing_about_are_left_out():
    tables = {name: trial()[name] for name in ("people", "arms")}
    assert set(participant_flow(tables)["stage"]) == {"allocated", "present"}
    assert participant_flow({}).loc[lambda rows: rows["people"].gt(0)].empty


def test_people_of_an_arm_that_is_not_listed_are_counted_too():
    tables = trial()
    tables["arms"] = tables["arms"].iloc[:2]
    assert counts(tables)["taper", "present", "present"] == 5


REASONS = ["completed", "lost", "withdrew", "died", "unknown"]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from([None, *REASONS]),
            st.booleans(),
            st.sampled_from([None, [20.0], [20.0, 10.0], [10.0, 20.0], [0.0]]),
        ),
        max_size=25,
    )
)
def test_all_sums_hold_whatever_the_data(drawn):
    names = [f"p{place}" for place in range(len(drawn))]
    rows = pd.DataFrame(drawn, columns=["arm", "end_reason", "rated", "doses"])
    rows["person"] = names
    doses = [
        (person, "x", float(day), float(day + 1), dose, "mg/day")
        for person, taken in zip(names, rows["doses"], strict=True)
        for day, dose in enumerate(taken or [])
    ]
    followed = rows.dropna(subset="end_reason")[["person", "end_reason"]]
    tables = {
        "people": rows[["person", "arm"]].assign(study="s"),
        "follow_up": followed.assign(start=0.0, end=9.0),
        "assessments": rows.loc[rows["rated"], ["person"]].assign(day=1.0, instrument="i"),
        "doses": pd.DataFrame(doses, columns=["person", "drug", "start", "stop", "dose", "unit"]),
    }
    flow = participant_flow(tables)
    known = dict(zip(flow_keys(flow), flow["people"], strict=True))
    sums = flow_sums(flow)
    assert len(sums) >= flow["arm"].nunique() - 1
    for each in sums:
        cells = [known[key] for key in each.cells]
        if not pd.isna(cells).any():
            assert cells[0] == sum(cells[1:]), each


def test_arms_that_share_a_label_are_told_apart_by_their_study():
    tables = trial()
    tables["arms"]["label"] = ["Same", "Same", "Other"]
    tables["arms"]["study"] = ["one", "two", "two"]
    labels = arms_in_order(complete(tables))["label"]
    assert labels.tolist() == ["Same (one)", "Same (two)", "Other"]
