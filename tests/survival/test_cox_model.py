"""What a Cox model says, refuses, and keeps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from discontinuation.problems import InvalidInput
from discontinuation.survival import cox as public_cox
from discontinuation.survival.cox_model import cox
from discontinuation.survival.stored import from_json, read_result, to_json, write_result
from survival.cox_cases import case

COLUMNS = ["term", "coef", "se", "robust_se", "hazard_ratio", "lower", "upper", "z", "p_value"]


def refused(match, formula="x", data=None, **options):
    with pytest.raises(InvalidInput, match=match):
        cox(formula, case("ties") if data is None else data, **options)


def test_summary():
    model = public_cox("x + arm", case("ties"))
    table = model.summary
    assert table.columns.tolist() == COLUMNS
    assert table["term"].tolist() == ["x", "arm[T.maintain]", "arm[T.taper]"]
    assert table["robust_se"].isna().all()
    np.testing.assert_allclose(table["z"], table["coef"] / table["se"])
    width = 1.959963984540054 * table["se"]
    np.testing.assert_allclose(np.log(table["upper"]), table["coef"] + width)
    shown = str(model)
    assert "efron" in shown and "60 rows" in shown and "95% wald" in shown


def test_the_intercept_is_left_out_whatever_the_formula_says():
    d = case("ties")
    plain = cox("x + arm", d)
    for formula in ("1 + x + arm", "0 + x + arm", "x + arm - 1", "~ x + arm"):
        np.testing.assert_array_equal(cox(formula, d).coef, plain.coef)


@pytest.mark.parametrize(
    "formula",
    ["x*z", "x:z + arm", "arm*z", "arm:x", "C(cluster > 5)", "log(offset + 2) + x",
     "x + {x**2}", "C(arm, contr.treatment('taper'))", "bs(x, df=4)", "arm + z + scale(x)"],
)  # fmt: skip
def test_formulas_fit_and_predict(formula):
    d = case("gaps")
    model = cox(formula, d)
    assert np.isfinite(model.coef).all()
    # Nobody is at the mean, but the average of expected events is that of events.
    hazard = model.predict(d).at(d["time"]).set_index(["curve", "time"])["cumulative_hazard"]
    own = [hazard[(str(i), t)] for i, t in enumerate(d["time"])]
    lived = (d["event"] - model.residuals()).to_numpy()
    censored = d["event"].to_numpy() == 0
    np.testing.assert_allclose(np.array(own)[censored], lived[censored], rtol=1e-9, atol=1e-12)


def test_plain_columns_are_those_of_formulaic():
    d = case("ties").assign(word=lambda t: t["arm"].astype(str))
    fast, slow = cox("x + z + arm + x:z", d), cox("x + z + word + x:z", d)
    assert [name.replace("word", "arm") for name in slow.terms] == list(fast.terms)
    np.testing.assert_allclose(fast.coef, slow.coef, rtol=1e-12)
    np.testing.assert_allclose(
        fast.proportional_hazards().statistic, slow.proportional_hazards().statistic, rtol=1e-9
    )


@pytest.mark.parametrize("kind", ["Int64", "float32", "bool", "string", "category", "object"])
def test_types_of_columns(kind):
    d = case("ties")
    plain = cox("z", d)
    turned = d.assign(z=d["z"].astype(kind), event=d["event"].astype(bool))
    assert cox("z", turned).coef[0] == pytest.approx(plain.coef[0], rel=1e-10)


def test_levels_without_people_are_no_covariates():
    d = case("ties")
    d["arm"] = d["arm"].cat.add_categories(["nobody"])
    assert len(cox("arm", d).terms) == 2 and len(cox("arm:x", d).terms) == 3


def test_interactions_of_levels_leave_the_first_out():
    model = cox("arm * z", case("ties"))
    assert len(model.terms) == 5


# ---- refusals ------------------------------------------------------------------------------------


def test_unknown_columns_are_named_all_at_once_with_the_nearest():
    with pytest.raises(InvalidInput) as found:
        cox("x + amr", case("ties"), strata="strutum", cluster="clustre", time="tiem")
    text = str(found.value)
    assert "4 problems" in text
    for name in ("arm", "stratum", "cluster", "time"):
        assert f"did you mean {name!r}" in text


@pytest.mark.parametrize(
    ("formula", "match"),
    [
        ("x +", "cannot be read"),
        ("time ~ x", "cannot be read"),
        ("1", "names no covariate"),
        ("__import__('os')", "no transform"),
        ("exec('1')", "no transform"),
        ("np.load(x)", "no transform"),
        ("x.mean()", "no transform"),
    ],
)
def test_formulas_that_are_refused(formula, match):
    refused(match, formula)


def test_blanks_are_refused_with_their_rows_or_dropped_and_counted():
    d = case("ties")
    d.loc[[3, 8], "x"] = np.nan
    d.loc[8, "cluster"] = np.nan
    refused(r"column x: 2 of 60 values are blank \(rows 5, 10\)", data=d)
    model = cox("x", d, cluster="cluster", missing="drop")
    assert model.dropped == 2 and model.n == 58
    np.testing.assert_array_equal(model.coef, cox("x", d.drop([3, 8])).coef)
    assert "2 rows with blanks left out" in str(model)


def test_events_of_a_competing_cause_are_no_weights():
    """Trap 10 (and 9): a 2 is neither an event nor a weight."""
    d = case("ties")
    refused("allowed: 0 or 1", data=d.assign(event=d["event"].where(d.index != 4, 2)))


def test_bad_follow_up():
    d = case("entry")
    refused("must end after its entry", data=d.assign(entry=d["time"]), entry="entry")
    refused("allowed: 0 or more", data=d.assign(weight=-1.0), weights="weight")
    refused("nobody has the event", data=d.assign(event=0))
    refused("nobody has the event", data=d.assign(w=1 - d["event"]), weights="w")
    refused("finite", data=d.assign(time=np.inf))
    refused("finite", data=d.assign(offset=np.inf), offset="offset")
    refused("not finite", "log(z)", data=d.assign(z=d["z"].astype(float)))


def test_covariates_that_tell_nothing():
    d = case("ties").assign(same=3.0, twice=lambda t: 2 * t["x"] + 1)
    refused("same for everybody", "x + same", d)
    refused("combinations of one another.*: x, twice", "x + z + twice", d)
    refused("same for everybody|combinations", "stratum", d, strata="stratum")
    early = d.assign(late=(d["time"] > d.loc[d["event"] == 1, "time"].max()) * 1.0)
    early["late"] += np.where(early["time"] < d.loc[d["event"] == 1, "time"].min(), 1.0, 0.0)
    if early["late"].any():
        refused("same for everybody|combinations", "x + late", early)


@pytest.mark.parametrize("ties", ["efron", "breslow", "exact"])
def test_separation_is_refused_and_firth_offered(ties):
    d = case("separated")
    refused(r"no maximum.*separated by z;.*firth=True", "x + z", d, ties=ties)
    if ties != "exact":
        model = cox("x + z", d, ties=ties, firth=True)
        assert (
            -10 < model.coef[1] < 0
            and np.isfinite(model.summary.drop(columns="robust_se").iloc[1, 1:].astype(float)).all()
        )


@pytest.mark.parametrize(("with_x", "without"), [(1, 1), (7, 3), (2, 40)])
def test_firth_with_one_event_has_its_closed_form(with_x, without):
    # The likelihood is p, its information p(1 - p), p the share of hazard of those with x: Firth's
    # p^1.5 (1 - p)^0.5 is highest at p = 3/4.
    x = np.repeat([1, 0], [with_x, without])
    event = (np.arange(with_x + without) == 0).astype(int)
    model = cox("x", pd.DataFrame({"time": 1 + event * -0.5, "event": event, "x": x}), firth=True)
    ratio = without / with_x
    assert model.coef[0] == pytest.approx(np.log(3 * ratio), abs=1e-9)

    def height(hazard_ratio):
        p = hazard_ratio / (hazard_ratio + ratio)
        return 1.5 * np.log(p) + 0.5 * np.log(1 - p)

    for limit in (model.lower[0], model.upper[0]):
        drop = 2 * (height(3 * ratio) - height(np.exp(limit)))
        assert drop == pytest.approx(3.841458820694124, rel=1e-9)


def test_separation_by_a_combination_and_by_a_number():
    d = case("ties").assign(early=lambda t: -t["time"] + 0.0)
    refused("no maximum", "early", d[d["event"] == 1])
    rng = np.random.default_rng(3)
    u, v = rng.normal(size=(2, 40))
    both = pd.DataFrame({"time": np.argsort(np.argsort(u + v)) + 1, "event": 1, "u": u, "v": v})
    refused("no maximum.*u, v", "u + v", both)


def test_a_ridge_or_few_events_do_not_count_as_separation():
    d = case("separated")
    assert np.isfinite(cox("x + z", d, penalty=0.5).coef).all()
    rng = np.random.default_rng(8)
    rare = pd.DataFrame({"time": rng.integers(1, 400, 3000), "x": rng.normal(size=3000) * 1e4})
    rare["event"] = 0
    rare.loc[[5, 17, 900], "event"] = 1
    assert np.isfinite(cox("x", rare).coef).all()
    strong = pd.DataFrame({"x": np.repeat([0, 1], 500)})
    strong["time"] = np.where(
        strong["x"] == 1, rng.exponential(1, 1000), rng.exponential(100, 1000)
    )
    strong["event"] = 1
    assert cox("x", strong).coef[0] == pytest.approx(np.log(100), abs=0.5)


def test_options_that_do_not_go_together():
    refused("exact.*does not go together with cluster", ties="exact", robust=True)
    refused("exact.*weights", ties="exact", weights="count")
    refused("firth=True does not go together with penalty", firth=True, penalty=1)
    refused("firth=True does not go together with cluster", firth=True, cluster="cluster")
    refused("frailty does not go together with cluster", frailty="cluster", cluster="stratum")
    refused("profile.*does not go together with cluster", interval="profile", cluster="cluster")
    refused("contradicts", cluster="cluster", robust=False)
    refused("did you mean 'efron'", ties="efrom")
    refused("between 0 and 1", level=95)
    refused("no term of the formula.*did you mean 'x'|no term", time_varying={"y": "log"})
    refused("allowed: identity, log", time_varying={"x": "lgo"})
    refused("increasing order", piecewise={"x": [5, 3]})


# ---- what comes after ----------------------------------------------------------------------------


def test_stored_and_read_back(tmp_path):
    model = cox("x + arm", case("ties"), cluster="cluster", strata="stratum")
    for result in (
        model,
        model.baseline(),
        model.proportional_hazards(),
        model.predict(case("ties").iloc[[0, 1]]),
    ):
        again = from_json(to_json(result))
        assert str(again) == str(result)
        write_result(result, tmp_path / "result.parquet")
        pd.testing.assert_frame_equal(
            read_result(tmp_path / "result.parquet").summary, result.summary
        )
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "result.parquet"), result.summary)
    with pytest.raises(InvalidInput, match="not stored with it; fit it again"):
        from_json(to_json(model)).residuals()


def test_whole_model_tests():
    table = cox("x + z", case("ties")).tests
    assert table["test"].tolist() == ["likelihood ratio", "wald", "score"]
    assert (table["df"] == 2).all() and np.ptp(table["statistic"]) < 1


def test_predictions():
    d = case("entry")
    model = cox("x + arm", d, entry="entry", strata="stratum", offset="offset")
    new = pd.DataFrame(
        {"x": [0.0, 1.0], "arm": ["taper", "abrupt"], "stratum": [2, 1], "offset": [0.0, 0.3]},
        index=["a", "b"],
    )
    curves = model.predict(new)
    table = curves.summary
    assert table["curve"].drop_duplicates().tolist() == ["a", "b"]
    assert table.loc[table["curve"] == "b", "stratum"].unique() == ["stratum=1"]
    assert ((table["lower"] <= table["survival"]) & (table["survival"] <= table["upper"])).all()
    at = curves.at([0, 1e6])
    assert at["survival"].tolist()[0] == 1 and at["se"].tolist()[0] == 0
    last = table[table["curve"] == "a"].iloc[-1]
    assert at["survival"][1] == last["survival"]
    hazard = model.baseline().summary.query("stratum == 'stratum=1'")["cumulative_hazard"]
    own = table[table["curve"] == "b"]
    np.testing.assert_allclose(own["cumulative_hazard"], hazard * np.exp(model.coef[0] + 0.3))


def test_predictions_that_are_refused():
    model = cox("x + arm", case("ties"), strata="stratum")
    new = case("ties").iloc[[0]]
    for bad, match in (
        (new.drop(columns="x"), "no such column"),
        (new.assign(x=np.nan), "blank"),
        (new.assign(arm="tapir"), "did you mean 'taper'"),
        (new.assign(stratum=9), "does not know this stratum"),
    ):
        with pytest.raises(InvalidInput, match=match):
            model.predict(bad)
    with pytest.raises(InvalidInput, match="outside of the nominated levels"):
        cox("x + C(stratum)", case("ties").assign(event=1)).predict(new.assign(stratum=9))
    with pytest.raises(InvalidInput, match="did you mean 'log'"):
        model.predict(new, conf_type="lgo")
    with pytest.raises(InvalidInput, match="efron and breslow only"):
        cox("x", new.pipe(lambda _: case("ties")), ties="exact").baseline()


def test_predictions_with_effects_that_change():
    """A piecewise effect is that of stretches with the covariate or without."""
    d = case("gaps")
    model = cox("z + x", d, piecewise={"x": [60]})
    new = pd.DataFrame({"x": [1.0], "z": [0]})
    zero = model.predict(new.assign(x=0.0)).summary["cumulative_hazard"]
    one = model.predict(new).summary
    late = one["time"] > 60
    steps = np.diff(zero, prepend=0) * np.exp(np.where(late, model.coef[2], model.coef[1]))
    np.testing.assert_allclose(one["cumulative_hazard"], np.cumsum(steps))


def test_refits_through_the_model():
    d = case("ties")
    model = cox("x + arm", d)
    once = model.refit(np.ones((2, len(d))))
    np.testing.assert_allclose(once, np.vstack([model.coef] * 2), rtol=1e-9)
    with pytest.raises(InvalidInput, match="60 per fit"):
        model.refit(np.ones((2, 59)))
    with pytest.raises(InvalidInput, match="whole numbers"):
        model.refit(np.full((2, 60), 0.5))


def test_profile_and_wald_agree_in_large_samples():
    rng = np.random.default_rng(4)
    x = rng.normal(size=4000)
    d = pd.DataFrame({"x": x, "time": rng.exponential(np.exp(-0.4 * x)), "event": 1})
    wald, profile = cox("x", d), cox("x", d, interval="profile")
    assert profile.interval == "profile" and profile.lower[0] != wald.lower[0]
    assert profile.lower[0] == pytest.approx(wald.lower[0], abs=2e-4)
    assert wald.lower[0] < 0.4 < wald.upper[0]


def test_a_ridge_shrinks():
    d = case("gaps")
    sizes = [np.abs(cox("x + z", d, penalty=p).coef).sum() for p in (0, 1, 100, 1e6)]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] < 1e-3
