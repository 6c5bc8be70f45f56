"""Summaries show no small count, and work with next to nothing."""

import numpy as np
import pandas as pd
import pytest

from describe.small_trial import trial
from discontinuation.describe.flow import ALL
from discontinuation.describe.person_time import ANY_PHASE
from discontinuation.describe.summary import individuals_shown, summarise


def many(times):
    """Repeat every person of the small trial, so that counts are of any size."""
    tables = trial()
    for name, frame in tables.items():
        if name == "planned_doses" or "person" not in frame:
            continue
        copies = [frame.assign(person=frame["person"] + f"-{copy}") for copy in range(times)]
        tables[name] = pd.concat(copies, ignore_index=True)
    return tables


def printed(summaries):
    for name, frame in summaries.items():
        for column in frame.columns[frame.columns.str.endswith("_shown")]:
            for text, count in zip(frame[column], frame[column[:-6]], strict=True):
                yield name, column, text, count


@pytest.mark.parametrize("times", [1, 2, 3, 7])
def test_no_small_count_is_printed_or_left_beside_it(times):
    texts = list(printed(summarise(many(times), definitions=["relapse", "never"])))
    assert len(texts) > 200
    for name, column, text, count in texts:
        if isinstance(text, str) and text[0] in "<≥–":
            assert pd.isna(count), (name, column)
        elif pd.notna(count):
            assert text == f"{count:,}" and (count == 0 or count >= 5), (name, column, text)


def test_nothing_is_masked_where_one_person_may_be_shown():
    for _, _, text, count in printed(summarise(trial(), smallest_cell=1)):
        assert (text is None and pd.isna(count)) or text == f"{count:,}"


def test_rates_of_masked_events_are_blank():
    times = summarise(many(3))["person_time"]
    masked = times["events_shown"].str[0].isin(["<", "≥", "–"])
    assert masked.any() and not masked.all()
    assert times.loc[masked, ["rate", "lower", "upper"]].isna().all(axis=None)
    whole = times.loc[(times["arm"] == ALL) & (times["definition"] == "relapse")]
    assert (whole.loc[whole["phase"] == ANY_PHASE, "events"] == 9).all()


def test_days_of_few_people_do_not_follow_from_the_others():
    tables = many(7)
    tables["doses"] = tables["doses"].loc[lambda rows: ~(rows["person"] == "k1-0")]
    observed = summarise(tables)["observation"]
    keep = observed.loc[observed["arm"] == "keep"].set_index("phase")
    assert keep.loc["unknown", "people_shown"] == "<5"
    assert np.isnan(keep.loc["unknown", "days"])
    assert keep["days"].isna().sum() >= 2


def test_head_counts_stay_where_others_can_be_hidden_instead():
    flow = summarise(many(3))["flow"]
    present = flow.loc[flow["stage"] == "present"].set_index("arm")["people_shown"]
    assert present.to_dict() == {"keep": "9", "stop": "12", "taper": "15", ALL: "36"}


def test_dose_quantiles_of_few_people_are_blank():
    doses = summarise(trial())["dose_quantiles"]
    few = doses["people_shown"].str.startswith("<")
    assert few.any()
    assert doses.loc[few, ["p10", "median", "p90"]].isna().all(axis=None)


def test_people_are_only_looked_at_one_by_one_where_that_is_allowed():
    assert "ratings_by_person" not in summarise(trial())
    assert "ratings_by_person" in summarise(trial(), individual_figures=True)
    assert "ratings_by_person" in summarise(trial(), smallest_cell=1)
    assert "ratings_by_person" not in summarise(many(7), smallest_cell=1)
    assert individuals_shown(1, False) and individuals_shown(5, True)
    assert not individuals_shown(5, False)


def test_the_rows_of_tables_of_people_are_left_to_the_flow():
    rows = summarise(many(3))["tables"].set_index("table")["rows"]
    assert rows[["people", "follow_up", "deteriorations"]].isna().all()
    assert rows["doses"] == len(many(3)["doses"])


@pytest.mark.parametrize("kept", [(), ("people",), ("people", "arms", "follow_up"), ("arms",)])
@pytest.mark.parametrize("smallest", [1, 5])
def test_missing_tables_are_no_error(kept, smallest):
    tables = {name: trial()[name] for name in kept}
    summaries = summarise(tables, definitions=["never"], smallest_cell=smallest)
    assert set(summaries) >= {"flow", "observation", "person_time", "ratings"}


@pytest.mark.parametrize("smallest", [1, 5])
def test_one_person_is_enough(smallest):
    tables = {
        name: frame.loc[frame["person"] == "t3"] if "person" in frame and name != "planned_doses"
        else frame
        for name, frame in trial().items()
    }  # fmt: skip
    tables["arms"] = tables["arms"].iloc[2:]
    flow = summarise(tables, smallest_cell=smallest)["flow"].set_index(["arm", "stage", "part"])
    expected = "1" if smallest == 1 else "<5"
    assert flow.loc[("taper", "present", "present"), "people_shown"] == expected


def test_categories_give_the_same_summaries_as_text():
    """Parquet brings text back as categories."""
    tables = trial()
    as_category = {
        name: frame.astype(dict.fromkeys(frame.select_dtypes(object).columns, "category"))
        for name, frame in tables.items()
    }
    first, second = summarise(tables), summarise(as_category)
    for name in first:
        pd.testing.assert_frame_equal(first[name], second[name])
