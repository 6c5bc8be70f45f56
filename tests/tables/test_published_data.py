"""The bundled figures: complete, joined up, and numerically what their sources print."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import chi2_contingency

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "data" / "published"
WINDOWS = ROOT / "data" / "reference" / "withdrawal_windows.csv"
SCHEMA = yaml.safe_load(
    (ROOT / "src" / "discontinuation" / "tables" / "evidence.yaml").read_text(encoding="utf-8")
)["tables"]
NAMES = sorted(SCHEMA)
Z = 1.959964


def table(name: str) -> pd.DataFrame:
    """Return a table as text, blank cells as empty strings."""
    return pd.read_csv(PUBLISHED / f"{name}.csv", dtype=str, keep_default_na=False)


def numbers(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return frame.assign(**{c: pd.to_numeric(frame[c]) for c in columns})


def results_with_arms(
    results: pd.DataFrame | None = None, arms: pd.DataFrame | None = None
) -> pd.DataFrame:
    results = table("results") if results is None else results
    arms = table("arms") if arms is None else arms
    arms = arms[["study", "arm", "comparison", "strategy", "cointervention"]]
    studies = table("studies")[["study", "drug_class", "cohort"]]
    results = numbers(results, "week", "n", "events", "event_free")
    return results.merge(arms, on=["study", "arm"]).merge(studies, on="study")


def effect(study: str, **where: str) -> pd.Series:
    """Return the only reported effect of a study that fits, its figures as numbers."""
    rows = table("effects").query("study == @study")
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    row = rows.iloc[0].copy()
    for column in ("estimate", "lower", "upper", "events_1", "n_1", "events_2", "n_2"):
        row[column] = float(row[column]) if row[column] else math.nan
    return row


def risk_ratio(row: pd.Series) -> tuple[float, float, float]:
    """Return the ratio of the two shares with the Wald interval of its logarithm."""
    ratio = (row.events_1 / row.n_1) / (row.events_2 / row.n_2)
    se = math.sqrt(1 / row.events_1 - 1 / row.n_1 + 1 / row.events_2 - 1 / row.n_2)
    return ratio, ratio * math.exp(-Z * se), ratio * math.exp(Z * se)


# --- the files -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_those_of_the_contract(name: str) -> None:
    assert list(table(name).columns) == [field["name"] for field in SCHEMA[name]["fields"]]


@pytest.mark.parametrize(
    "path", [*(PUBLISHED / f"{n}.csv" for n in NAMES), WINDOWS], ids=lambda path: path.stem
)
def test_files_are_plain_utf8_and_know_no_machine(path: Path) -> None:
    raw = path.read_bytes()
    text = raw.decode("utf-8")
    assert b"\r" not in raw
    assert raw.endswith(b"\n")
    assert not raw.startswith(b"\xef\xbb\xbf")
    # An absolute path of some machine: a slash or a drive that no address stands before.
    assert not re.search(r"""(?:^|[\s,;"'(])(?:/[a-z]+/|[A-Z]:\\|file:)""", text)


@pytest.mark.parametrize("name", NAMES)
def test_values_keep_to_their_lists_and_are_not_missing_where_required(name: str) -> None:
    frame = table(name)
    for field in SCHEMA[name]["fields"]:
        column, rules = frame[field["name"]], field.get("constraints", {})
        if rules.get("required"):
            assert (column != "").all(), field["name"]
        if "enum" in rules:
            assert set(column) - {""} <= {str(v) for v in rules["enum"]}, field["name"]
        if field["type"] in ("number", "integer"):
            value = pd.to_numeric(column[column != ""])
            assert (value >= rules.get("minimum", -math.inf)).all(), field["name"]
            assert (value <= rules.get("maximum", math.inf)).all(), field["name"]
            if field["type"] == "integer":
                assert (value % 1 == 0).all(), field["name"]


@pytest.mark.parametrize("name", [n for n in NAMES if "primaryKey" in SCHEMA[n]])
def test_keys_are_unique(name: str) -> None:
    assert not table(name).duplicated(SCHEMA[name]["primaryKey"]).any()


# --- nothing dropped -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "first", "added", "other_reader"),
    [
        ("studies", 79, 13, 4),
        ("arms", 146, 34, 8),
        ("results", 163, 39, 8),
        ("effects", 134, 0, 15),
    ],
)
def test_rows_by_reading(name: str, first: int, added: int, other_reader: int) -> None:
    counts = table(name).reading.value_counts()
    assert counts.get("first", 0) == first
    assert counts.get("added", 0) == added
    assert counts.get("other_reader", 0) == other_reader


def test_every_field_read_twice_is_there() -> None:
    readings = table("readings")
    second = readings[readings.reading_pair == "second_reading"]
    assert second.agreement.value_counts().to_dict() == {
        "agree": 184,
        "added": 42,
        "not_readable": 24,
        "disagree": 15,
    }
    assert second.study.nunique() == 58
    separate = readings[readings.reading_pair == "separate_extraction"]
    assert separate.agreement.value_counts().to_dict() == {
        "agree": 184,
        "only_second": 89,
        "disagree": 3,
    }
    assert set(separate[separate.agreement == "disagree"].field) == {"strategy"}


def test_agreeing_numbers_of_the_separate_extraction_do_agree() -> None:
    readings = table("readings")
    same = readings[
        (readings.reading_pair == "separate_extraction")
        & (readings.agreement == "agree")
        & (readings.field != "strategy")
        & ~readings.field.str.startswith("n_studies: reducing")
    ]
    gap = pd.to_numeric(same.first_value) - pd.to_numeric(same.second_value)
    weeks = same.field.str.contains("week|weeks")
    assert (gap[weeks].abs() <= 0.11).all()
    assert (gap[~weeks].abs() <= 0.00501).all()


def test_disagreements_of_the_second_reading_are_all_corrected() -> None:
    readings, corrections = table("readings"), table("corrections")
    disagree = readings[
        (readings.reading_pair == "second_reading") & (readings.agreement == "disagree")
    ]
    keys = set(zip(corrections.study, corrections.column, strict=True))
    assert set(zip(disagree.study, disagree.field, strict=True)) <= keys


# --- joined up -------------------------------------------------------------------------------


def test_sources_are_known_and_every_address_is_listed() -> None:
    sources = table("sources")
    assert not sources.duplicated(["identifier", "url"]).any()
    assert (sources.url.str.startswith("http")).all()
    for name in ("studies", "arms", "results", "effects", "corrections"):
        used = set(table(name).source)
        assert "" not in used, name
        assert used <= set(sources.source), name
    for name in ("readings", "timing", "tapers"):
        assert set(table(name).url) <= set(sources.url), name


def test_studies_and_arms_exist() -> None:
    studies, arms = set(table("studies").study), table("arms")
    assert set(arms.study) <= studies
    pairs = set(zip(arms.study, arms.arm, strict=True))
    results = table("results")
    assert set(zip(results.study, results.arm, strict=True)) <= pairs
    effects = table("effects")
    assert set(effects[effects.kind.isin(["trial", "cohort"])].study) <= studies
    figures = table("figures")
    assert set(figures.study) - {""} <= studies
    second = table("readings").query("reading_pair == 'second_reading'")
    assert set(second.study) <= studies


def test_secondary_pages_are_tagged_so() -> None:
    kind = table("sources").set_index("source").kind
    for name in ("studies", "arms", "results", "effects"):
        frame = table(name)
        assert (frame.tag != "").all(), name
        assert not kind[frame[frame.tag == "V2"].source].isin(["registry", "guideline"]).any()
    effects = table("effects").set_index("study")
    for review in ("Zaccoletti2025", "Henssler2024", "Kalfas2025", "Hojlund2021", "Wunderink2007"):
        assert set(effects.loc[review].tag) == {"V2"}, review
    arms = table("arms")
    for study in ("Bockting2018_DRD", "Khan2014_DVS_DESS_mean"):
        assert set(arms[arms.study == study].tag) == {"V2"}, study


def cells(row: pd.Series) -> set[str]:
    frame = table(row["table"]).query("study == @row.study")
    if row["table"] != "studies":
        frame = frame[frame.arm == row.arm]
    for column in ("outcome", "week", "estimator"):
        if row["table"] == "results" and row[column]:
            frame = frame[frame[column] == row[column]]
    return set(frame[row.column])


@pytest.mark.parametrize("number", range(43))
def test_correction_names_a_cell_and_its_first_value(number: int) -> None:
    corrections = table("corrections")
    assert len(corrections) == 43
    row = corrections.iloc[number]
    assert cells(row) == {row.first_value}
    if row.decision == "first":
        assert row.used_value == row.first_value
    elif row.decision == "cleared":
        assert row.used_value == ""
        assert row.first_value != ""
    else:
        assert row.used_value not in ("", row.first_value)


def test_corrected_categories_are_in_the_lists() -> None:
    for row in table("corrections").itertuples():
        field = next(f for f in SCHEMA[row.table]["fields"] if f["name"] == row.column)
        enum = field.get("constraints", {}).get("enum")
        if enum and row.used_value:
            assert row.used_value in enum


def test_records_of_the_same_people_share_a_cohort() -> None:
    cohort = table("studies").set_index("study").cohort
    groups = [
        ["ANTLER_Lewis2021", "ANTLER_HTA2021"],
        ["PREVENT_VEN_Kocsis2007", "PREVENT_VEN_B_Keller2007"],
        ["Khan2014_DVS_TPAE", "Khan2014_DVS_DESS4", "Khan2014_DVS_DESS_mean"],
        ["Chen2010_QTP", "Hui2018_10y"],
        ["Kane2011_ASEN", "Correll2019_asenapine"],
        ["Tandon2016_LUR", "Correll2019_lurasidone"],
        ["Durgam2016_CAR", "Correll2019_cariprazine"],
        ["Weiden2016_ILO", "Correll2019_iloperidone"],
        ["Kramer2007_PALIER", "Correll2019_paliperidoneER", "Weiden2017_oral"],
        ["Fleischhacker2017_BREX", "Correll2019_brexpiprazole"],
        ["ADAD_Devanand2012", "ADAD_Patel2017_halluc"],
        ["Baldessarini1996_Li", "Baldessarini1997_Li", "Faedda1993_Li", "Lithium227_Li"],
        ["Wunderink2007_FEP", "Wunderink2007"],
        ["Huijbers2016_MBCT", "Huijbers2020_trajectory"],
    ]
    named = [cohort[group].unique() for group in groups]
    assert all(len(names) == 1 and names[0] for names in named)
    assert len({names[0] for names in named}) == len(groups)
    assert cohort["SUSTAIN1_Daly2019_remit"] != cohort["SUSTAIN1_Daly2019_resp"]
    sizes = table("arms").groupby(["study", "strategy"]).n_randomised.agg("|".join)
    for named_trial, listed in groups[4:8]:
        for strategy in ("maintain", "abrupt"):
            assert sizes[named_trial, strategy] == sizes[listed, strategy]


def test_only_two_trials_randomised_the_pace() -> None:
    studies = table("studies")
    assert set(studies[studies.pace_randomised == "yes"].cohort) == {"Khan2014_DVS", ""}
    assert set(studies[(studies.pace_randomised == "yes") & (studies.cohort == "")].study) == {
        "Tint2008"
    }
    observed = studies[studies.design.isin(["cohort", "pooled_cohorts"])]
    assert set(observed.allocation_randomised) == {"no"}
    assert set(studies[studies.withdrawal_measured == "no"].study) == {"Perahia2006_DUL"}


# --- the numbers -----------------------------------------------------------------------------


def test_no_risk_table_was_readable() -> None:
    assert (table("results").at_risk == "").all()


def test_unspecified_rows_as_first_read() -> None:
    first = results_with_arms().query("reading == 'first'")
    assert (first.strategy == "unspecified").sum() == 29
    assert first.strategy.value_counts().to_dict() == {
        "maintain": 65,
        "abrupt": 41,
        "unspecified": 29,
        "taper": 28,
    }


def corrected(name: str) -> pd.DataFrame:
    """Return a table with its corrections applied, each to the cells as first read."""
    original = table(name)
    frame = original.copy()
    for row in table("corrections").query("table == @name").itertuples():
        hit = original.study == row.study
        for column in ("arm", "outcome", "week", "estimator"):
            if getattr(row, column):
                hit &= original[column] == getattr(row, column)
        assert hit.any()
        frame.loc[hit, row.column] = row.used_value
    return frame


def pooled_odds_ratio(rows: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray, float, float]:
    """Pool continuing against stopping (DerSimonian and Laird), several drug arms summed."""
    rows = rows.query(
        "reading == 'first' and outcome_type == 'relapse' and estimator == 'crude'"
        " and events.notna() and n.notna() and study != 'PREVENT_MBCT_Kuyken2015'"
    )
    rows = rows.sort_values("week").groupby(["study", "comparison", "arm"], as_index=False).last()
    sides = {"maintain": "maintain", "abrupt": "stop", "taper": "stop", "unspecified": "stop"}
    rows["side"] = rows.strategy.map(sides)
    wide = rows.pivot_table(
        index=["study", "comparison"], columns="side", values=["events", "n"], aggfunc="sum"
    ).dropna()
    a, n1 = wide["events", "maintain"], wide["n", "maintain"]
    c, n2 = wide["events", "stop"], wide["n", "stop"]
    y = np.log(a * (n2 - c) / (c * (n1 - a)))
    v = 1 / a + 1 / (n1 - a) + 1 / c + 1 / (n2 - c)
    w = 1 / v
    q = float((w * (y - (w * y).sum() / w.sum()) ** 2).sum())
    excess = max(0.0, q - (len(y) - 1))
    tau2 = excess / float(w.sum() - (w**2).sum() / w.sum())
    w = 1 / (v + tau2)
    mean, se = (w * y).sum() / w.sum(), w.sum() ** -0.5
    return wide, np.exp([mean, mean - Z * se, mean + Z * se]), tau2, 100 * excess / q


def totals(wide: pd.DataFrame) -> list[float]:
    columns = [(what, side) for side in ("maintain", "stop") for what in ("events", "n")]
    return [wide[column].sum() for column in columns]


def test_whole_table_check_of_the_first_reading() -> None:
    rows = results_with_arms()
    wide, ratio, tau2, i2 = pooled_odds_ratio(rows[rows.drug_class == "antidepressant"])
    assert len(wide) == 14
    assert totals(wide) == [415, 2129, 721, 1843]
    assert ratio.round(2).tolist() == [0.38, 0.30, 0.49]
    assert round(tau2, 2) == 0.12
    assert round(i2) == 60
    wide, ratio, _, i2 = pooled_odds_ratio(rows[rows.drug_class == "antipsychotic"])
    assert [study for study, _ in wide.index] == [
        "ADAD_Devanand2012",
        "Pigott2003_ARI",
        "STOPPD2_Flint2019",
    ]
    assert ratio.round(2).tolist() == [0.33, 0.23, 0.47]
    assert i2 == 0


def test_corrected_pool_loses_lepine_and_gains_rickels() -> None:
    rows = results_with_arms(corrected("results"), corrected("arms"))
    wide, ratio, _, _ = pooled_odds_ratio(rows[rows.drug_class == "antidepressant"])
    studies = {study for study, _ in wide.index}
    assert len(wide) == 14
    assert "Lepine2004_SER" not in studies
    assert ("Rickels2010_GAD", "after 6 months") in wide.index
    assert totals(wide) == [
        415 - 32 - 1 + 8,  # Lepine out, Stein 22, Rickels in
        2129 - 189 + 82,
        721 - 33 + 29,
        1843 - 99 - 1 + 54,  # and one fewer in Durgam
    ]
    assert 0.3 < ratio[0] < 0.4


def test_corrections_leave_valid_tables() -> None:
    arms = numbers(corrected("arms"), "taper_days", "taper_days_lower", "taper_days_upper")
    assert not (arms.taper_days < arms.taper_days_lower).any()
    assert not (arms.taper_days > arms.taper_days_upper).any()
    strategy = arms.set_index(["study", "arm"]).strategy
    assert strategy["Lepine2004_SER", "placebo"] == "drug_free"
    assert strategy["Goodwin2009_AGO", "placebo"] == "abrupt"
    assert (strategy == "unspecified").sum() == (table("arms").strategy == "unspecified").sum() - 4
    results = numbers(corrected("results"), "n", "events", "event_free", "week")
    assert not results.duplicated(SCHEMA["results"]["primaryKey"]).any()
    counted = results[results.events.notna() & results.n.notna()]
    assert ((1 - counted.events / counted.n - counted.event_free).abs() <= 0.005).all()
    assert results[results.study == "Himei2006_PAR"].week.unique().tolist() == [0.43]


def test_crude_shares_follow_from_the_counts() -> None:
    rows = results_with_arms().query("estimator == 'crude' and events.notna() and n.notna()")
    gap = (1 - rows.events / rows.n - rows.event_free).abs()
    assert (gap[rows.basis == "reported"] <= 0.00005 + 1e-12).all()
    assert (gap[rows.basis == "derived_from_percent"] <= 0.005).all()
    assert (rows.events <= rows.n).all()


def test_vilazodone_placebo_count_needs_the_correction() -> None:
    fits = [n for n in range(188, 194) if any(round(e / n, 3) == 0.126 for e in range(n))]
    assert 192 not in fits
    assert {190, 191} <= set(fits)


def test_survival_never_rises_and_stays_in_its_interval() -> None:
    rows = numbers(results_with_arms(), "event_free_lower", "event_free_upper")
    curve = rows[rows.estimator.isin(["crude", "kaplan_meier", "survival_quantile"])]
    curve = curve[curve.week.notna()].sort_values("week")
    steps = curve.groupby(["study", "arm", "outcome"]).event_free.diff()
    assert not (steps > 0).any()
    inside = rows[rows.event_free_lower.notna()]
    assert len(inside) == 8
    assert (inside.event_free_lower < inside.event_free).all()
    assert (inside.event_free < inside.event_free_upper).all()


def test_effective_sizes_from_published_intervals() -> None:
    rows = numbers(table("results"), "event_free", "event_free_lower", "event_free_upper")
    rows = rows[rows.event_free_lower.notna()].copy()
    se = (rows.event_free_upper - rows.event_free_lower) / (2 * Z)
    rows["size"] = (rows.event_free * (1 - rows.event_free) / se**2).round()
    size = rows.set_index(["study", "arm", "week"])["size"]
    assert size["PREVENT_VEN_Kocsis2007", "venlafaxine ER", "52"] == 112
    assert size["PREVENT_VEN_Kocsis2007", "placebo", "52"] == 90
    assert size["PREVENT_VEN_B_Keller2007", "placebo", "52"] == 32
    assert size["Chen2010_QTP", "placebo", "52"] == 53
    assert (rows["size"] <= pd.to_numeric(rows.n)).all()


@pytest.mark.parametrize(
    ("study", "total"),
    [
        ("ANTLER_Lewis2021", 478),
        ("Montgomery2004_VEN", 235),
        ("Lepine2004_SER", 288),
        ("SUSTAIN1_Daly2019_remit", 176),
        ("SUSTAIN1_Daly2019_resp", 121),
        ("Thase2001_MIR", 156),
        ("Fineberg2007_OCD", 320),
        ("Allgulander2006_GAD", 375),
        ("ADAD_Devanand2012", 110),
        ("STOPPD2_Flint2019", 126),
        ("Pigott2003_ARI", 310),
        ("Himei2006_PAR", 385),
        ("Tint2008", 28),
        ("Vicens2006_BZD", 139),
        ("Vicens2016_BZD", 532),
        ("Montgomery2004_AGOPAR", 192),
        ("Arato2002_ZIP", 278),
        ("Michelson2004_ATX", 416),
        ("Gorwood2007_ESC", 305),
        ("Baldessarini2010", 224 + 75 + 62 + 37),
    ],
)
def test_arms_add_up_to_the_printed_total(study: str, total: int) -> None:
    arms = numbers(table("arms"), "n_randomised").query("study == @study")
    assert arms.n_randomised.sum() == total


def test_viguera_subsets_overlap_and_are_kept_apart() -> None:
    arms = numbers(table("arms"), "n_randomised").query("study == 'Viguera1997'")
    size = arms.set_index("arm").n_randomised
    assert size["abrupt, inpatients"] + size["abrupt, outpatients"] == size["abrupt, all oral"]
    assert arms.comparison.value_counts().max() == 2
    assert set(arms[arms.comparison == "within comparative studies"].strategy) == {
        "abrupt",
        "taper",
    }


def test_tapers_fit_their_strategy() -> None:
    arms = numbers(table("arms"), "taper_days", "taper_days_lower", "taper_days_upper")
    stayed = arms.strategy.isin(["maintain", "unspecified", "drug_free", "new_start"])
    assert arms[stayed].taper_days.isna().all()
    slow = arms[(arms.strategy == "abrupt") & (arms.taper_days > 0)]
    assert set(slow.study) == {"Baldessarini2010", "Baldessarini1996_Li", "Baldessarini1997_Li"}
    assert (arms[arms.strategy == "taper"].taper_days.dropna() > 0).all()
    assert not (arms.taper_days < arms.taper_days_lower).any()
    assert not (arms.taper_days > arms.taper_days_upper).any()
    assert (arms[arms.same_drug != ""].strategy == "maintain").all()
    depot = arms[arms.formulation == "depot"]
    assert set(depot.study) == {"Weiden2017_PP1M", "Weiden2017_PP3M", "Gitlin2001_FLU"}


def test_quantiles_are_the_printed_days_and_months() -> None:
    rows = numbers(table("results"), "week", "week_lower", "week_upper", "week_se")
    rows = rows[rows.estimator == "survival_quantile"].set_index(["study", "arm"])
    for study, days, lower, upper in (
        ("Weiden2017_oral", 58, 42, 114),
        ("Weiden2017_PP1M", 172, 134, 222),
        ("Weiden2017_PP3M", 395, 274, None),
    ):
        row = rows.loc[(study, "withdrawal arm")]
        assert row.week == round(days / 7, 1)
        assert row.week_lower == round(lower / 7, 2)
        assert (
            math.isnan(row.week_upper) if upper is None else row.week_upper == round(upper / 7, 2)
        )
    spray = rows.loc[("SUSTAIN1_Daly2019_remit", "placebo spray")]
    assert spray.week == 273 / 7
    assert spray.week_lower == round(97 / 7, 2)
    lithium = rows.loc["Baldessarini1996_Li"].week_se
    assert lithium["rapid (1-14 d)"] == round(0.7 * 4.345, 2)
    assert lithium["gradual (15-30 d)"] == round(5.8 * 4.345, 2)
    assert not (rows.week_lower > rows.week).any()
    assert not (rows.week_upper < rows.week).any()


def test_counts_found_only_by_the_separate_extraction() -> None:
    rows = numbers(table("results").query("reading == 'other_reader'"), "events", "n")
    counts = rows[rows.estimator == "crude"].set_index(["study", "arm"])[["events", "n"]]
    assert tuple(counts.loc[("RUPP2005_RIS", "placebo substitution")]) == (10, 16)
    assert tuple(counts.loc[("Troost2005_RIS", "risperidone continued")]) == (3, 12)
    strategy = table("arms").query("study == 'PostpartumSER2004'").set_index("arm").strategy
    assert strategy.to_dict() == {"sertraline taper": "taper", "placebo": "drug_free"}


# --- reported effects, recomputed ------------------------------------------------------------


@pytest.mark.parametrize(
    ("study", "where", "printed"),
    [
        ("Khan2014_DVS_TPAE", {}, (0.76, 0.58, 0.98)),
        ("Khan2014_DVS_DESS4", {}, (1.02, 0.65, 1.59)),
        ("Himei2006_PAR", {}, (0.14, 0.07, 0.25)),
        ("Hui2018_10y", {}, (1.84, 1.15, 2.96)),
        ("Chen2010_QTP", {}, (2.29, 0.99, 5.28)),
    ],
)
def test_risk_ratios_with_their_intervals(
    study: str, where: dict[str, str], printed: tuple[float, float, float]
) -> None:
    row = effect(study, **where)
    assert (row.estimate, row.lower, row.upper) == printed
    assert tuple(round(x, 2) for x in risk_ratio(row)) == printed


def test_vicens_2006() -> None:
    row = effect("Vicens2006_BZD")
    ratio, lower, upper = risk_ratio(row)
    assert (round(ratio, 2), round(lower, 1), round(upper, 1)) == (4.97, 2.2, 11.1)
    assert (row.estimate, row.lower, row.upper) == (4.97, 2.2, 11.1)


@pytest.mark.parametrize("estimate", ["1.51", "1.59"])
def test_vicens_2016_points_but_not_the_cluster_intervals(estimate: str) -> None:
    row = effect("Vicens2016_BZD", estimate=estimate)
    ratio, _, upper = risk_ratio(row)
    assert round(ratio, 2) == row.estimate
    assert round(upper, 2) != row.upper


@pytest.mark.parametrize(
    ("study", "digits"),
    [
        ("STOPPD2_Flint2019", 1),
        ("Pigott2003_ARI", 2),
        ("ADAD_Patel2017_halluc", 3),
        ("Tint2008", 3),
        ("Brams2012_LDX", 1),
        ("Thase2001_MIR", 3),
    ],
)
def test_risk_ratio_points(study: str, digits: int) -> None:
    row = effect(study, measure="risk_ratio")
    assert round(risk_ratio(row)[0], digits) == row.estimate


def test_chen_continuity_corrected_chi_square() -> None:
    row = effect("Chen2010_QTP")
    counts = [[row.events_1, row.n_1 - row.events_1], [row.events_2, row.n_2 - row.events_2]]
    assert round(chi2_contingency(counts, correction=True).statistic, 2) == 3.20


def test_coghill_difference_in_points() -> None:
    row = effect("Coghill2014_LDX")
    p, q = row.events_1 / row.n_1, row.events_2 / row.n_2
    se = math.sqrt(p * (1 - p) / row.n_1 + q * (1 - q) / row.n_2)
    interval = [round(100 * (p - q + k * Z * se), 1) for k in (0, -1, 1)]
    assert interval == [row.estimate, row.lower, row.upper] == [-51.7, -65.0, -38.5]


def test_cochrane_absolute_risks_follow_from_the_hazard_ratio() -> None:
    ratio = effect("vanLeeuwen2021", measure="hazard_ratio")
    for baseline in (100, 285, 564):
        row = effect(
            "vanLeeuwen2021",
            comparison=f"abrupt stop against continuing, baseline risk {baseline} per 1000",
        )
        p = baseline / 1000
        for column in ("estimate", "lower", "upper"):
            assert round(1000 * ((1 - (1 - p) ** ratio[column]) - p)) == row[column]


@pytest.mark.parametrize(
    ("study", "where", "wrong"),
    [
        ("ANTLER_Lewis2021", {}, 1.46),
        ("SUSTAIN1_Daly2019_remit", {}, 0.59),
        ("SUSTAIN1_Daly2019_resp", {}, 0.45),
        ("ADAD_Devanand2012", {"week": "16"}, 1.83),
    ],
)
def test_a_risk_ratio_is_not_the_published_hazard_ratio(
    study: str, where: dict[str, str], wrong: float
) -> None:
    row = effect(study, **where)
    assert row.measure == "hazard_ratio"
    assert round(risk_ratio(row)[0], 2) == wrong
    assert abs(wrong - row.estimate) > 0.09


def test_numbers_needed_to_treat_in_sustain() -> None:
    for study, printed in (("SUSTAIN1_Daly2019_remit", 6), ("SUSTAIN1_Daly2019_resp", 4)):
        row = effect(study)
        gap = row.events_2 / row.n_2 - row.events_1 / row.n_1
        assert math.ceil(1 / gap) == printed


def test_effect_counts_are_those_of_the_results() -> None:
    results = table("results")
    pairs = set(zip(results.study, results.events, results.n, strict=True))
    for row in (
        table("effects").query("kind in ['trial', 'cohort'] and events_2 != ''").itertuples()
    ):
        if row.study in ("Chen2010_QTP", "ADAD_Patel2017_halluc"):
            continue  # another outcome, a subgroup
        assert (row.study, row.events_1, row.n_1) in pairs, row.study
        assert (row.study, row.events_2, row.n_2) in pairs, row.study


def test_direction_of_ratios_fits_the_contrast() -> None:
    effects = numbers(table("effects"), "estimate", "lower", "upper")
    ratios = effects[
        effects.measure.isin(["hazard_ratio", "risk_ratio", "odds_ratio", "rate_ratio"])
        & (effects.outcome_type == "relapse")
    ]
    assert (ratios[ratios.contrast == "stop_vs_continue"].estimate > 1).all()
    assert (ratios[ratios.contrast == "continue_vs_stop"].estimate < 1).all()
    assert not (effects.lower > effects.estimate).any()
    assert not (effects.upper < effects.estimate).any()
    assert (effects.query("study == 'Sim2015'").contrast == "other").all()
    assert ((effects.p_value == "") == (effects.p_relation == "")).all()


def test_ranges_are_not_held_as_intervals() -> None:
    effects = table("effects").query("study == 'RecaltCohen2019_confound'")
    assert (effects.lower == "").all()
    assert (effects.upper == "").all()
    shares = effects[effects.comparison.str.startswith("analyses")].estimate
    assert [round(100 * k / n, 1) for k, n in ((9, 13), (7, 9))] == [float(x) for x in shares]


def test_intervals_of_means_follow_from_their_spread() -> None:
    results = numbers(table("results").query("estimator == 'mean'"), "mean", "sd", "se", "n")
    error = results.se.fillna(results.sd / results.n**0.5)
    effects = numbers(table("effects").query("measure == 'mean'"), "estimate", "lower", "upper")
    for row in effects[effects.lower.notna()].itertuples():
        match = (results.study == row.study) & (results["mean"] == row.estimate)
        assert match.sum() == 1
        half = 1.96 * error[match].iloc[0]
        assert row.upper == pytest.approx(row.estimate + half, abs=0.0051)
        assert row.lower == pytest.approx(row.estimate - half, abs=0.0051)


def test_median_ratios() -> None:
    for study, months in (("Baldessarini1996_Li", 20.0 / 4.0), ("Baldessarini1997_Li", 14.0 / 2.5)):
        assert effect(study, measure="ratio_of_times").estimate == months
    assert effect("Suppes1991_Li").estimate == round(14 / 2.7, 1)


# --- findings, figures, tapers, windows ------------------------------------------------------


def test_findings_speak_for_both_sides() -> None:
    findings = table("findings")
    counts = findings.direction.value_counts()
    assert counts["relapse"] >= 15
    assert counts["withdrawal"] >= 15
    assert counts["neither"] >= 5
    direction = findings.set_index("finding").direction
    assert direction["half_rule_calibration"] == direction["recalt_small_base"] == "neither"
    assert direction["short_exposure_trials"] == "withdrawal"
    assert direction["bogers_slow_reduction"] != direction["bogers_gradual_full_stop"]
    assert not findings.statement.duplicated().any()


def test_figures_promise_no_more_than_was_read() -> None:
    figures = table("figures")
    assert len(figures) == 7
    assert (figures.numbers_at_risk == "not_verified").all()
    assert (figures.adds_pace_contrast == "no").all()
    assert figures.set_index("figure").trials["correll2019_pmc"] == "7"


def test_timing_and_tapers_are_complete() -> None:
    timing, tapers = table("timing"), table("tapers")
    assert len(timing) == 24
    strips = timing[(timing.n_cases == "408") & ~timing.fact.str.startswith("strips")]
    assert pd.to_numeric(strips.value).sum() == 408
    assert len(tapers) == 6
    lower, upper = pd.to_numeric(tapers.taper_days_lower), pd.to_numeric(tapers.taper_days_upper)
    assert not (upper < lower).any()
    assert lower.min() == 21
    assert upper.isna().sum() == 2


def test_windows_invent_nothing() -> None:
    windows = pd.read_csv(WINDOWS, dtype=str, keep_default_na=False)
    assert (windows.tag == "P").all()
    assert not windows.duplicated(["drug_class", "match", "formulation"]).any()
    fragments = windows.match.str.split("|").explode()
    assert not fragments[fragments != ""].duplicated().any()
    days = windows.set_index(["drug_class", "match", "formulation"]).acute_end_days
    assert days["nonstimulant", "", ""] == ""
    assert days["antipsychotic", "", "oral"] == "42"
    assert days["antipsychotic", "", "depot"] == "90"
    assert days["mood_stabiliser", "lithium", ""] == "180"
    fluoxetine = windows[windows.match == "fluoxetine"].iloc[0]
    assert (fluoxetine.acute_end_days, fluoxetine.persistent_after_days) == ("70", "84")
    classes = {f["name"]: f for f in SCHEMA["studies"]["fields"]}["drug_class"]
    assert set(windows.drug_class) <= set(classes["constraints"]["enum"])
