"""Vignettes for blinded raters: masked in half, seeded, and read back."""

import re

import numpy as np
import pandas as pd
import pytest

from discontinuation.classify.agreement import agreement
from discontinuation.classify.vignettes import (
    answers_by_rater,
    answers_twice,
    make_vignettes,
    read_answers,
    write_vignettes,
)
from discontinuation.problems import InvalidInput

N = 40


def material():
    names = [f"person-{number}/1" for number in range(N)]
    half = np.arange(N) % 2 == 0
    events = pd.DataFrame(
        {
            "person": [name.split("/")[0] for name in names],
            "onset": 1000.0 + np.arange(N),
            "detected": 1014.0 + np.arange(N),
            "reinstated_on": np.where(half, 1014.0 + np.arange(N), np.nan),
            "resolved": np.where(half, 1019.0 + np.arange(N), np.nan),
            "age": 43.0,
            "sex": "female",
            "arm": np.where(half, "stop-arm", "keep-arm"),
        },
        index=names,
    )
    symptoms = pd.DataFrame(
        {"event": np.repeat(names, 2), "symptom": ["electric_shock", "low_mood"] * N,
         "baseline": 0.0, "at_onset": 1.0, "status": ["new", None] * N}
    )  # fmt: skip
    doses = pd.DataFrame(
        {"person": events["person"].repeat(2), "drug": "sometriptyline",
         "start": np.tile([800.0, 993.0], N), "stop": np.tile([993.0, 1100.0], N),
         "dose": np.tile([20.0, 0.0], N), "unit": "mg/day"}
    )  # fmt: skip
    return events, symptoms, doses


def made(seed=1, **options):
    events, symptoms, doses = material()
    return make_vignettes(events, symptoms, doses, seed=seed, strata=events["arm"], **options)


def test_half_is_masked_and_a_fifth_comes_twice_in_every_stratum():
    key = made().key
    first = key.loc[key["repeat_of"].isna()]
    assert len(first) == N and len(key) == N + N // 5
    by_group = first.groupby("stratum")["masked"].sum()
    assert by_group.tolist() == [10, 10]
    again = key.loc[key["repeat_of"].notna()].merge(
        first, left_on="repeat_of", right_on="vignette", suffixes=("", "_first")
    )
    assert (again["event"] == again["event_first"]).all()
    assert (again["masked"] == again["masked_first"]).all()


def test_masked_vignettes_tell_neither_arm_nor_doses():
    vignettes = made()
    key = vignettes.key.set_index("vignette")
    for name, text in vignettes.texts.items():
        told = re.search(r"stop-arm|keep-arm|sometriptyline|started again|mg/day", text)
        assert bool(told) != key.loc[name, "masked"]
        assert "person-" not in text and "10" not in re.sub(r"day -?\d+", "", text)
        assert "40 to 49 years" in text and "electric shock" in text
    # What is masked looks alike whether or not the drug was started again.
    masked = vignettes.texts[key.index[key["masked"]]]
    assert len(set(masked)) == 1
    assert "It still lasted on day 14." in masked.iloc[0]


def test_the_seed_decides_order_and_masking():
    assert made(1).texts.equals(made(1).texts)
    assert not made(1).key.equals(made(2).key)
    assert made(3, masked_share=0.0, repeated_share=0.0).key["masked"].sum() == 0
    assert made(3, masked_share=1.0).key["masked"].all()


def test_written_and_read_back(tmp_path):
    vignettes = made()
    raters, keys = tmp_path / "for raters", tmp_path / "key"
    write_vignettes(vignettes, raters, keys)
    text = (raters / "vignettes.md").read_text(encoding="utf-8")
    assert text.count("\n## V") == len(vignettes.key)
    assert not (raters / "key.csv").exists()
    sheets = {}
    for number, rater in enumerate(("Ann", "Bo")):
        sheet = pd.read_csv(raters / "answers.csv", dtype=str)
        sheet["answer"] = ["withdrawal", " Relapse ", "indeterminate"] * (len(sheet) // 3)
        sheet.loc[number, "answer"] = None
        sheet["sure_percent"] = "80"
        sheets[rater] = tmp_path / f"{rater}.csv"
        sheet.to_csv(sheets[rater], index=False)
    answers = read_answers(sheets, keys / "key.csv")
    assert len(answers) == 2 * len(vignettes.key) - 2
    assert set(answers["answer"]) == {"withdrawal", "relapse", "indeterminate"}
    assert answers["masked"].dtype == bool
    wide = answers_by_rater(answers)
    assert list(wide) == ["Ann", "Bo"] and len(wide) <= N
    assert agreement(wide, "ac1").n >= N - 2
    twice = answers_twice(answers)
    assert {"rater", "event", "masked", "first", "second"} == set(twice)
    assert 14 <= len(twice) <= 16


def test_wrong_answers_are_told_all_at_once(tmp_path):
    raters, keys = tmp_path / "raters", tmp_path / "keys"
    write_vignettes(made(), raters, keys)
    sheet = pd.read_csv(raters / "answers.csv", dtype=str)
    sheet.loc[0, "answer"] = "withdrawl"
    sheet.loc[1, "vignette"] = "V999"
    sheet.loc[2, "vignette"] = sheet.loc[3, "vignette"]
    sheet.loc[4, "sure_percent"] = "very"
    sheet.to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "b.csv").write_text("name\nx\n", encoding="utf-8")
    with pytest.raises(InvalidInput) as refusal:
        read_answers({"a": tmp_path / "a.csv", "b": tmp_path / "b.csv"}, keys / "key.csv")
    said = "\n".join(map(str, refusal.value.problems))
    for part in ("did you mean 'withdrawal'", "'V999'", "more than once", "'very'", "is missing"):
        assert part in said


def test_bad_input(tmp_path):
    events, symptoms, doses = material()
    with pytest.raises(InvalidInput) as refusal:
        make_vignettes(events.drop(columns="onset"), symptoms, doses, seed=1, masked_share=2.0)
    assert len(refusal.value.problems) == 2
    events.loc[events.index[0], "onset"] = np.nan
    with pytest.raises(InvalidInput, match="counts days from the onset"):
        make_vignettes(events, symptoms, doses, seed=1)
    with pytest.raises(InvalidInput, match="apart from the raters' folder"):
        write_vignettes(made(), tmp_path / "a", tmp_path / "a" / "key")


def test_little_is_known():
    events = pd.DataFrame({"person": ["p"], "onset": [5.0]}, index=["p/1"])
    _, symptoms, doses = material()
    text = make_vignettes(events, symptoms, doses, seed=1, masked_share=0.0).texts.iloc[0]
    assert "Nothing is known." in text and "none recorded" in text
    assert "None was asked for." in text and "Not known." in text


def test_days_close_to_the_onset_are_day_0_and_sentences_end_once():
    events, symptoms, doses = material()
    events = events.drop(columns=["age", "sex"]).assign(detected=events["onset"] + 0.2)
    near = doses.assign(
        stop=doses["stop"].where(doses["stop"] > 1100, events["onset"].iloc[0] - 0.3)
    )
    for text in make_vignettes(events, symptoms, near, seed=1, masked_share=0.0).texts:
        assert not re.search(r"day -0\b|to -0\b", text)
        assert "Nothing is known.\n" in text
