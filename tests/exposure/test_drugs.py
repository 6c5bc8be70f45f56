"""The drug tables give the occupancies their sources give, and say what they do not know."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from conftest import ROOT
from discontinuation.exposure.drugs import DOUBTFUL, TAGS, coverage, read_drugs
from discontinuation.problems import InvalidInput

DRUGS = read_drugs(ROOT / "data" / "reference")

# Tables of domain.md 4.2: D50, occupancy at the minimum effective dose, doses for 80 to 10 %.
# Six cells of 4.2, 4.3 and 4.5 were rounded twice there (25.947 to 25.95 to 26.0, 33.49 to 33.5 to
# 34 and so on); here they are rounded once.
SERT = {
    "citalopram_sert_striatum": "3.43 75 46.8/11.7/5.83/3.43/2.12/1.29/0.73/0.31",
    "escitalopram_sert_caudate": "1.30 71 -/8.6/2.58/1.30/0.75/0.44/0.24/0.10",
    "escitalopram_sert_dorsal_raphe": "3.44 70 22.7/9.73/5.52/3.44/2.19/1.37/0.78/0.34",
    "escitalopram_sert_putamen": "3.16 62 -/-/7.85/3.16/1.66/0.93/0.49/0.21",
    "escitalopram_sert_thalamus": "3.66 65 -/17.0/6.75/3.66/2.17/1.29/0.72/0.31",
    "fluoxetine_sert_striatum": "2.62 79 24.7/8.21/4.34/2.62/1.64/1.01/0.57/0.25",
    "paroxetine_sert_striatum": "5.94 76 26.1/14.4/9.05/5.94/3.92/2.50/1.45/0.64",
    "sertraline_sert_striatum": "9.19 80 51.4/24.6/14.5/9.19/5.94/3.73/2.14/0.94",
    "venlafaxine_sert_striatum": "7.24 84 46.1/20.2/11.6/7.24/4.63/2.90/1.66/0.72",
    "duloxetine_sert_thalamus": "7.69 82 46.7/21.2/12.2/7.69/4.94/3.10/1.77/0.78",
    "desvenlafaxine_sert_midbrain": "11.04 82 44.9/25.9/16.6/11.0/7.35/4.72/2.75/1.22",
    "desvenlafaxine_sert_striatum": "16.0 76 63.7/37.3/24.0/16.0/10.7/6.88/4.02/1.79",
    "desvenlafaxine_sert_thalamus": "21.1 70 84.2/49.2/31.7/21.1/14.1/9.06/5.29/2.35",
    "desvenlafaxine_sert_amygdala": "10.3 86 35.0/22.2/15.0/10.3/6.97/4.54/2.68/1.20",
    "vortioxetine_sert_raphe_nuclei": "4.48 70 16.8/10.2/6.65/4.48/3.01/1.94/1.14/0.51",
}
CURVES = {curve.curve: (drug, curve) for drug in DRUGS for curve in drug.curves}


def share(curve, dose):
    return curve.emax * dose / (curve.k + dose)


def as_printed(value, text):
    """Whether a number rounds to the text, by the decimals printed."""
    decimals = len(text.partition(".")[2])
    return abs(value - float(text)) <= 0.5 * 10**-decimals + 1e-9


@pytest.mark.parametrize("key", SERT)
def test_sert_table_follows_from_emax_and_k(key):
    drug, curve = CURVES[f"{key}_sorensen2022"]
    d50, at_minimum, doses = SERT[key].split()
    assert as_printed(curve.d50, d50)
    assert as_printed(share(curve, drug.minimum_effective_dose.value), at_minimum)
    for wanted, printed in zip(range(80, 0, -10), doses.split("/"), strict=True):
        if printed == "-":
            assert curve.emax < wanted
        else:
            assert as_printed(curve.k * wanted / (curve.emax - wanted), printed)


def test_k_is_not_the_dose_of_half_occupancy():
    citalopram = DRUGS.find("citalopram").curve()
    putamen = DRUGS.find("escitalopram").curve("escitalopram_sert_putamen_sorensen2022")
    assert (citalopram.k, round(citalopram.d50, 2)) == (2.33, 3.43)
    assert (putamen.k, round(putamen.d50, 2)) == (1.22, 3.16)
    steep = citalopram.__class__(**{**vars(citalopram), "hill": 2.0})
    assert steep.emax * steep.d50**2 / (steep.k**2 + steep.d50**2) == pytest.approx(50)


@pytest.mark.parametrize(
    ("drug", "curve", "occupancies"),
    [
        ("citalopram", None, "75 68 57 43 29 18 10"),  # 43.47, printed as 44
        ("sertraline", None, "80 70 57 41 27 15 8"),  # 15.49 and 8.46: 16 and 9
        ("paroxetine", None, "76 62 46 30 18 10 5"),
        ("fluoxetine", None, "79 72 62 49 34 21 12"),  # 62.496: 63
        ("venlafaxine XR", None, "84 78 69 56 40 26 15"),
        ("duloxetine", None, "82 75 64 49 34 21 12"),
        ("escitalopram", "escitalopram_sert_thalamus_sorensen2022", "65 55 43 29 18 10 5"),
    ],
)
def test_occupancy_after_each_half_life(drug, curve, occupancies):
    found = DRUGS.find(drug)
    dose, curve = found.minimum_effective_dose.value, found.curve(curve)
    for halvings, printed in enumerate(occupancies.split()):
        assert as_printed(share(curve, dose / 2**halvings), printed)


@pytest.mark.parametrize(
    ("drug", "doses", "occupancies"),
    [
        ("risperidone", [8, 4, 2, 1, 0.5, 0.25, 0.125], "82.7 75.8 65.0 50.6 35.0 21.7 12.3"),
        ("olanzapine", [20, 10, 5, 2.5, 1.25, 0.625], "79 70 56 40 26 15"),
        ("clozapine", [300, 200, 100, 50, 25, 12.5], "52 46 33 22 13 7"),  # 33.49: 34
    ],
)
def test_d2_examples(drug, doses, occupancies):
    curve = DRUGS.find(drug).curve()
    assert curve.source == "kapur1999"
    for dose, printed in zip(doses, occupancies.split(), strict=True):
        assert as_printed(share(curve, dose), printed)


def test_two_citalopram_curves_stand_side_by_side():
    citalopram = DRUGS.find("citalopram")
    news = citalopram.curve("citalopram_sert_horowitz2019")
    assert (citalopram.curve().tag, news.tag) == ("V2", "D")
    for dose, printed in zip([1, 5, 20, 60], ["23.9", "58.6", "80.5", "87.8"], strict=True):
        assert as_printed(share(news, dose), printed)
    # The same dose of half occupancy, another top: 7 against 9 points from 20 to 10 mg.
    assert news.d50 == pytest.approx(citalopram.curve().d50, abs=0.05)
    steps = [share(curve, 20) - share(curve, 10) for curve in citalopram.curves]
    assert [round(step) for step in steps] == [7, 9]


def test_emax_below_half_has_no_d50():
    quetiapine = DRUGS.find("quetiapine")
    assert quetiapine.curves[0].emax == 49.1
    assert quetiapine.curves[0].d50 is None
    assert quetiapine.curve() is None
    assert "k not held" in quetiapine.why_no_occupancy()


def test_no_number_printed_as_ed50_is_held():
    for name in ("milnacipran", "clomipramine", "fluvoxamine"):
        drug = DRUGS.find(name)
        assert all(curve.k is None and "ED50" in curve.note for curve in drug.curves)
        assert drug.why_no_occupancy()
    levels = [curve for _, curve in CURVES.values() if curve.unit == "ng/mL"]
    assert {curve.use for curve in levels} == {"alternative"}
    assert next(c for c in levels if c.curve.startswith("clozapine")).tag == "P"


# --- half-lives ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drug", "moiety", "low", "high"),
    [
        ("fluoxetine", "norfluoxetine", 96, 384),
        ("venlafaxine", "desvenlafaxine", 11, 11),
        ("sertraline", "sertraline", 26, 26),
        ("cariprazine", "didesmethylcariprazine", 7 * 24, 21 * 24),
        ("diazepam", "desmethyldiazepam", 36, 200),
        ("haloperidol decanoate", "haloperidol", 18 * 24, 21 * 24),
        ("paliperidone palmitate 3-monthly", "paliperidone", 84 * 24, 95 * 24),
    ],
)
def test_half_life_is_that_of_the_active_moiety(drug, moiety, low, high):
    half_life = DRUGS.find(drug).half_life
    assert (half_life.moiety, half_life.ends, half_life.unit) == (moiety, (low, high), "hours")


def test_a_range_has_a_geometric_middle_and_one_end_has_none():
    fluoxetine = DRUGS.find("fluoxetine")
    assert fluoxetine.half_life.value is None
    assert fluoxetine.half_life.central == pytest.approx(192)
    assert fluoxetine.fact("half_life", moiety="fluoxetine").central == math.sqrt(24 * 144)
    metabolites = DRUGS.find("chlordiazepoxide").half_life
    assert (metabolites.central, metabolites.ends, metabolites.high) == (None, None, 200)
    assert "only the upper end" in DRUGS.find("chlordiazepoxide").why_no_half_life()


def test_several_half_lives_coexist():
    aripiprazole = DRUGS.find("aripiprazole")
    slow = aripiprazole.fact("half_life", variant="poor metaboliser")
    assert (aripiprazole.half_life.value, slow.value) == (75, 146)
    gluteal = DRUGS.find("PP3M").fact("half_life", variant="gluteal injection")
    assert gluteal.ends == (118 * 24, 139 * 24)
    lists = [fact.tag for fact in DRUGS.find("aripiprazole lauroxil").half_lives]
    assert lists == ["V", "V2"]
    assert DRUGS.find("haloperidol").half_life.high < 48
    assert DRUGS.find("haloperidol decanoate").half_life.high == 504


def test_an_irreversible_inhibitor_has_no_half_life_for_timing():
    for name in ("phenelzine", "tranylcypromine"):
        drug = DRUGS.find(name)
        assert drug.half_life is None
        assert drug.half_lives[0].tag == "UM"
        assert "outlasts" in drug.why_no_half_life()
        assert drug.fact("enzyme_recovery").value == 14


def test_five_half_lives_of_domain_3_1():
    for name, days in {
        "citalopram": 7,
        "sertraline": 5,
        "duloxetine": 2.5,
        "lurasidone": 4,
    }.items():
        assert 5 * DRUGS.find(name).half_life.central / 24 == pytest.approx(days, abs=0.5)
    low, high = DRUGS.find("fluoxetine").half_life.ends
    assert (5 * low / 24, 5 * high / 24) == (20, 80)


def test_opioids_of_the_datasets_are_known_but_nothing_is_made_up():
    for name in ("buprenorphine", "methadone", "naltrexone"):
        drug = DRUGS.find(name)
        assert drug.drug_class == "opioid"
        assert drug.half_lives == drug.curves == drug.equivalents == ()
        assert "no source" in drug.why_no_half_life()
        assert "no source" in drug.why_no_occupancy()


# --- doubt and coverage ----------------------------------------------------------------------


def test_doubtful_values_are_recognised():
    citalopram, risperidone = DRUGS.find("citalopram"), DRUGS.find("risperidone")
    assert citalopram.doubtful("half_life") is None
    assert citalopram.doubtful("k") is None
    assert citalopram.doubtful("minimum_effective_dose") == "UM"
    assert risperidone.doubtful("half_life") == "UM"
    assert DRUGS.find("haloperidol").doubtful("half_life") == "UM"
    assert DRUGS.find("venlafaxine").doubtful("dose_equivalent") == "UM"
    assert DRUGS.find("methadone").doubtful("half_life") is None
    with pytest.raises(ValueError, match="did you mean 'half_life'"):
        citalopram.doubtful("halflife")


def test_partial_agonists_are_not_read_as_blockade():
    assert {d.name for d in DRUGS if d.partial_agonist} == {
        "aripiprazole",
        "brexpiprazole",
        "cariprazine",
    }


def test_coverage_adds_up_and_agrees_with_a_plain_count():
    table = coverage(DRUGS)
    assert (table[list(TAGS)].sum(axis=1) == table["with_value"]).all()
    whole = table[table["drug_class"] == "all"].set_index("quantity")
    assert (whole["drugs"] == len(DRUGS)).all()
    parts = table[table["drug_class"] != "all"].groupby("quantity")[["drugs", *TAGS]].sum()
    assert (parts == whole.loc[parts.index, parts.columns]).all(axis=None)
    assert whole.loc["k", "with_value"] == sum(drug.curve() is not None for drug in DRUGS) == 12
    usable = [d for d in DRUGS if d.half_life and d.half_life.central]
    assert whole.loc["half_life", "with_value"] == len(usable)
    doubtful = sum(drug.doubtful("half_life") is not None for drug in DRUGS)
    assert whole.loc["half_life", list(DOUBTFUL)].sum() == doubtful > 0
    opioids = table[(table["drug_class"] == "opioid") & (table["quantity"] == "half_life")]
    assert opioids["with_value"].item() == 0


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Sertraline", "sertraline"),
        ("  VENLAFAXINE  xr ", "venlafaxine"),
        ("quetiapine-XR", "quetiapine"),
        ("paliperidone_palmitate 1 monthly", "paliperidone palmitate 1-monthly"),
        ("dexamphetamine", "d-amfetamine"),
    ],
)
def test_names_are_found_whatever_their_spelling(written, name):
    assert DRUGS.find(written).name == name


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("sertralin", "'sertraline'"),
        ("sertraline hydrochloride", "'sertraline'"),
        ("paliperidone palmitate", "'paliperidone palmitate 1-monthly'"),
        ("xyz", "no name is near"),
        ("", "no name is near"),
    ],
)
def test_an_unknown_drug_is_refused_with_the_nearest_names(written, near):
    with pytest.raises(InvalidInput, match="is none of the 87 drugs") as refusal:
        DRUGS.find(written, "doses.csv", 7)
    assert near in str(refusal.value)
    assert "doses.csv, row 7, column drug" in str(refusal.value)


def test_every_single_drug_of_the_published_trials_is_known():
    studies = pd.read_csv(ROOT / "data" / "published" / "studies.csv", keep_default_na=False)
    groups = {"SSRI", "benzodiazepines", "neuroleptics", "tricyclic antidepressants"}
    names = set(studies["drug"].str.split("|").explode()) - groups
    for name in sorted(name for name in names if not name.startswith("various")):
        drug = DRUGS.find(name)
        classes = studies.loc[studies["drug"] == name, "drug_class"]
        assert set(classes) <= {drug.drug_class}, name
