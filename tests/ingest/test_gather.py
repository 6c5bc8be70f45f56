"""A trial that stands in the evidence twice is named, and its records are one cohort."""

import pytest

import made_up
from conftest import ROOT
from discontinuation.ingest.evidence import read_collection
from discontinuation.ingest.gather import gather

BUNDLED = ROOT / "data" / "published"
REGISTERED = "NCT01234567"


def write(folder, *studies):
    """Write trials without a year, so that none looks like another; name what is special."""
    rows = {"sources": [], "studies": [], "effects": []}
    for number, study in enumerate(studies):
        source = {"source": f"s{number}", "citation": "A paper", "kind": "primary"}
        source |= {name: study.pop(name) for name in ("identifier", "url", "kind") if name in study}
        rows["sources"].append(source)
        made = made_up.study(study["study"], "") | {"title": "A trial", "source": source["source"]}
        rows["studies"].append(made | study)
    rows["arms"] = [
        made_up.arm(study["study"], arm, strategy, size)
        for study in studies
        for arm, strategy, size in (("drug", "maintain", 50), ("placebo", "abrupt", 51))
    ]
    rows["results"] = [
        made_up.result(row["study"], row["arm"], 26, row["n_randomised"], 10)
        for row in rows["arms"]
    ]
    return read_collection(made_up.write_csv(folder, rows))


def cohorts(gathered, state="current"):
    return getattr(gathered, state)["studies"].set_index("study")["cohort"].to_dict()


def reasons(gathered):
    pairs = gathered.duplicates
    assert not pairs.duplicated(["study", "same_as"]).any()
    return {(pair.same_as, pair.study): pair.reason for pair in pairs.itertuples()}


DOI = "10.1016/S2215-0366(18)30100-7"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"identifier": DOI}, {"identifier": f"PMID 7; https://doi.org/{DOI.lower()}"}),
        ({"identifier": f"doi:{DOI}."}, {"identifier": f"(DOI: {DOI})"}),
        ({"identifier": DOI}, {"url": f"https://example.org/doi/{DOI}/full?via=a"}),
        ({"identifier": DOI}, {"url": f"https://example.org/{DOI.replace('/', '%2F')}"}),
        ({"identifier": "PMID 123"}, {"identifier": "Lancet 2018, pmid: 0123"}),
        ({"identifier": "PMID:123"}, {"url": "https://pubmed.ncbi.nlm.nih.gov/123/"}),
        ({"url": "http://www.ncbi.nlm.nih.gov/pubmed/123"}, {"identifier": "PMID123"}),
        ({"identifier": "PMCID: PMC55"}, {"url": "https://example.org/pmc/articles/PMC55/"}),
        ({"registration": REGISTERED}, {"registration": f"on CT.gov: {REGISTERED.lower()}"}),
        ({"registration": REGISTERED}, {"url": f"https://example.org/study/{REGISTERED}"}),
        ({"registration": "ISRCTN 12417565"}, {"registration": "isrctn12417565; 2004-000446-20"}),
        ({"registration": "EudraCT 2004-000446-20"}, {"identifier": "2004-000446-20-GB"}),
        ({"registration": "DRKS00012345"}, {"registration": "drks00012345"}),
    ],
)  # fmt: skip
def test_identifiers_are_found_however_they_are_written(tmp_path, one, other):
    for numbers in ((one, other), (other, one)):
        folder = tmp_path / str(numbers is one)
        collections = [
            write(folder / name, {"study": study, **number})
            for name, study, number in zip("ab", "xy", numbers, strict=True)
        ]
        assert cohorts(gather(collections)) == {"x": "x", "y": "x"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"identifier": DOI}, {"identifier": DOI[:-1]}),
        ({"identifier": "PMID 12"}, {"identifier": "PMID 123"}),
        ({"identifier": "PMID 12"}, {"identifier": "PMC12"}),
        ({"identifier": DOI}, {"identifier": DOI, "kind": "secondary"}),
        ({"identifier": DOI}, {"identifier": DOI, "drug_class": "opioid"}),
        ({"registration": "not registered"}, {"registration": "not registered"}),
        ({}, {}),
    ],
)
def test_different_identifiers_join_nothing(tmp_path, one, other):
    collections = [
        write(tmp_path / "a", {"study": "x", **one}),
        write(tmp_path / "b", {"study": "y", **other}),
    ]
    gathered = gather(collections)
    assert cohorts(gathered) == {"x": "x", "y": "y"}
    assert gathered.duplicates.empty


def test_chain_joins_every_record_whichever_collection_comes_first(tmp_path):
    review = write(
        tmp_path / "review",
        {"study": "t2", "cohort": "mine"},
        {"study": "t1", "cohort": "mine", "identifier": "https://doi.org/10.1056/NEJMOA2106356"},
    )
    bundled = read_collection(BUNDLED)
    records = ["t1", "t2", "ANTLER_Lewis2021", "ANTLER_HTA2021"]
    for order, name in (([review, bundled], "mine"), ([bundled, review], "ANTLER")):
        gathered = gather(order)
        joined = cohorts(gathered)
        assert {joined[study] for study in records} == {name}
        assert list(joined.values()).count(name) == len(records)
        said = reasons(gathered)
        pairs = [pair for pair in said if set(pair) <= set(records)]
        assert len(pairs) == 6
        ends = ("t2", "ANTLER_HTA2021") if order[0] is review else ("ANTLER_HTA2021", "t2")
        assert said[ends] == "other records of the trial that join them"


def test_one_registration_is_one_cohort_inside_a_collection(tmp_path):
    review = write(
        tmp_path / "review",
        {"study": "x", "registration": REGISTERED},
        {"study": "y", "cohort": "c", "registration": f"see {REGISTERED.lower()}"},
        {"study": "z", "cohort": "c"},
    )
    gathered = gather([review])
    assert set(cohorts(gathered).values()) == {"x"}
    assert set(cohorts(gathered, "first").values()) == {"x"}
    assert reasons(gathered) == {
        ("x", "y"): "same registration number",
        ("y", "z"): "same cohort",
        ("x", "z"): "other records of the trial that join them",
    }


def test_declared_strata_of_one_registered_trial_stay_apart(tmp_path):
    def strata(name):
        return write(
            tmp_path / name,
            {"study": "x", "cohort": "high", "registration": REGISTERED, "identifier": DOI},
            {"study": "y", "cohort": "low", "registration": REGISTERED, "identifier": DOI},
        )

    alone = gather([strata("a")])
    assert cohorts(alone) == {"x": "high", "y": "low"}
    assert reasons(alone) == {
        ("x", "y"): "same registration number; not joined: different cohorts are declared"
    }
    twice = gather([strata("a"), strata("b")])
    assert cohorts(twice) == {"x": "high", "y": "low", "x@b": "high", "y@b": "low"}


def test_whole_trial_elsewhere_joins_its_strata(tmp_path):
    strata = write(
        tmp_path / "a",
        {"study": "x", "cohort": "high", "registration": REGISTERED},
        {"study": "y", "cohort": "low", "registration": REGISTERED},
    )
    whole = write(tmp_path / "b", {"study": "z", "identifier": REGISTERED})
    gathered = gather([strata, whole])
    assert set(cohorts(gathered).values()) == {"high"}
    said = reasons(gathered)[("x", "y")]
    assert said == "same registration number; other records of the trial that join them"


def test_look_alikes_inside_a_collection_are_named_and_stay_apart(tmp_path):
    review = write(tmp_path / "a", {"study": "x", "year": 2000}, {"study": "y", "year": 2000})
    gathered = gather([review])
    assert cohorts(gathered) == {"x": "x", "y": "y"}
    assert reasons(gathered)[("x", "y")].startswith("same drug, year and arm sizes; not joined")


def test_rank_is_the_place_of_the_collection_in_both_states(tmp_path):
    collections = [
        write(tmp_path / "b", {"study": "x"}),
        write(tmp_path / "a", {"study": "y"}, {"study": "z"}),
    ]
    gathered = gather(collections)
    for frames in (gathered.current, gathered.first):
        ranks = frames["studies"].set_index("study")["collection_rank"]
        assert ranks.to_dict() == {"x": 0, "y": 1, "z": 1}
        assert ranks.dtype == "int64"


def test_bundled_cohorts_are_those_declared():
    collection = read_collection(BUNDLED)
    gathered = gather([collection])
    declared = {row["study"]: row["cohort"] for row in collection.current["studies"].records}
    assert cohorts(gathered) == {study: name or study for study, name in declared.items()}
    assert declared["SUSTAIN1_Daly2019_remit"] and declared["SUSTAIN1_Daly2019_resp"]
