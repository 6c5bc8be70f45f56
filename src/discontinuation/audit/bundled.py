"""What do the bundled tables of published trials let one reader answer? Written as audits.

python -m discontinuation.audit.bundled data/published data/reference data/published/audits
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from discontinuation.audit.answers import time_words, tool_of
from discontinuation.audit.decision import LEVEL, NO_INFORMATION
from discontinuation.audit.removal import PaceAnswer, answer_published_arm, longest_half_life
from discontinuation.audit.tools import ROB2, ROBINS_I, domain_w, rob2, robins_i
from discontinuation.bias.windows import window_end
from discontinuation.exposure.drugs import Drugs
from discontinuation.problems import InvalidInput
from discontinuation.tables.comparisons import comparisons, join_results

READER = "first"
NOT_READ = "not in the text read"
READ = {"V": "abstract only", "V2": "secondary source only"}
SEED, REPLICATES, CONFIDENCE = 20261122, 2000, 0.95
HEADER = """\
# Written by python -m discontinuation.audit.bundled from the tables of this folder: what they do
# not state is "no information". To go further, copy the file into a review of your own.
"""
# Phrases of a relapse definition that say what W3 asks, and what one reader makes of them.
CORE_PHRASES = {
    "weeks or more": ("Y", "the definition asks for two weeks or more"),
    "not to count withdrawal": ("PY", "the rule was built so as not to count withdrawal"),
}
ENRICHED = ("respon", "remi", "stable", "stabilised", "well", "improved", "no relapse")


@dataclass(frozen=True, eq=False)
class _Tables:
    """What the answers are drawn from."""

    joined: pd.DataFrame
    studies: pd.DataFrame
    arms: pd.DataFrame
    schedules: pd.DataFrame
    half_lives: Mapping[str, float | None]
    early: pd.DataFrame
    windows: pd.DataFrame


def write_bundled_audits(evidence: Path, reference: Path, folder: Path) -> list[Path]:
    """Write one audit per bundled trial that compares relapse between ways of going on.

    Parameters
    ----------
    evidence
        Folder of published evidence.
    reference
        Folder of facts about drugs.
    folder
        Where the audits go; audits of trials that are no longer there are removed.

    Returns
    -------
    list of Path
        What was written.
    """
    audits = bundled_audits(evidence, reference)
    folder.mkdir(parents=True, exist_ok=True)
    for old in set(folder.glob("*.yaml")) - {folder / f"{study}.yaml" for study in audits}:
        old.unlink()
    paths = []
    for study, content in audits.items():
        path = folder / f"{study}.yaml"
        path.write_text(audit_text(content), encoding="utf-8", newline="\n")
        paths.append(path)
    return paths


def audit_text(content: Mapping[str, Any], header: str = HEADER) -> str:
    """Write an audit as YAML."""
    import yaml

    text = yaml.dump(
        dict(content), Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=120
    )
    return header + str(text)


class _OnOneLine(dict[str, Any]):
    """Keys that are written on one line."""


@cache
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes readings on one line."""

    def on_one_line(dumper: yaml.SafeDumper, value: _OnOneLine) -> yaml.Node:
        return dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True)

    Dumper.add_representer(_OnOneLine, on_one_line)
    return Dumper


def bundled_audits(evidence: Path, reference: Path) -> dict[str, dict[str, Any]]:
    """Answer what the tables allow, trial by trial.

    Parameters
    ----------
    evidence, reference
        As in `write_bundled_audits`.

    Returns
    -------
    dict
        Study to an audit as `make_audit` takes it.
    """
    tables = _read(evidence, reference)
    audits: dict[str, dict[str, Any]] = {}
    rows = {row["study"]: row for _, row in tables.studies.iterrows()}
    for study, results in _results(tables.joined).items():
        row = rows[study]
        audits[study] = {
            "study": study,
            "title": row["title"],
            "read": READ.get(str(row["tag"]), READ["V2"]),
            "readers": [READER],
            "context": _context(row, results, tables),
            "note": row["note"] or "",
            "results": [_result(row, result, tables) for result in results.values()],
        }
    return audits


def _read(evidence: Path, reference: Path) -> _Tables:
    from discontinuation.bias.published import early_shares
    from discontinuation.exposure.drugs import read_drugs
    from discontinuation.exposure.published_pace import plausible_pace
    from discontinuation.exposure.strategy import read_strategies
    from discontinuation.ingest.evidence import read_collection
    from discontinuation.ingest.gather import gather

    frames = gather([read_collection(evidence)]).current
    drugs = read_drugs(reference)
    windows = pd.read_csv(reference / "withdrawal_windows.csv")
    named = dict(zip(frames["studies"]["study"], frames["studies"]["drug"], strict=True))
    return _Tables(
        joined=join_results(frames),
        studies=frames["studies"],
        arms=frames["arms"].set_index(["study", "arm"]),
        schedules=plausible_pace(
            frames["arms"], frames["studies"], drugs, read_strategies()
        ).schedules,
        half_lives={
            study: longest_half_life([_half_life(name, drugs) for name in text.split("|")])
            for study, text in named.items()
        },
        early=early_shares(frames, windows, [1], SEED, REPLICATES, CONFIDENCE),
        windows=windows,
    )


def _half_life(name: str, drugs: Drugs) -> float | None:
    """Half-life of a drug in hours; None if the drug or its half-life is not held."""
    try:
        fact = drugs.find(name).half_life
    except InvalidInput:
        return None
    return fact.central if fact else None


def _results(joined: pd.DataFrame) -> dict[str, dict[tuple[str, str], pd.DataFrame]]:
    """List the relapse results of each study: outcome and time, to the stopped arms behind it."""
    found: dict[str, dict[tuple[str, str], pd.DataFrame]] = {}
    relapse = joined.loc[joined["outcome_type"] == "relapse"]
    for pair in comparisons(relapse):
        first = pair.a.iloc[0]
        outcome = str(first["outcome"])
        if pd.notna(first["comparison"]):
            outcome += f" ({first['comparison']})"
        kept = found.setdefault(str(first["study"]), {})
        key = (outcome, time_words(first))
        if key not in kept or pair.strategy == "any":
            kept[key] = pair.a.assign(against=", ".join(dict.fromkeys(pair.b["arm"])))
    return found


def _result(study: pd.Series, arms: pd.DataFrame, tables: _Tables) -> dict[str, Any]:
    first = arms.iloc[0]
    tool = tool_of(study["allocation_randomised"])
    time = time_words(first)
    comparison = first["comparison"]
    result: dict[str, Any] = {
        "outcome": first["outcome"] + (f" ({comparison})" if pd.notna(comparison) else ""),
        "time": time,
        "week": float(first["week"]) if time.startswith("week") else None,
        "tool": tool,
    }
    excess = _excess(arms, tables)
    answers = dict(_withdrawal_answers(study, arms, tables))
    if tool == ROB2:
        result["answers"] = {**_rob2_answers(study), **answers}
    else:
        result["answers"] = answers
    if tool == ROBINS_I:
        result["target_trial"] = _target_trial(study, arms)
        result["domains"] = {
            domain.key: {READER: _OnOneLine(judgement=robins_i().no_information, reason=NOT_READ)}
            for domain in robins_i().domains
        }
    return {**result, **excess}


def _target_trial(study: pd.Series, arms: pd.DataFrame) -> dict[str, str]:
    first = arms.iloc[0]
    return {
        "participants": study["population"],
        "intervention": ", ".join(dict.fromkeys(arms["arm"])),
        "comparator": first["against"],
        "outcome": study["relapse_definition"] or first["outcome"],
        "effect": "of the strategy as it was carried out; nobody was assigned to it",
    }


def _rob2_answers(study: pd.Series) -> dict[str, Any]:
    """Answer the questions of RoB 2 that are asked: those about blinding, else no information."""
    known = _blinding(study)
    known["1.1"] = PaceAnswer(
        NO_INFORMATION, "called randomised; how the order was made is not in the text read"
    )
    given: dict[str, str] = {}
    answers: dict[str, Any] = {}
    for domain in rob2().domains["assignment"]:
        for question in domain.questions:
            if question.number in domain.asked(given):
                said = known.get(question.number, PaceAnswer(NO_INFORMATION, NOT_READ))
                given[question.number] = said.answer
                answers[question.number] = _reading(said, study["source"])
    return answers


def _blinding(study: pd.Series) -> dict[str, PaceAnswer]:
    """Who knew the group, as far as the words for blinding tell."""
    blinding, concealed = study["blinding"], study["switch_concealed"]
    if blinding == "double_blind":
        said = PaceAnswer("PN", "called double-blind")
        return dict.fromkeys(["2.1", "2.2", "4.3"], said)
    if blinding == "open":
        said = PaceAnswer("Y", "open")
        return {**dict.fromkeys(["2.1", "2.2"], said), "4.3": PaceAnswer("PY", "open")}
    if blinding == "single_blind" and concealed == "no":
        said = PaceAnswer("Y", "participants knew when their dose changed")
        blind = PaceAnswer("PN", "called single-blind, and participants were not the blind ones")
        return {**dict.fromkeys(["2.1", "2.2"], said), "4.3": blind}
    return {}


def _withdrawal_answers(
    study: pd.Series, arms: pd.DataFrame, tables: _Tables
) -> Iterator[tuple[str, Any]]:
    known = {
        "W1": _pace(study, arms, tables),
        "W2": _measured(study),
        "W3": _definition(study),
        "W4": _open(study, "adjudicators knew the allocation"),
        "W5": _concealed(study),
        "W8": _early(arms, tables),
    }
    for question in domain_w().questions:
        said = known.get(question.number) or PaceAnswer(NO_INFORMATION, NOT_READ)
        of_arm = tables.arms.loc[(study["study"], arms.iloc[0]["arm"]), "source"]
        yield (
            question.number,
            _reading(said, of_arm if question.number == "W1" else study["source"]),
        )


def _pace(study: pd.Series, arms: pd.DataFrame, tables: _Tables) -> PaceAnswer:
    """Answer W1 for every stopped arm of the result; they must agree."""
    of_study = tables.schedules.loc[tables.schedules["study"] == study["study"]]
    found = [
        answer_published_arm(
            tables.arms.loc[(study["study"], arm)].to_dict(),
            of_study.loc[of_study["arm"] == arm],
            tables.half_lives[study["study"]],
        )
        for arm in arms["arm"]
    ]
    reason = " | ".join(dict.fromkeys(each.reason for each in found))
    if len({LEVEL[each.answer] for each in found}) > 1:
        return PaceAnswer(NO_INFORMATION, f"the arms differ: {reason}")
    return PaceAnswer(found[0].answer, reason)


def _measured(study: pd.Series) -> PaceAnswer:
    stated = study["withdrawal_measured"]
    if stated == "no":
        return PaceAnswer("N", "stated not to have been measured")
    if stated == "yes":
        often = "at how many visits inside the window is not in the text read"
        return PaceAnswer(NO_INFORMATION, f"withdrawal was measured; {often}")
    return PaceAnswer(NO_INFORMATION, "the text read does not say whether it was measured")


def _definition(study: pd.Series) -> PaceAnswer:
    text = study["relapse_definition"] or ""
    for phrase, (answer, reason) in CORE_PHRASES.items():
        if phrase in text:
            return PaceAnswer(answer, reason)
    return PaceAnswer(NO_INFORMATION, f"the text read gives: {text}" if text else NOT_READ)


def _open(study: pd.Series, reason: str) -> PaceAnswer | None:
    return PaceAnswer("PN", f"open; {reason}") if study["blinding"] == "open" else None


def _concealed(study: pd.Series) -> PaceAnswer | None:
    if study["switch_concealed"] == "no":
        return PaceAnswer("N", "the dates of dose changes were not concealed")
    return None


def _of_early(arms: pd.DataFrame, tables: _Tables) -> pd.DataFrame:
    """Early shares inside the window that end at this result."""
    first, early = arms.iloc[0], tables.early
    same = (early["study"] == first["study"]) & (early["end_week"] == first["week"])
    chosen: pd.DataFrame = early.loc[same & early["inside_window"]]
    return chosen.sort_values("early_week")


def _early(arms: pd.DataFrame, tables: _Tables) -> PaceAnswer | None:
    rows = _of_early(arms, tables)
    if rows.empty:
        return PaceAnswer(NO_INFORMATION, "no relapse count by arm inside the window")
    last = rows.iloc[-1]
    words = f"early excess {last['excess_share']:+.2f} at week {last['early_week']:g}"
    if math.isfinite(last["excess_lower"]):
        return PaceAnswer(NO_INFORMATION, f"{words}, judged by its interval")
    return PaceAnswer(NO_INFORMATION, f"{words}, without an interval")


def _excess(arms: pd.DataFrame, tables: _Tables) -> dict[str, Any]:
    """Interval of the early excess at the last point inside the window, if there is one."""
    rows = _of_early(arms, tables)
    rows = rows.loc[rows["excess_lower"].notna()]
    if rows.empty:
        return {}
    last = rows.iloc[-1]
    share = f"share of the difference at week {last['end_week']:g} present at week"
    return {
        "excess_share": {
            "lower": round(float(last["excess_lower"]), 3),
            "upper": round(float(last["excess_upper"]), 3),
            "basis": f"{share} {last['early_week']:g}, over proportional hazards",
        }
    }


def _context(
    study: pd.Series, results: Mapping[Any, pd.DataFrame], tables: _Tables
) -> dict[str, str]:
    arms = pd.concat(list(results.values()))
    half_life = tables.half_lives[study["study"]]
    tapered = sorted(set(arms.loc[arms["strategy"] == "taper", "arm"]))
    window = window_end(arms.iloc[0], tables.windows)
    weeks = arms["week"].max()
    context = {
        "C1": f"as far as the population tells: {study['population']}",
        "C2": f"longest half-life {half_life:.3g} days (drugs.csv)" if half_life else NOT_READ,
        "C3": _enrichment(study["population"]),
        "C4": f"gradual: {', '.join(tapered)}" if tapered else "no arm is stated to be gradual",
    }
    if math.isfinite(window.end_days):
        until = f"{weeks:g} weeks" if pd.notna(weeks) else "no single time"
        taper = "" if window.taper_known else ", the taper being unknown"
        context["C5"] = (
            f"window to day {window.end_days:g}{taper} ({window.rule}, {window.tag}); "
            f"follow-up to {until}"
        )
    return context


def _enrichment(population: object) -> str:
    enriched = any(word in str(population) for word in ENRICHED)
    return "yes, by the population" if enriched else NOT_READ


def _reading(said: PaceAnswer, source: object) -> dict[str, dict[str, str]]:
    reading = _OnOneLine(answer=said.answer, reason=said.reason)
    if LEVEL[said.answer] != NO_INFORMATION:
        reading["source"] = str(source)
    return {READER: reading}


if __name__ == "__main__":
    write_bundled_audits(*map(Path, sys.argv[1:4]))
