"""Whatever type pandas gives a column, it means the same; what holds no numbers is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from discontinuation.problems import InvalidInput
from discontinuation.survival import cox, fine_gray, kaplan_meier, logrank, recurrent_model, rmst

rng = np.random.default_rng(1)
N = 60
DATA = pd.DataFrame(
    {
        "time": rng.integers(1, 20, N),
        "event": rng.integers(0, 2, N),
        "cause": rng.integers(0, 3, N),
        "arm": rng.choice(["abrupt", "gradual"], N),
        "age": rng.normal(50, 10, N).round(),
        "x": rng.integers(0, 2, N),
    }
)
STARTED = pd.Timestamp("2020-01-01") + pd.to_timedelta(DATA["time"], unit="D")
TYPES = [
    {"arm": "string"},
    {"arm": "category"},
    {"age": "Float64", "x": "Int64"},
    {"time": "Int64", "event": "boolean", "x": "int8"},
    {"age": "float32"},
]


@pytest.mark.parametrize("types", TYPES, ids=str)
@pytest.mark.parametrize("formula", ["arm + age + x", "arm * age + `x`", "log(age) + arm:x"])
def test_the_type_of_a_column_does_not_matter(types, formula):
    typed = DATA.astype(types)
    np.testing.assert_allclose(cox(formula, typed).coef, cox(formula, DATA).coef, rtol=1e-9)
    kinds = {name: "Int64" for name in types if name == "event"}
    typed = typed.astype(kinds)
    found, usual = fine_gray(formula, typed), fine_gray(formula, DATA)
    assert found.terms == usual.terms
    np.testing.assert_allclose(found.coef, usual.coef, rtol=1e-9)


@pytest.mark.parametrize("backend", ["numpy_nullable", "pyarrow"])
def test_converted_frames_are_read_and_predicted_alike(backend):
    typed = DATA.convert_dtypes(dtype_backend=backend)
    new = pd.DataFrame({"arm": ["gradual"], "age": [33.5]})  # no age of the data
    found = cox("arm * age", typed).predict(new).at([5.0])
    usual = cox("arm * age", DATA).predict(new).at([5.0])
    pd.testing.assert_frame_equal(found, usual)


def test_a_stratum_is_known_by_its_value():
    model = cox("age", DATA, strata="x")
    new = pd.DataFrame({"age": [50.0], "x": [1]})
    found, usual = (model.predict(new.astype({"x": kind})).at(5) for kind in (float, int))
    pd.testing.assert_frame_equal(found, usual)


def test_a_category_nobody_is_in_is_no_level():
    arms = pd.Categorical(np.where(DATA["x"] == 1, DATA["arm"], "maintain"))
    two = DATA.assign(arm=arms)[lambda d: d["arm"] != "maintain"]
    assert cox("arm", two).terms == fine_gray("arm", two).terms == ("arm[T.gradual]",)


@pytest.mark.parametrize("name", ["my x", "ph.ecog", "lambda"])
@pytest.mark.parametrize("model", [cox, fine_gray])
def test_any_name_of_a_column_can_be_quoted(model, name):
    renamed = DATA.rename(columns={"x": name})
    for rest in ("", " + arm"):
        found, usual = model(f"`{name}`{rest}", renamed), model(f"x{rest}", DATA)
        np.testing.assert_allclose(found.coef, usual.coef, rtol=1e-12)


@pytest.mark.parametrize(
    "times",
    [
        STARTED,
        STARTED - STARTED.min(),
        DATA["time"].astype(str),
        DATA["time"].astype(str).astype("category"),
        DATA["time"].to_numpy() + 1j,
        list(STARTED),
        DATA[["time"]],
    ],
    ids=["dates", "lengths", "text", "categories", "complex", "list of dates", "frame"],
)
def test_times_that_are_no_numbers_are_refused(times):
    for call in (
        lambda: kaplan_meier(times, DATA["event"]),
        lambda: rmst(times, DATA["event"], horizon=10),
        lambda: logrank(times, DATA["event"], DATA["arm"]),
    ):
        with pytest.raises(InvalidInput, match="column time: allowed: one number per person"):
            call()
    if isinstance(times, pd.Series):
        with pytest.raises(InvalidInput, match="column time: allowed: one number per person"):
            cox("age", DATA.assign(time=times))
        if times.dtype.kind in "mM":
            with pytest.raises(InvalidInput, match="neither a number nor a label"):
                cox("when", DATA.assign(when=times))


def test_a_masked_value_is_blank():
    with pytest.raises(InvalidInput, match="row 3, column time: allowed: a finite number"):
        kaplan_meier(np.ma.array([1.0, 2, 3], mask=[0, 1, 0]), [1, 1, 1])


def test_frames_that_are_none_and_names_that_stand_twice_are_refused():
    with pytest.raises(InvalidInput, match="'dict': allowed: a pandas DataFrame"):
        cox("age", DATA.to_dict("list"))
    with pytest.raises(InvalidInput, match="there are 2 columns of this name"):
        cox("age", pd.concat([DATA, DATA[["age"]]], axis=1))
    with pytest.raises(InvalidInput, match="one label per person, in one column"):
        logrank(DATA["time"], DATA["event"], DATA[["arm", "x"]])
    with pytest.raises(InvalidInput, match="there is nobody"):
        kaplan_meier(None, None)


def test_predictions_refuse_what_they_cannot_read():
    model, new = cox("age + arm", DATA), DATA[["age", "arm"]].head(2)
    for times in ([np.nan], ["a"]):
        with pytest.raises(InvalidInput, match="allowed: finite numbers"):
            model.predict(new).at(times)
    with pytest.raises(InvalidInput, match="column age: 'old': allowed: numbers"):
        model.predict(new.assign(age="old"))
    with pytest.raises(InvalidInput, match="there is nobody"):
        model.predict(new.head(0))
    with pytest.raises(InvalidInput, match=r"column level.*between 0 and 1"):
        model.predict(new, level=95)


def test_formulas_call_numbers_to_numbers_and_nothing_else():
    assert cox("np.log(age)", DATA).terms == ("np.log(age)",)
    for call in ("np.load(age)", "np(age)", "open(age)", "np.random.normal(age)"):
        with pytest.raises(InvalidInput, match="calls what is no transform"):
            cox(call, DATA)


def test_marginal_models_of_recurrent_events_count_from_the_first_entry():
    late = pd.DataFrame(
        {
            "person": range(6),
            "entry": [0, 0, 8, 0, 8, 0],
            "time": [5, 6, 9, 7, 12, 10],
            "event": [1, 1, 1, 0, 1, 1],
            "x": [1, 0, 1, 1, 0, 0.0],
        }
    )
    once = cox("x", late, entry="entry").coef  # one row each: every model is this one
    for kind in ("wlw", "andersen-gill", "pwp-total"):
        np.testing.assert_allclose(recurrent_model("x", late, "person", kind).coef, once)
    gaps = late.assign(person=[0, 1, 0, 2, 1, 3])
    for kind in ("wlw", "pwp-gap"):
        with pytest.raises(InvalidInput, match=rf"2 stretches begin after.*'{kind}' needs"):
            recurrent_model("x", gaps, "person", kind)
    assert np.isfinite(recurrent_model("x", gaps, "person").coef).all()


def test_dfbeta_takes_a_row_away_with_its_weight():
    weighted = DATA.assign(weight=np.where(np.arange(N) % 3, 1.0, 5.0))
    model = cox("age", weighted, weights="weight")
    dfbeta = model.residuals("dfbeta")["age"]
    for row in (0, 1, 3):  # the derivative by the weight, times the weight that is taken away
        up, down = (weighted["weight"] + step * (np.arange(N) == row) for step in (1e-4, -1e-4))
        slope = (
            cox("age", weighted.assign(weight=up), weights="weight").coef[0]
            - cox("age", weighted.assign(weight=down), weights="weight").coef[0]
        ) / 2e-4
        assert dfbeta[row] == pytest.approx(slope * weighted.loc[row, "weight"], rel=0.05)
