"""Which made-up data show the whole pipeline without any download?"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from discontinuation.design.example_cases import CASES, SYMPTOMS, case_files, case_truth
from discontinuation.design.example_trial import DRUG, SCENARIO, trial_files, trial_truth
from discontinuation.design.expected import expected_curves, expected_excess_share
from discontinuation.design.plans import planned_doses
from discontinuation.design.ratings import CHECKLIST, DEPRESSION_SCALE
from discontinuation.design.simulate import simulate_trial
from discontinuation.tables.files import write_table

SEED = 20261122

LABEL = "Synthetic. No person in this folder exists."


def write_example(folder: Path) -> list[Path]:
    """Write the synthetic trial and case series, their truth and a page that explains them.

    Parameters
    ----------
    folder
        Where to; made if it does not exist. Files of the same names are overwritten.

    Returns
    -------
    list of Path
        What was written; the same bytes on every machine.
    """
    trial = simulate_trial(SCENARIO, SEED)
    parts = {"trial": trial_files(trial, SEED), "cases": case_files(SEED)}
    truth = pd.concat([trial_truth(trial, SEED), case_truth()])
    written = []
    for part, files in parts.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        for name, frame in files.items():
            written.append(folder / part / name)
            write_table(frame, written[-1])
    written.append(folder / "truth.csv")
    write_table(truth, written[-1])
    written.append(folder / "README.md")
    written[-1].write_text(_page(parts, truth), encoding="utf-8", newline="\n")
    return written


def _page(parts: dict[str, dict[str, pd.DataFrame]], truth: pd.DataFrame) -> str:
    """Explain the files and state the truth behind them."""
    sections = [
        "# A made-up trial and a made-up case series",
        f"**{LABEL}** The files look as a sponsor or a collector might hand them over, so that "
        "the default run shows the whole pipeline without a download. They are written by "
        "`python -m discontinuation.design.example data/example` and are never edited by hand. "
        "Only the half-lives and occupancy curves of the drugs are taken from publications (see "
        "the end); all else is invented, and nothing here says anything about these drugs.",
        "`truth.csv` is **for tests only**: no analysis may read it.",
        "## The trial (`trial/`)",
        _story(),
        *_described("trial", parts["trial"], _TRIAL_COLUMNS),
        "### Items",
        _items(),
        "## The case series (`cases/`)",
        f"{len(CASES)} people keep a diary through one to three attempts to stop. Days are "
        "counted from the first day of the diary, which is day 0.",
        *_described("cases", parts["cases"], _CASE_COLUMNS),
        "## The truth",
        "What made the trial:",
        _assumptions(),
        f"What that means by day {SCENARIO.horizon_days}, for an endless number of people and "
        "nobody dropping out:",
        _expected(),
        _shares(),
        "What it gave among these people (deteriorations that began while they were observed; "
        "those that ended before the definition was met are not in `events.csv`):",
        _counts(truth[truth["part"] == "trial"]),
        *_described("", {"truth.csv": truth}, {"truth.csv": _TRUTH_COLUMNS}),
        "## The drugs",
        "Half-lives lie within the ranges of a published table (tag V, of the moiety that "
        "counts); occupancy of the serotonin transporter is Emax dose / (K + dose), K and Emax "
        "transcribed by others from Sørensen, Ruhé, Munkholm, Mol Psychiatry 2022;27:192-201 "
        "(tag V2).",
        _drugs(),
    ]
    return "\n\n".join(sections) + "\n"


def _story() -> str:
    weeks = SCENARIO.horizon_days // 7
    falls = ", ".join(f"{dose:g}" for dose in planned_doses(SCENARIO.arms[2], SCENARIO)[:91:7])
    return (
        f"Three arms of {SCENARIO.arms[0].people} people on {DRUG} {SCENARIO.dose_mg:g} mg, "
        f"blinded, {weeks} weeks: A goes on, B stops at randomisation, C is tapered in 13 weekly "
        f"falls of equal occupancy ({falls} mg), so that the dose is 0 from day 84 on. Every arm "
        "sees an apparent step in each of the first 13 weeks; where the dose does not change, "
        "the step is a sham. Everybody is rated weekly; some visits are missed. A deterioration "
        f"is recorded at the first visit at which it has lasted "
        f"{SCENARIO.definition_delay_days} days. Observation then ends, unless the full dose is "
        f"started again (in A: given openly); that is watched for "
        f"{SCENARIO.reinstatement_watch_days:g} days."
    )


_TRIAL_COLUMNS = {
    "people.csv": {
        "id": "person",
        "arm": "A, B or C",
        "randomised": "date, year-month-day",
        "age": "years",
        "sex": "F or M",
        "months_on_drug": "months on the drug before randomisation",
        "earlier_episodes": "earlier episodes of depression",
        "stopped_before": "earlier attempts to stop",
    },
    "plans.csv": {
        "arm": "A, B or C",
        "from_week": "weeks since randomisation, from",
        "to_week": "up to and not including; blank: no end",
        "dose_mg": "planned dose, mg per day",
        "step": "real or sham",
    },
    "dose_log.csv": {
        "id": "person",
        "date": "day of the change, year-month-day; the first row of a person is 180 days before "
        "randomisation",
        "new_dose_mg": "mg per day from then on, until the next row or the last contact",
    },
    "visits_wide.csv": {
        "id": "person",
        "visit": "W and the week",
        "date": "year-month-day",
        "hamd_1 to hamd_17": "items of the depression scale; blank: not rated",
        "dess_...": "items of the withdrawal checklist: 0 absent, 1 new, 2 old but worse, 3 old "
        "and unchanged, 9 not asked",
    },
    "events.csv": {
        "id": "person",
        "nr": "number of the deterioration",
        "last_seen_well": "last visit before it, year-month-day",
        "first_seen_worse": "first visit at which it was seen",
        "recorded": "visit at which the definition was met",
        "onset_recalled": "onset as the person recalls it; blank: not recalled",
        "restarted": "start of the full dose because of it; blank: not started",
        "resolved": "when it had passed; blank: not seen",
        "still_ill": "yes if it had not passed when the watch ended, no if it had; blank: not "
        "watched",
        "raters": "judgement of blinded, fallible raters: W withdrawal, R relapse, U undecided; "
        "blank: not asked",
    },
    "dispositions.csv": {
        "id": "person",
        "last_contact": "date, **day/month/year**",
        "ended": "completed, deteriorated, restarted the drug, lost to follow-up, withdrew "
        "consent, side effects",
    },
}
_CASE_COLUMNS = {
    "people.csv": {
        "person": "person",
        "age": "years",
        "sex": "F or M",
        "diagnosis": "depression or anxiety",
        "years_on_drug": "years on the drug before the diary",
        "stopped_before": "earlier attempts to stop",
        "last_day": "last day of the diary",
    },
    "doses.csv": {
        "person": "person",
        "day": "day of the change; the first row of a person is half a year before the diary",
        "drug": "drug",
        "dose_mg": "mg per day from then on",
    },
    "diary.csv": {
        "person": "person",
        "day": "day; days without an entry have no row",
        ", ".join(SYMPTOMS): "0 (none) to 10 (worst), whole numbers",
    },
    "episodes.csv": {
        "person": "person",
        "nr": "number of the episode of getting worse",
        "onset_day": "when it began",
        "told_day": "when it was told to the collectors",
        "restarted_day": "when the full dose was started again; blank: not, or not in this attempt",
        "resolved_day": "when it had passed; blank: not seen",
        "ongoing": "yes or no: whether it lasted to the next attempt or the end of the diary",
    },
}
_TRUTH_COLUMNS = {
    "part": "trial or cases",
    "person": "person",
    "episode": "number of the episode; 0: no episode",
    "cause": "withdrawal, relapse or none",
    "onset_day": "true onset, days since randomisation or since the first day of the diary",
    "recorded": "whether it is in events.csv or episodes.csv",
}


def _described(
    folder: str, files: dict[str, pd.DataFrame], columns: dict[str, dict[str, str]]
) -> Iterable[str]:
    """One table per file, with the number of its rows."""
    for name, meanings in columns.items():
        path = f"{folder}/{name}" if folder else name
        yield f"### `{path}` ({len(files[name])} rows). {LABEL}"
        yield _table(["column", "what"], [[f"`{c}`", what] for c, what in meanings.items()])


def _items() -> str:
    scale = [[f"`hamd_{i.number}`", i.label, f"0 to {i.largest}"] for i in DEPRESSION_SCALE]
    checklist = [[f"`dess_{i.name}`", i.label, "0, 1, 2, 3 or 9"] for i in CHECKLIST]
    return _table(["column", "item", "values"], scale + checklist)


def _assumptions() -> str:
    s = SCENARIO
    rows = [
        ["hazard of relapse on the full dose, per year", f"{s.relapse_per_year[0]:g}"],
        ["hazard ratio of relapse off the drug", f"{s.relapse_ratio:g}"],
        ["hazard of withdrawal alpha w^kappa: alpha, per day", f"{s.alpha_per_day:g}"],
        ["kappa", f"{s.kappa:g}"],
        ["adaptation time tau, days", f"{s.tau_days:g}"],
        ["half-life, days", f"{s.half_life_days:g}"],
        ["dose at half of the largest occupancy, mg", f"{s.ed50_mg:g}"],
        ["largest occupancy", f"{s.occupancy_max:g}"],
        ["dropout, per year", f"{s.dropout_per_year:g}"],
        ["started again at a deterioration, share", f"{s.reinstated_share:g}"],
        [
            "days to resolution after that, mean: withdrawal, relapse",
            f"{s.resolution_days_withdrawal:g}, {s.resolution_days_relapse:g}",
        ],
        ["seed", str(SEED)],
    ]
    return _table(["assumption", "value"], rows)


def _expected() -> str:
    curves = expected_curves(SCENARIO)
    rows = [
        [
            str(row["arm"]),
            f"{row['hazard_withdrawal']:.4f}",
            f"{row['hazard_relapse']:.4f}",
            f"{row['crude_withdrawal']:.4f}",
            f"{row['crude_relapse']:.4f}",
            f"{row['event_free']:.4f}",
        ]
        for _, row in curves[curves["day"] == SCENARIO.horizon_days].iterrows()
    ]
    header = ["arm", "cumulative hazard: withdrawal", "relapse", "risk, withdrawal first"]
    return _table([*header, "relapse first", "event-free"], rows)


def _shares() -> str:
    """Say which share of each stopping arm's excess is withdrawal."""
    curves = expected_curves(SCENARIO)
    rows = []
    for arm in ("B", "C"):
        share = expected_excess_share(curves, arm, "A", SCENARIO.horizon_days)
        parts = (share.excess_hazard, share.excess_risk, share.hazard, share.net)
        rows.append([f"{arm} over A", *(f"{part:.4f}" for part in parts)])
    return "The share of the excess that is withdrawal:\n\n" + _table(
        [
            "",
            "excess hazard",
            "excess risk",
            "share of the hazard (psi_H)",
            "of the risk (psi_net)",
        ],
        rows,
    )


def _drugs() -> str:
    drugs = {case.drug.name: case.drug for case in CASES}
    rows = [
        [d.name, f"{d.half_life_days:.2f}", f"{d.ed50_mg:g}", f"{100 * d.occupancy_max:g}"]
        for d in drugs.values()
    ]
    return _table(["drug", "half-life, days", "K, mg", "Emax, %"], rows)


def _counts(truth: pd.DataFrame) -> str:
    counts = truth.groupby(["cause", "recorded"]).size()
    rows = [
        [cause, str(counts.get((cause, "yes"), 0)), str(counts.get((cause, "no"), 0))]
        for cause in ("withdrawal", "relapse")
    ]
    return _table(["cause", "recorded", "not recorded"], rows)


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Write the example into the folder named on the command line."""
    if len(sys.argv) != 2:
        raise SystemExit("Name one folder: python -m discontinuation.design.example data/example")
    for path in write_example(Path(sys.argv[1])):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
